# SPDX-License-Identifier: MIT
# Not under tsan: files are read on one thread.
"""vaectl data and the formats it reads: .csv, PNG files of every kind, CIFAR-10, EMNIST; what is malformed, a line for
each; conversions; where a model's data is found. Prints TAP."""
import gzip
import os
import random
import re
import shutil
import struct
import sys
import zlib

from shared.program import read_bytes, read_npy, refuse, vaectl, vaectl_json, write_idx, write_mnist, write_npy
from shared.tap import Skip, run, same, test
from shared.write_png import CHANNELS, DEPTHS, SIGNATURE, chunk, grey, header, luma, png

TRAIN = ["--hidden", 3, "--latent", 2, "--epochs", 1, "--batch", 4, "-q"]


def put(path, content):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def bytes_of(source, *flags):
    """(n, rows, cols) and the bytes that `data` converts a source to."""
    vaectl("data", source, "--to", "idx", "-o", "bytes.idx", *flags)
    content = read_bytes("bytes.idx")
    return struct.unpack(">3I", content[4:16]), list(content[16:])


def reals_of(source):
    """The shape and the numbers that `data` converts a source to."""
    vaectl("data", source, "--to", "npy", "-o", "reals.npy")
    content = read_bytes("reals.npy")
    end = content.index(b"\n") + 1
    shape = eval(content[10:end].decode())["shape"]
    return shape, list(struct.unpack(f"<{(len(content) - end) // 4}f", content[end:]))


# ---- What data says -------------------------------------------------------------------------------------------------

TEXT = """\
m: 3 + 2 images of 2 x 1 bytes
values are bytes / 255

                                train         test
images                              3            2
lowest value                        0            0
highest value                       1      0.39216
mean value                    0.30065      0.13333
share of zeros                    0.5          0.5
distinct values                     4            3
label 0                             1            0
label 1                             0            0
label 2                             2            2
equal to one of train                            1

likelihoods that take it: bernoulli, gaussian, cbernoulli
(grey pixels under bernoulli: a pseudo-likelihood)
"""


def write_small():
    write_mnist("m", 2, 1, [[0, 100], [255, 0], [0, 105]], [[0, 36], [0, 100]], ([2, 0, 2], [2, 2]))


@test("data: a folder in a table and as JSON; --check in a line")
def _():
    write_small()
    same(vaectl("data", "m"), (TEXT, ""))
    same(vaectl("data", "m", "--check"), ("m: 3 + 2 images of 2 x 1 bytes\n", ""))
    got = vaectl_json("data", "m")
    same(got, {"source": "m", "rows": 2, "cols": 1, "values": "bytes", "test_in_train": 1, "label_names": [],
               "likelihoods": ["bernoulli", "gaussian", "cbernoulli"], "pseudo_likelihoods": ["bernoulli"],
               "train": {"n": 3, "lowest": 0, "highest": 1, "mean": got["train"]["mean"], "zeros": 0.5, "distinct": 4,
                         "labels": [1, 0, 2]},
               "test": {"n": 2, "lowest": 0, "highest": 0.392156869, "mean": got["test"]["mean"], "zeros": 0.5,
                        "distinct": 3, "labels": [0, 0, 2]}})
    assert abs(got["train"]["mean"] - 460 / 255 / 6) < 1e-8 and abs(got["test"]["mean"] - 136 / 255 / 4) < 1e-8


@test("data: black and white pixels are no pseudo-likelihood; grey ones of either split are")
def _():
    for train, test_pixel, pseudo in ((0, 255, []), (254, 0, ["bernoulli"]), (255, 1, ["bernoulli"])):
        write_mnist("b", 2, 1, [[0, 255], [255, train]], [[0, test_pixel]])
        same(vaectl_json("data", "b")["pseudo_likelihoods"], pseudo)
        same("pseudo" in vaectl("data", "b")[0], bool(pseudo))


@test("data: real numbers, of which there may be many")
def _():
    write_npy("many.npy", (101, 100), [i - 50.0 for i in range(10100)])
    same(vaectl("data", "many.npy")[0], """\
many.npy: 101 rows of 100 real numbers
real numbers are taken as they are

                                  all
rows                              101
lowest value                      -50
highest value                   10049
mean value                     4999.5
share of zeros              9.901e-05
distinct values            over 10000

likelihoods that take it: gaussian
""")
    write_npy("zeros.npy", (1, 4), [0.0, -0.0, 1, 2])
    same([vaectl_json("data", "zeros.npy")["train"][name] for name in ("distinct", "zeros")], [3, 0.5])
    got = vaectl_json("data", "many.npy", "--holdout", 0.1)
    same((got["train"]["n"], got["test"]["n"], got["train"]["distinct"]), (91, 10, 9100))
    same((got["values"], got["rows"], got["cols"], got["train"]["labels"]), ("reals", 1, 100, None))


@test("data: what it cannot do, in one line each")
def _():
    write_small()
    write_npy("r.npy", (2, 2), [1, 2, 3, 4])
    for message, *words in (
            ("data: no SOURCE given (vaectl data SOURCE)",),
            ("data: unexpected argument 'm' (expected one SOURCE)", "m", "m"),
            ("--to: 'csv' (expected idx or npy)", "m", "--to", "csv", "-o", "x"),
            ("--split: 'all' (expected train or test)", "m", "--to", "npy", "-o", "x", "--split", "all"),
            ("data: --to and --output go together", "m", "--to", "npy"),
            ("data: --to and --output go together", "m", "-o", "x"),
            ("data: --split is for --to", "m", "--split", "train"),
            ("data: --to writes files (expected no --json and no --check)", "m", "--to", "npy", "-o", "x", "--json"),
            ("--holdout: 1.5 is out of range (expected 0 to 1)", "m", "--holdout", 1.5),
            ("m: has a training and a test split (expected --split train or test, or -o FOLDER/ for both)", "m", "--to",
             "npy", "-o", "x"),
            ("--split test: r.npy has no such split (--holdout F makes one)", "r.npy", "--to", "npy", "-o", "x", "--split", "test"),
            ("r.npy: real numbers, and IDX files hold bytes (expected --to npy)", "r.npy", "--to", "idx", "-o", "x"),
            ("-o x/: a folder is of IDX files (expected --to idx, or a file)", "m", "--to", "npy", "-o", "x/"),
            ("size: '0x' is not a whole number", "m:size=0x"),
            ("m:sise=2: 'sise=2' (expected set=NAME or size=N behind a path)", "m:sise=2"),
            ("m: size 3, but the images are 2 x 1 (expected less)", "m:size=3"),
            ("m: no set 'letters' in it (there are: one unnamed)", "m:set=letters"),
            ("r.npy: set a: it is a single file", "r.npy:set=a"),
            ("r.npy: size is for pictures of bytes", "r.npy:size=1")):
        refuse(2, message, "data", *words)
    refuse(4, "m/train-labels-idx1-ubyte/x/: cannot make folder: Not a directory", "data", "m", "--to", "idx", "-o",
           "m/train-labels-idx1-ubyte/x/")
    same(sorted(os.listdir()), ["m", "r.npy"])


@test("conversions: a set in the order of its file, a folder with its labels, a share held out")
def _():
    write_small()
    values = [37 * i % 251 for i in range(60)]
    write_idx("one", (10, 3, 2), values)
    same(bytes_of("one"), ((10, 3, 2), values))
    same(bytes_of("m", "--split", "test"), ((2, 2, 1), [0, 36, 0, 100]))
    numbers = [i / 7 - 3 for i in range(12)]
    write_npy("reals", (4, 3), numbers)
    same(reals_of("reals"), ((4, 3), [struct.unpack("<f", struct.pack("<f", v))[0] for v in numbers]))
    write_npy("pictures", (2, 3, 2), numbers)
    same(reals_of("pictures")[0], (2, 3, 2))
    vaectl("data", "one", "--to", "npy", "-o", "one.npy")
    same(bytes_of("one.npy"), ((10, 3, 2), values))
    names = [f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    same(vaectl("data", "m", "--to", "idx", "-o", "copy/"), ("".join(f"copy/{name}\n" for name in names), ""))
    for name in names:
        same(read_bytes(f"copy/{name}"), read_bytes(f"m/{name}"))
    refuse(2, "one: has no test split (--holdout F takes one from it)", "data", "one", "--to", "idx", "-o", "parts/")
    vaectl("data", "one", "--holdout", 0.3, "--seed", 5, "--to", "idx", "-o", "parts/")
    for flags in ([], ["--seed", 5]):
        vaectl("train", "--data", "one" if flags else "parts", "--holdout", 0.3, *TRAIN, "-o", f"run{len(flags)}", "--seed", 5)
    got = [vaectl_json("eval", f"run{i}", "--samples", 0)["n"] for i in (0, 2)]
    same(got, [3, 3])
    whole = {tuple(values[i:i + 6]) for i in range(0, 60, 6)}
    parts = [bytes_of("parts", "--split", split)[1] for split in ("train", "test")]
    same({tuple(part[i:i + 6]) for part in parts for i in range(0, len(part), 6)}, whole)


# ---- .csv -----------------------------------------------------------------------------------------------------------

GOOD_CSV = [
    ("numbers alone", b"1,2.5\n-3e1,+.5\n", (2, 2), [1, 2.5, -30, 0.5]),
    ("no newline at the end", b"1,2\n3,4", (2, 2), [1, 2, 3, 4]),
    ("one number a line", b"1\n2\n3\n", (3, 1), [1, 2, 3]),
    ("a header, \\r\\n, empty lines at the end", b"x,y\r\n1,2\r\n3,4\r\n\r\n \r\n", (2, 2), [1, 2, 3, 4]),
    ("quotes and blanks", b' "a ""b"",c" , d\n "1" , 2 \n\t3,"4"\t\n', (2, 2), [1, 2, 3, 4]),
    ("a byte order mark", b"\xef\xbb\xbf1,2\n3,4\n", (2, 2), [1, 2, 3, 4]),
    ("a byte order mark before a header", b"\xef\xbb\xbflabel,y\n1,2\n3,4\n", (2, 1), [2, 4]),
    ("names that are numbers, beside label", b"0,Label,1\n7,1,8\n9,0,10\n", (2, 2), [7, 8, 9, 10]),
    ("whole numbers are real values", b"0,255\n255,0\n", (2, 2), [0, 255, 255, 0]),
    ("a comment as NumPy writes it", b"# x,y\n1,2\n", (1, 2), [1, 2]),
]


@test(".csv: numbers, headers, quotes, line ends")
def _():
    for what, content, shape, numbers in GOOD_CSV:
        put("t.csv", content)
        same(reals_of("t.csv"), (shape, numbers), what)
        put("t.csv.gz", gzip.compress(content))
        same(reals_of("t.csv.gz"), (shape, numbers), what)


@test(".csv: labels, and columns that are called pixels")
def _():
    put("t.csv", b"a,label,b\n1,2,3\n4,0,5\n4,2,6\n")
    got = vaectl_json("data", "t.csv")
    same((got["train"]["labels"], got["cols"], got["values"]), ([1, 0, 2], 2, "reals"))
    for names in ("label,pixel0,pixel1,pixel2,pixel3", "label,1x1,1x2,2x1,2x2"):
        put("p.csv", (names + "\n7,0,255,3,4\n1,5,6,7,8\n").encode())
        same(bytes_of("p.csv"), ((2, 2, 2), [0, 255, 3, 4, 5, 6, 7, 8]))
        same(vaectl_json("data", "p.csv")["train"]["labels"], [0, 1, 0, 0, 0, 0, 0, 1])
    put("p.csv", b"pixel0,pixel1,pixel2\n1,2,3\n")
    same(bytes_of("p.csv"), ((1, 1, 3), [1, 2, 3]))


@test(".csv: long lines and many of them go through a buffer")
def _():
    values = [i * 0.25 - 1000 for i in range(20000)]
    for columns in (10000, 2, 1):
        lines = [",".join(map(str, values[i:i + columns])) for i in range(0, len(values), columns)]
        put("t.csv", "\n".join(lines).encode())
        same(reals_of("t.csv"), ((len(values) // columns, columns), values))


BAD_CSV = [
    (b"x,y\n", "a header and no rows"),
    (b"x,y\n\n\n", "a header and no rows"),
    (b"1,2\n3\n", "line 2, column 1: the line ends here (line 1 has 2 columns)"),
    (b"1,2\n3,4,5\n", "line 2, column 3: one column too many (line 1 has 2)"),
    (b"1,2\n3,4,\n", "line 2, column 3: one column too many (line 1 has 2)"),
    (b"1,2\n\n3,4\n", "line 2: empty, and line 3 is not"),
    (b"1,2\n3,x\n", "line 2, column 2: 'x' is not a number"),
    (b"1,x\n3,4\n", "line 1, column 2: 'x' is not a number"),
    (b"1,2\n3,0x10\n", "line 2, column 2: '0x10' is not a number"),
    (b"1,2\n3,4 5\n", "line 2, column 2: '4 5' is not a number"),
    (b"1;2\n3;4\n", "line 2, column 1: '3;4' is not a number (expected commas between the columns)"),
    (b"1,2\n3,\n", "line 2, column 2: empty (expected a number)"),
    (b"1,2\nnan,4\n", "line 2, column 1: nan (expected finite numbers of at most 3.40282e+38)"),
    (b"1,inf\n3,4\n", "line 1, column 2: inf (expected finite numbers of at most 3.40282e+38)"),
    (b"1,2\n3,-1e39\n", "line 2, column 2: -1e39 (expected finite numbers of at most 3.40282e+38)"),
    (b'1,2\n3,"4\n', "line 2, column 2: a quote is not closed in its line"),
    (b'1,2\n3,"4"5\n', "line 2, column 2: text behind a closing quote"),
    (b"1,2\n3,4\0\n", "line 2, column 2: has a zero byte (expected text)"),
    (b"1,2\n3," + b"4" * 300 + b"\n", "line 2, column 2: longer than 255 characters"),
    (b"1,2\n3,\x1b[31m\n", "line 2, column 2: '?[31m' is not a number"),
    (b",x\n0,1\n", "line 1, column 1: no name (a column that numbers the rows does not belong to the data)"),
    (b"label,label,x\n0,0,1\n", "line 1, column 2: a second column called label"),
    (b"label\n0\n1\n", "line 1, column 1: no column of numbers beside the labels"),
    (b"label,x\n256,1\n", "line 2, column 1: label '256' (expected a whole number from 0 to 255)"),
    (b"label,x\n1.5,1\n", "line 2, column 1: label '1.5' (expected a whole number from 0 to 255)"),
    (b"label,x\ncat,1\n", "line 2, column 1: label 'cat' (expected a whole number from 0 to 255)"),
    (b"pixel0,pixel1\n1,-1\n", "line 2, column 2: pixel '-1' (expected a whole number from 0 to 255)"),
    (b"pixel0,pixel1\n1,0.5\n", "line 2, column 2: pixel '0.5' (expected a whole number from 0 to 255)"),
    (b"1," * 65537 + b"1\n", "line 1, column 65538: more columns than 65537"),
]


@test(".csv: what is malformed, by line and column")
def _():
    for content, message in BAD_CSV:
        put("t.csv", content)
        refuse(3, f"t.csv: {message}", "data", "t.csv")
    whole = gzip.compress(b"1,2\n" * 5000)
    for cut in (1, 8, 20):
        put("t.csv", whole[:-cut])
        refuse(3, "t.csv: file ends too early (the download or copy was cut off)", "data", "t.csv")
    put("t.csv", whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    refuse(3, "t.csv: damaged gzip data (a checksum or code in it is wrong)", "data", "t.csv")
    same(os.listdir(), ["t.csv"])


@test("values of bytes under a likelihood of 0 to 1: the message says what to do")
def _():
    put("t.csv", b"0,255\n3,4\n")
    refuse(3, "t.csv: values from 0 to 255, likelihood bernoulli takes 0 to 1 (divide them by 255 if they are bytes; "
           "gaussian takes any)", "train", "--data", "t.csv", "--holdout", 0)


# ---- PNG ------------------------------------------------------------------------------------------------------------

def picture(width, height, depth, colour, entries=0):
    """Random pixels, the same in every run."""
    dice = random.Random(f"{width} {height} {depth} {colour}")
    most = entries or 2 ** depth
    return [[tuple(dice.randrange(most) for _ in range(CHANNELS[colour])) for _ in range(width)] for _ in range(height)]


@test("PNG: each colour type and depth, interlaced or not, is the grey that it should be")
def _():
    dice, wanted, n = random.Random(7), [], 0
    for colour, depths in DEPTHS.items():
        for depth in depths:
            palette = [tuple(dice.randrange(256) for _ in range(3)) for _ in range(2 ** depth)] if colour == 3 else ()
            alphas = bytes([0, 128]) if colour == 3 else b""
            pixels = picture(11, 9, depth, colour)
            for interlaced in (False, True):
                put(f"p/{n:02}.png", png(pixels, depth, colour, interlaced, palette, alphas))
                wanted += [grey(p, depth, colour, palette, alphas) for row in pixels for p in row]
                n += 1
    same(bytes_of("p"), ((n, 9, 11), wanted))
    same(bytes_of("p/00.png"), ((1, 9, 11), wanted[:99]))


@test("PNG: a colour that is transparent; chunks that are of no interest; sizes of one pixel")
def _():
    grey8, rgb = [[(7,), (8,), (7,)]], [[(1, 2, 3), (1, 2, 4), (250, 0, 9)]]
    put("a/0.png", png(grey8, 8, 0, transparent=struct.pack(">H", 7)))
    put("a/1.png", png(rgb, 8, 2, transparent=struct.pack(">3H", 1, 2, 3)))
    texts = chunk(b"tEXt", b"Title\0x") + chunk(b"iCCP", b"p\0\0" + zlib.compress(b"no profile")) + chunk(b"gAMA", bytes(4))
    put("a/2.png", png(grey8, 8, 0, between=texts))
    same(bytes_of("a"), ((3, 1, 3), [255, 8, 255, 255, luma(1, 2, 4), luma(250, 0, 9), 7, 8, 7]))
    put("b/0.PNG", png([[(3,)]], 8, 0, interlaced=True))
    same(bytes_of("b"), ((1, 1, 1), [3]))


def grey_png(value, rows=2, cols=2):
    return png([[(value,)] * cols] * rows, 8, 0)


@test("PNG folders: order of bytes, labels with their names, splits; other files do not matter")
def _():
    for name, value in (("10", 1), ("9", 2), ("B", 3), ("a", 4), ("\xe4", 5)):
        put(f"flat/{name}.png", grey_png(value))
    put("flat/.hidden.png", b"no PNG")
    put("flat/notes.txt", b"no PNG")
    os.mkdir("flat/empty")
    for environment in ("C", "de_DE.UTF-8"):
        os.environ["LC_ALL"] = environment
        same(bytes_of("flat"), ((5, 2, 2), [v for v in (1, 2, 3, 4, 5) for _ in range(4)]))
    del os.environ["LC_ALL"]
    for split, base in (("train", 10), ("test", 20)):
        for i, label in enumerate(("Zebra", "cat", "\x1bdog")):
            put(f"pets/{split}/{label}/0.png", grey_png(base + i))
    put("pets/train/cat/1.png", grey_png(99))
    got = vaectl_json("data", "pets")
    same((got["label_names"], got["train"]["labels"], got["test"]["labels"]),
         (["\x1bdog", "Zebra", "cat"], [1, 1, 2], [1, 1, 1]))
    assert "label 0 ?dog" in vaectl("data", "pets")[0]
    for name, shown in (("z\xfcrich " + 3 * "\xe9", "z\xfcrich \xe9\xe9\xe9      "), (15 * "\xe9" + "abcd", 15 * "\xe9" + "a")):
        put(f"towns/{name}/0.png", grey_png(1))
        same(re.findall(r"label 0 (.{16}) +1\n", vaectl("data", "towns")[0]), [shown])
        shutil.rmtree("towns")
    same(bytes_of("pets", "--split", "train")[1][::4], [12, 10, 11, 99])
    os.rename("pets/train", "pets/training")
    os.rename("pets/test", "pets/testing")
    same(vaectl_json("data", "pets"), got)
    same(bytes_of("pets/testing")[1][::4], [22, 20, 21])
    vaectl("train", "--data", "pets", "--conditional", *TRAIN, "-o", "run")
    vaectl("sample", "run", "--label", 2)


@test("a folder of arrays: train and test as .npy with labels beside them, or as .csv; without test a share is held out")
def _():
    os.mkdir("a")
    numbers = [0.01 * i for i in range(40 * 6)]
    write_npy("a/train.npy", (40, 2, 3), numbers)
    same([vaectl_json("data", "a")[key] for key in ("train", "test", "values", "rows", "cols")][1:], [None, "reals", 2, 3])
    write_npy("a/train-labels.npy", (40,), [i % 3 for i in range(40)], "<i8")
    same(vaectl_json("data", "a", "--holdout", 0.25)["test"]["n"], 10)
    write_npy("a/test.npy", (5, 2, 3), numbers[:30])
    write_npy("a/test-labels.npy", (5,), [2, 2, 1, 0, 1], "|u1")
    got = vaectl_json("data", "a", "--holdout", 0.25)
    same((got["train"]["labels"], got["test"]["labels"], got["test_in_train"]), ([14, 13, 13], [1, 2, 2], 5))
    vaectl("train", "--data", "a", "--conditional", "--likelihood", "gaussian", *TRAIN, "-o", "run")
    vaectl("encode", "run", "--labels", "y.npy", "-o", "z.npy")
    same(read_npy("y.npy")[2], [2, 2, 1, 0, 1])
    vaectl("sample", "run", "--label", 2)
    put("c/train.csv", b"label,x\n1,0.5\n0,0.25\n1,0.75\n")
    put("c/test.csv", b"label,x\n0,0.5\n")
    got = vaectl_json("data", "c")
    same((got["train"]["labels"], got["test"]["labels"], got["rows"], got["cols"]), ([1, 2], [1], 1, 1))


@test(".npy with one colour: it stands last, or first as PyTorch has it")
def _():
    for shape in ((3, 2, 4), (3, 2, 4, 1), (3, 1, 2, 4)):
        write_npy("x.npy", shape, list(range(24)), "|u1")
        same(bytes_of("x.npy"), ((3, 2, 4), list(range(24))), shape)


@test("folders of arrays: what does not go together")
def _():
    os.mkdir("a")
    write_npy("a/train.npy", (4, 2), [0.5] * 8)
    write_npy("a/test.npy", (2, 3), [0.5] * 6)
    refuse(3, "a: training images are 1 x 2, test images 1 x 3", "data", "a")
    write_npy("a/test.npy", (2, 2), [1] * 4, "|u1")
    refuse(3, "a: only one of its splits has real numbers, the other one bytes", "data", "a")
    write_npy("a/test.npy", (2, 2), [0.5] * 4)
    write_npy("a/test-labels.npy", (3,), [1] * 3, "|u1")
    refuse(3, "a/test-labels.npy: shape (3,) (expected (2,), a label for each row)", "data", "a")
    write_npy("a/test-labels.npy", (2,), [1] * 2, "|u1")
    refuse(3, "a: only one of its splits has labels", "data", "a")
    put("a/train.csv", b"x\n1\n")
    refuse(3, "a: train.npy and train.csv (expected one of them)", "data", "a")
    refuse(2, "a: set x: it has no sets of IDX files", "data", "a:set=x")
    put("c/train.csv", b"label,x\n1,0.5\n0,0.25\n")
    write_npy("c/train-labels.npy", (2,), [1] * 2, "|u1")
    refuse(3, "c/train-labels.npy: labels, and its rows have a column of them", "data", "c")


@test("PNG folders: what does not go together")
def _():
    put("sizes/a.png", grey_png(1))
    put("sizes/b.png", grey_png(1, 2, 3))
    refuse(3, "sizes/b.png: 2 x 3 pixels, but sizes/a.png has 2 x 2 (expected images of one size)", "data", "sizes")
    put("mixed/a.png", grey_png(1))
    put("mixed/b/c.png", grey_png(1))
    refuse(3, "mixed: PNG files beside b/ (expected either files or folders of them)", "data", "mixed")
    put("s/train/a/1.png", grey_png(1))
    put("s/test/b/1.png", grey_png(1))
    refuse(3, "s/test/b: a label that no training image has", "data", "s")
    put("t/train/1.png", grey_png(1))
    put("t/test/1.png", grey_png(1, 3))
    refuse(3, "t: training images are 2 x 2, test images 3 x 2", "data", "t")
    put("t/test/1.png", b"")
    refuse(3, "t/test/1.png: file ends too early (the download or copy was cut off)", "data", "t")
    os.remove("t/test/1.png")
    refuse(3, "t/test: no PNG files in it", "data", "t")
    put("t/test/b/1.png", grey_png(1))
    refuse(3, "t/test/b: a label that no training image has", "data", "t")
    put("half/train/a/1.png", grey_png(1))
    put("half/test/1.png", grey_png(1))
    refuse(3, "half: only one of its splits has labels", "data", "half")
    refuse(2, "sizes: set a: it has no sets of IDX files", "data", "sizes:set=a")
    put("none/photo.jpg", b"\xff\xd8\xff\xe0")
    refuse(3, "none: no file train-images-idx3-ubyte or train-images-idx3-ubyte.gz in it (expected the MNIST file "
           "names, which scripts/fetch-mnist.sh fetches, CIFAR-10's .bin files, PNG files, train.npy or train.csv)", "data", "none")
    for i in range(257):
        put(f"many/{i:03}/1.png", grey_png(1))
    refuse(3, "many/256: a folder too many (expected at most 256, which are labels)", "data", "many")


@test("PNG folders: links that go round, links to nowhere, files that may not be read, pipes")
def _():
    put("loop/a/1.png", grey_png(5))
    os.symlink("..", "loop/a/up")
    os.symlink(".", "loop/self")
    same(bytes_of("loop")[0], (1, 2, 2))
    os.symlink("round.png", "loop/a/round.png")
    refuse(3, "loop/a/round.png: cannot open: Too many levels of symbolic links", "data", "loop")
    os.remove("loop/a/round.png")
    os.symlink("nowhere", "loop/a/x.png")
    refuse(3, "loop/a/x.png: cannot open: No such file or directory", "data", "loop")
    os.remove("loop/a/x.png")
    os.mkfifo("loop/a/p.png")
    refuse(3, "loop/a/p.png: not a regular file (expected a file of data)", "data", "loop")
    os.remove("loop/a/p.png")
    if os.getuid():
        os.chmod("loop/a/1.png", 0)
        refuse(3, "loop/a/1.png: cannot open: Permission denied", "data", "loop")
        os.chmod("loop", 0)
        refuse(3, "loop: cannot open folder: Permission denied", "data", "loop")
        os.chmod("loop", 0o700)


GOOD = png(picture(5, 4, 8, 2), 8, 2)
HEAD, DATA, END = 8 + 25, slice(33, -12), chunk(b"IEND", b"")


def with_data(raw, head=header(5, 4, 8, 2)):
    return head + chunk(b"IDAT", zlib.compress(raw)) + END


BAD_PNG = {
    "cut": "file ends too early (the download or copy was cut off)",
    "crc": "damaged PNG (", "order": "damaged PNG (", "size": "damaged PNG (", "adler": "damaged PNG (",
    "filter": "damaged PNG (", "index": "damaged PNG (", "kind": "damaged PNG (", "magic": "damaged PNG (",
    "zero": "damaged PNG (", "wide": "damaged PNG (", "text_crc": "damaged PNG (", "unknown": "damaged PNG (",
    "pixels": "image of 65536 x 257 pixels (at most 65536 x 65536 and 16777216 in all)",
    "bomb": "PNG header announces 4096 x 4096 pixels, more than 131 bytes can hold",
}


def malformed():
    """(which kind of BAD_PNG, a file) of each."""
    for cut in (1, 12, 13, 20, 40, len(GOOD) - 33, len(GOOD) - 9, len(GOOD) - 20):
        yield "cut", GOOD[:-cut]
    for at in (20, 31, 45, len(GOOD) - 14, len(GOOD) - 1):  # in IHDR, its checksum, IDAT, its checksum, that of IEND
        yield "crc", GOOD[:at] + bytes([GOOD[at] ^ 1]) + GOOD[at + 1:]
    yield "order", GOOD[:8] + GOOD[DATA] + GOOD[8:HEAD] + END
    yield "order", GOOD[:HEAD] + END
    yield "order", GOOD[:HEAD] + GOOD[8:HEAD] + GOOD[HEAD:]
    yield "size", with_data(bytes(4 * 16 - 1))
    yield "adler", GOOD[:HEAD] + chunk(b"IDAT", zlib.compress(bytes(64))[:-4] + b"1234") + END
    yield "filter", with_data(b"\5" + bytes(63))
    yield "size", with_data(bytes(5 * 16))
    yield "index", header(2, 1, 8, 3) + chunk(b"PLTE", bytes(6)) + chunk(b"IDAT", zlib.compress(b"\0\1\2")) + END
    yield "order", header(2, 1, 8, 3) + chunk(b"IDAT", zlib.compress(b"\0\1\2")) + END
    for depth, colour in ((3, 0), (32, 0), (8, 1), (8, 5), (8, 7), (16, 3), (4, 2)):
        yield "kind", header(5, 4, depth, colour) + GOOD[HEAD:]
    yield "kind", header(5, 4, 8, 2, 2) + GOOD[HEAD:]
    yield "magic", b"\x89PNG\n\n\n\n" + GOOD[8:]
    for width, height in ((0, 4), (5, 0)):
        yield "zero", header(width, height, 8, 2) + GOOD[HEAD:]
    for width, height in ((65537, 1), (1, 65537), (2 ** 31 - 1, 2 ** 31 - 1), (2 ** 32 - 1, 1)):
        yield "wide", header(width, height, 8, 2) + GOOD[HEAD:]
    yield "pixels", header(257, 65536, 8, 2) + GOOD[HEAD:]
    yield "bomb", header(4096, 4096, 16, 6) + chunk(b"IDAT", bytes(74)) + END
    yield "text_crc", GOOD[:HEAD] + chunk(b"tEXt", b"a\0b")[:-1] + b"x" + GOOD[HEAD:]
    yield "unknown", GOOD[:HEAD] + chunk(b"ABCD", b"critical and unknown") + GOOD[HEAD:]


@test("PNG: what is malformed, and what is far larger than its file")
def _():
    kinds = set()
    for kind, content in malformed():
        put("t.png", content)
        out, errors = vaectl("data", "t.png", status=3)
        message = f"vaectl: t.png: {BAD_PNG[kind]}"
        assert not out and errors.startswith(message) and errors.count("\n") == 1, (kind, errors, message)
        kinds.add(kind)
    same(kinds, set(BAD_PNG))
    put("t.png", GOOD + b"text behind the end is of no interest")
    same(bytes_of("t.png")[0], (1, 4, 5))


# ---- CIFAR-10 and smaller pictures ----------------------------------------------------------------------------------

def cifar(label, seed):
    """A row of CIFAR-10's files, and its grey pixels."""
    colours = random.Random(seed).randbytes(3072)
    return bytes([label]) + colours, [luma(*colours[k::1024]) for k in range(1024)]


@test("CIFAR-10: one file, the folder, names of its classes")
def _():
    rows = [cifar(i % 10, i) for i in range(12)]
    put("one.bin", rows[0][0] + rows[9][0])
    same(bytes_of("one.bin"), ((2, 32, 32), rows[0][1] + rows[9][1]))
    for i in range(5):
        put(f"c/data_batch_{i + 1}.bin", rows[2 * i][0] + rows[2 * i + 1][0])
    refuse(3, "c/test_batch.bin: cannot open: No such file or directory", "data", "c")
    put("c/test_batch.bin", rows[10][0] + rows[11][0])
    got = vaectl_json("data", "c")
    same((got["train"]["n"], got["train"]["labels"], got["test"]["labels"]), (10, [1] * 10, [1, 1]))
    same(got["label_names"][::9], ["airplane", "truck"])
    same(bytes_of("c", "--split", "train")[1], [v for _, values in rows[:10] for v in values])
    os.remove("c/data_batch_3.bin")
    refuse(3, "c/data_batch_3.bin: cannot open: No such file or directory", "data", "c")


@test("CIFAR-10: sizes and labels that are wrong")
def _():
    row = cifar(3, 1)[0]
    expected = "(expected a multiple of 3073, as CIFAR-10's .bin files have)"
    for content, message in (
            (row[:-1], f"3072 bytes {expected}"), (row + b"1", f"3074 bytes {expected}"),
            (b"", "file ends too early (the download or copy was cut off)"),
            (row + b"\x0a" + row[1:], "image 1 has label 10 (expected 0 to 9, as in CIFAR-10's .bin files)")):
        put("x.bin", content)
        refuse(3, f"x.bin: {message}", "data", "x.bin")
    put("x.bin", gzip.compress(row))
    refuse(3, f"x.bin: {len(gzip.compress(row))} bytes, compressed {expected}", "data", "x.bin")


def area_mean(values, rows, cols, n, i, j):
    """Pixel (i, j) of n x n, rounded to the nearest byte: exactly, in n-ths of a pixel."""
    total = sum(values[r // n * cols + c // n] for r in range(i * rows, (i + 1) * rows)
                for c in range(j * cols, (j + 1) * cols))
    return (total + rows * cols // 2) // (rows * cols)


@test(":size=N takes means over areas, in whole and in broken pixels")
def _():
    dice = random.Random(3)
    for rows, cols, sizes in ((6, 6, (1, 2, 3, 4, 5, 6)), (5, 7, (2, 3, 5))):
        values = [dice.randrange(256) for _ in range(rows * cols)]
        write_idx("one", (1, rows, cols), values)
        for n in sizes:
            same(bytes_of(f"one:size={n}"),
                 ((1, n, n), [area_mean(values, rows, cols, n, i, j) for i in range(n) for j in range(n)]))
    write_mnist("m", 4, 4, [[0] * 8 + [255] * 8] * 3, [[10] * 16] * 2)
    same(bytes_of("m:size=2", "--split", "train"), ((3, 2, 2), [0, 0, 255, 255] * 3))
    same(bytes_of("m:size=2", "--split", "test"), ((2, 2, 2), [10] * 8))
    vaectl("train", "--data", "m:size=2", *TRAIN, "-o", "run")
    same(vaectl_json("eval", "run", "--samples", 0)["n"], 2)


@test("a path that has a colon in its name is a path")
def _():
    write_idx("a:size=1", (1, 2, 2), [1, 2, 3, 4])
    same(bytes_of("a:size=1"), ((1, 2, 2), [1, 2, 3, 4]))
    same(bytes_of("a:size=1:size=1"), ((1, 1, 1), [3]))


# ---- Several sets of IDX files --------------------------------------------------------------------------------------

def write_set(prefix, train, test, labels, test_name="test"):
    for split, images, of in (("train", train, labels[0]), (test_name, test, labels[1])):
        write_idx(f"{prefix}{split}-images-idx3-ubyte", (len(images), 2, 3), [v for image in images for v in image])
        write_idx(f"{prefix}{split}-labels-idx1-ubyte", (len(of),), of)


UPRIGHT, LYING = [1, 4, 2, 5, 3, 6], [1, 2, 3, 4, 5, 6]


@test("EMNIST: sets by name, upright, letters counted from 0, with the characters they are")
def _():
    os.mkdir("e")
    write_set("e/emnist-letters-", [LYING, LYING], [LYING], ([1, 26], [2]))
    same(bytes_of("e", "--split", "train"), ((2, 3, 2), UPRIGHT * 2))
    got = vaectl_json("data", "e")
    same((got["train"]["labels"][0], got["train"]["labels"][25], got["test"]["labels"]), (1, 1, [0, 1]))
    same((got["label_names"][0], got["label_names"][25]), ("A", "Z"))
    write_set("e/emnist-balanced-", [LYING], [LYING], ([46], [0]))
    put("e/emnist-balanced-train-images-idx3-ubyte.gz", b"never read")
    refuse(2, "e: several sets in it: balanced, letters (e:set=NAME takes one)", "data", "e")
    refuse(2, "e: no set 'digits' in it (there are: balanced, letters)", "data", "e:set=digits")
    same(vaectl_json("data", "e:set=balanced")["label_names"][46], "t")
    same(vaectl_json("data", "e:set=letters")["train"], got["train"])
    write_set("e/", [LYING], [LYING], ([5], [6]), "t10k")
    same(bytes_of("e", "--split", "test"), ((1, 2, 3), LYING))
    write_set("e/emnist-letters-", [LYING], [LYING], ([0], [2]))
    refuse(3, "e/emnist-letters-train-labels-idx1-ubyte: label 0 (expected 1 to 26, as EMNIST counts letters)", "data",
           "e:set=letters")
    os.mkdir("new")
    write_set("new/emnist-signs-", [LYING], [LYING], ([7], [0]))
    same(vaectl_json("data", "new")["label_names"], [])
    os.remove("e/emnist-letters-test-images-idx3-ubyte")
    write_set("e/emnist-letters-", [LYING], [LYING], ([1], [2]))
    os.remove("e/emnist-letters-test-images-idx3-ubyte")
    refuse(3, "e: no file emnist-letters-test-images-idx3-ubyte or emnist-letters-test-images-idx3-ubyte.gz in it "
           "(expected the MNIST file names, which scripts/fetch-mnist.sh fetches, CIFAR-10's .bin files, PNG files, train.npy or train.csv)",
           "data", "e:set=letters")


# ---- Rows of numbers are no pictures --------------------------------------------------------------------------------

@test("rows of numbers train under a Gaussian likelihood; pictures of them are refused")
def _():
    put("t.csv", b"x,y\n" + b"".join(b"%d.5,%d\n" % (i % 7, i % 3) for i in range(40)))
    vaectl("train", "--data", "t.csv", "--likelihood", "gaussian", *TRAIN, "-o", "run")
    same(vaectl_json("eval", "run", "--samples", 0)["n"], 4)
    for command, remedy in (("reconstruct", "encode and decode write the numbers, plot scatter draws them"), ("sample", "-o FILE.npy or FILE.csv writes the numbers"), ("traverse", "encode and decode write the numbers, plot scatter draws them")):
        refuse(2, f"{command}: the model is one of rows of 2 numbers, which are no pictures ({remedy})", command, "run")
    same(sorted(os.listdir("run")), ["metrics.csv", "model.safetensors"])


# ---- Where data is --------------------------------------------------------------------------------------------------

@test("a model's data is found from elsewhere, in the folders above it; no other path is in its bytes")
def _():
    for project in ("one", "two/deep"):
        os.makedirs(f"{project}/work")
        write_idx(f"{project}/set", (20, 2, 2), [7 * i % 256 for i in range(80)])
        os.chdir(project)
        vaectl("train", "--data", "set:size=1", *TRAIN)
        os.chdir("../.." if "/" in project else "..")
    runs = [f"{project}/runs/{os.readlink(f'{project}/runs/latest')}" for project in ("one", "two/deep")]
    same(read_bytes(f"{runs[0]}/model.safetensors"), read_bytes(f"{runs[1]}/model.safetensors"))
    here = os.path.realpath("one")
    os.chdir("one/work")
    before = vaectl("eval", f"../../{runs[0]}", "--samples", 0)
    same(before[1], f"vaectl: set:size=1 is not here: using {here}/set:size=1\n")
    os.chdir("../..")
    same(vaectl("train", "--resume", runs[0], "--epochs", 2, "-q")[1], before[1])
    os.rename("one/set", "one/moved")
    message = ("set: No such file or directory (expected a folder with the MNIST files or PNG files, an IDX, .npy or .csv "
               "file, or builtin:NAME of digits, gaussians, templates, patches)")
    refuse(3, f"{message} (the model's training data; --data names others)", "eval", runs[0])
    refuse(3, message, "train", "--resume", runs[0], "--epochs", 3)
    write_idx("set", (20, 2, 2), range(80))
    _, errors = vaectl("eval", runs[0], "--samples", 0, status=3)  # another one, that is nearer
    assert errors.startswith("vaectl: set:size=1: not the images that the model was trained on so far"), errors


@test("without --data: data/mnist if all images are there, else builtin:digits, and why")
def _():
    said = "data/mnist (scripts/fetch-mnist.sh fetches it): using builtin:digits\n"
    flags = ["--hidden", 1, "--latent", 1, "--epochs", 1, "-q", "--batch", 10000]
    same(vaectl("train", *flags)[1], f"vaectl: no {said}")
    os.makedirs("data/mnist")
    same(vaectl("train", *flags, "-o", "a")[1], f"vaectl: not all of MNIST in {said}")
    write_mnist("data/mnist", 2, 2, [[1, 2, 3, 4]] * 4, [[5, 6, 7, 8]] * 2)
    same(vaectl("train", *flags, "-o", "b")[1], "vaectl: no --data given: using data/mnist\n")
    put("data/mnist/train-images-idx3-ubyte", b"\0\0\10\3")
    refuse(3, "data/mnist/train-images-idx3-ubyte: file ends too early (the download or copy was cut off)", "train",
           *flags, "-o", "c")


@test("a single picture is described, decoded and encoded, and not trained on")
def _():
    put("one.png", grey_png(7))
    refused = ("one.png: a single image to train on (expected at least 2: a folder of PNG files or of MNIST's files, "
               "or one file, IDX, .npy or .csv, of many images)")
    refuse(3, refused, "train", "--data", "one.png", *TRAIN, "-o", "run")
    same(os.path.exists("run"), False)
    vaectl("train", "--data", "builtin:digits:train=2,test=1", *TRAIN, "-o", "run")
    put("digit.png", grey_png(7, 28, 28))
    refuse(3, refused.replace("one", "digit", 1), "fit", "run", "--prior", "mixture", "--data", "digit.png", "-o", "fit")
    same(vaectl_json("eval", "run", "--data", "digit.png")["n"], 1)
    vaectl("encode", "run", "--data", "digit.png", "-o", "digit.npy")
    same(vaectl_json("data", "digit.png")["train"]["n"], 1)


# ---- Files of other programs ----------------------------------------------------------------------------------------

@test("Pillow, NumPy and Matplotlib write files that read as they read them")
def _():
    try:
        import numpy
        from PIL import Image
    except ImportError:
        raise Skip("no NumPy and Pillow")
    dice = numpy.random.default_rng(1)
    wanted = []
    os.mkdir("p")
    for i, mode in enumerate(("1", "L", "P", "RGB", "I;16")):
        kind = {"1": bool, "I;16": numpy.uint16}.get(mode, numpy.uint8)
        shape = (6, 7, 3) if mode in ("RGB", "P") else (6, 7)
        values = dice.integers(0, 2 if mode == "1" else 65536 if mode == "I;16" else 256, shape).astype(kind)
        image = Image.fromarray(values).convert("P") if mode == "P" else Image.fromarray(values)
        image.save(f"p/{i}.png")
        grey_values = ((values.astype(int) * 255 + 32767) // 65535) if mode == "I;16" else numpy.asarray(
            Image.open(f"p/{i}.png").convert("RGB").convert("L"))
        wanted += [int(v) for v in grey_values.ravel()]
    same(bytes_of("p"), ((5, 6, 7), wanted))
    reals = dice.normal(size=(5, 3))
    numpy.savetxt("t.csv", reals, delimiter=",", header="a,b,c")
    same(reals_of("t.csv"), ((5, 3), [float(v) for v in reals.astype("f4").ravel()]))
    try:
        os.environ["MPLBACKEND"] = "agg"
        from matplotlib import pyplot
    except ImportError:
        return
    os.mkdir("m")
    pyplot.imsave("m/a.png", dice.random((6, 7)), cmap="viridis")
    same(bytes_of("m")[1], [int(v) for v in numpy.asarray(Image.open("m/a.png").convert("RGB").convert("L")).ravel()])


sys.exit(run())
