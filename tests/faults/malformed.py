# SPDX-License-Identifier: MIT
"""Malformed files of every format that the program reads, made here, through the commands that read them. Each must be
refused with its status in one line, within a second of processor time and with little memory, and make no file. The long
form tries every command on each file, the short form one of them in turn."""
import gzip
import itertools
import json
import os
import shutil
import struct
import sys
import zlib

from shared.faults import LONG, attack, run
from shared.model_file import load, save
from shared.program import command_line, read_bytes, vaectl, write_idx, write_mnist

MOST_CPU, MOST_MEMORY = 1.0, 64 << 20  # seconds; bytes beyond what `vaectl --version` takes
SMALL = ["--hidden", 3, "--latent", 2, "--epochs", 1, "--batch", 8, "--threads", 1, "-q"]


def measure(words):
    """Exit status, stdout, stderr, seconds of processor time and most memory of `vaectl WORDS`."""
    with open("../out", "wb+") as out, open("../errors", "wb+") as errors:
        process = os.posix_spawnp(command_line(words)[0], command_line(words), os.environ, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, errors.fileno(), 2)])
        status, used = os.wait4(process, 0)[1:]
        out.seek(0)
        errors.seek(0)
        return (os.waitstatus_to_exitcode(status), out.read(), errors.read(), used.ru_utime + used.ru_stime,
                used.ru_maxrss * 1024)


def files():
    """All names below the working folder, with what kind of thing and how large it is."""
    return sorted((os.path.join(top, name), info.st_mode, info.st_size) for top, folders, names in os.walk(".")
                  for name in folders + names for info in [os.lstat(os.path.join(top, name))])


def refuse(status, what, words):
    """The run must end with `status` (or one of them), say one line, and leave all files as they were."""
    before = files()
    got, out, errors, seconds, memory = measure(words)
    said = f"{what}: vaectl {' '.join(map(str, words))}: status {got}, said {errors!r}, wrote {out[:200]!r}"
    assert got in (status if isinstance(status, tuple) else (status,)), said
    assert errors.startswith(b"vaectl: ") and errors.count(b"\n") == 1 and errors.endswith(b"\n") and not out, said
    assert not any(c < 32 or c == 127 for c in errors[:-1]), said
    assert files() == before, f"{said}, and made {set(files()) - set(before)}"
    assert seconds < MOST_CPU, f"{said}, in {seconds:.2f} s"
    assert memory < MOST_MEMORY + baseline(), f"{said}, with {memory >> 20} MB"


def baseline(known=[]):
    if not known:
        known.append(measure(["--version"])[4])
    return known[0]


def through(status, cases, commands):
    """Each case, (what it is, a function that makes its files), through one command or all; how many of each. One that is
    not refused does not end it, but fails it."""
    runs, failed = 0, []
    turn = itertools.cycle(commands)
    cases = list(cases)
    for what, make in cases:
        os.mkdir("here")
        os.chdir("here")
        try:
            make()
            for words in commands if LONG else [next(turn)]:
                runs += 1
                try:
                    refuse(status, what, words)
                except AssertionError as why:
                    failed.append(str(why))
        finally:
            os.chdir("..")
            shutil.rmtree("here")
    assert not failed, "\n".join([f"{len(failed)} of {runs}:", *failed[:20]])
    return f"{len(cases)} files, refused by {runs} runs"


def put(path, content):
    def make():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    return make


def commands_on_data(source):
    """Those that read data, with models that were made before."""
    return [["data", source], ["data", source, "--json"], ["data", source, "--to", "idx", "-o", "out"],
            ["train", "--data", source, *SMALL, "-o", "out"], ["train", "--data", source, "--validation", 0.2, *SMALL],
            ["eval", "../run", "--data", source], ["encode", "../run", "--data", source, "-o", "out.npy"],
            ["reconstruct", "../run", "--data", source, "-o", "out.png"],
            ["interpolate", "../run", "--data", source, "-o", "out.png"],
            ["plot", "scatter", "../run", "--data", source, "-o", "out.svg"],
            ["fit", "../run", "--data", source, "--prior", "mixture:components=2", "-o", "out"],
            ["bench", "--data", source, *SMALL[:-1]],
            ["compare", "../run", "../run2", "--data", source, "-o", "out.svg"]]


def commands_on_model(path):
    return [["info", path], ["eval", path], ["sample", path, "-o", "out.png"], ["reconstruct", path, "-o", "out.png"],
            ["traverse", path, "-o", "out.png"], ["interpolate", path, "-o", "out.png"], ["encode", path, "-o", "out.npy"],
            ["plot", "latents", path, "-o", "out.svg"], ["plot", "prior", path, "-o", "out.svg"],
            ["decode", path, "../z.npy", "-o", "out.npy"], ["report", path, "-o", "out.html"],
            ["compare", path, "../run2", "-o", "out.svg"], ["fit", path, "--prior", "mixture:components=2", "-o", "out"],
            ["train", "--resume", path, "--epochs", 2, "-q"]]


MODEL = "model.safetensors"  # as a training that goes on wants it


def make_models():
    """Two models of 28 x 28 pictures, and latents for them."""
    data = ["--data", "builtin:digits:train=40,test=10"]
    vaectl("train", *data, *SMALL, "-o", "run")
    vaectl("train", *data, *SMALL, "--seed", 2, "-o", "run2")
    vaectl("encode", "run", "-o", "z.npy")


# ---- IDX and gzip ----------------------------------------------------------------------------------------------------

def idx(dims, body=None, kind=8, rank=None, order=">"):
    count = 1
    for dim in dims:
        count *= dim
    body = bytes(i % 251 for i in range(count)) if body is None else body
    return bytes([0, 0, kind, len(dims) if rank is None else rank]) + struct.pack(f"{order}{len(dims)}I", *dims) + body


GOOD = idx((3, 28, 28))


def bad_idx():
    """(what, content) of files that are no IDX file of images, plain."""
    for size in range(16):
        yield f"cut to {size} bytes", GOOD[:size]
    yield "header alone", GOOD[:16]
    for size in (1, 784, 1568):
        yield f"short by {size}", GOOD[:-size]
    for size in (1, 784):
        yield f"long by {size}", GOOD + bytes(size)
    yield "first byte 1", b"\1" + GOOD[1:]
    yield "second byte 1", b"\0\1" + GOOD[2:]
    for kind in (0, 7, 9, 0x0b, 0x0c, 0x0d, 0x0e, 0xff):
        yield f"type {kind:#x}", idx((3, 28, 28), kind=kind)
    for rank in (0, 1, 2, 4, 255):
        yield f"rank {rank}", idx((3, 28, 28), rank=rank)
    yield "labels", idx((3,))
    yield "a matrix", idx((3, 28))
    yield "little-endian", idx((3, 28, 28), order="<")
    for axis in range(3):
        dims = [3, 28, 28]
        dims[axis] = 0
        yield f"dimension {axis} is 0", idx(dims, b"")
        for value in (2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 65537):
            dims[axis] = value
            yield f"dimension {axis} is {value}", idx(dims, bytes(1024))
    for dims in ((65536, 256, 256), (2 ** 31, 2, 1), (2 ** 31, 65536, 65536), (2 ** 32 - 1,) * 3, (2 ** 30, 2, 2),
                 (1, 65536, 65536), (2 ** 16, 2 ** 16, 2 ** 16), (1, 2 ** 32 - 1, 1)):
        yield f"product of {dims}", idx(dims, bytes(1024))
    for name, content in (("HTML", b"<!DOCTYPE html><html>404</html>"), ("XML", b"<?xml version='1.0'?><Error/>"),
                          ("a zip file", b"PK\3\4" + bytes(100)), ("bzip2", b"BZh9" + bytes(100)),
                          ("xz", b"\xfd7zXZ\0" + bytes(100)), ("zstd", b"\x28\xb5\x2f\xfd" + bytes(100)),
                          ("JPEG", b"\xff\xd8\xff\xe0" + bytes(100)), ("zeros", bytes(10000)), ("ones", b"\xff" * 10000),
                          ("a pickle", b"\x80\4\x95" + bytes(100)), ("HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
                          ("Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")):
        yield name, content


def member(content, flags=0, extra=b""):
    """A gzip member whose header has these flags and fields."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return (b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\3" + extra + packer.compress(content) + packer.flush() +
            struct.pack("<II", zlib.crc32(content), len(content) % 2 ** 32))


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 16]) + content[at + 1:]


def bad_gzip():
    whole = member(GOOD)
    for size in (2, 3, 9, 10, 11, len(whole) // 2):
        yield f"gzip cut to {size} bytes", whole[:size]
    for cut in range(1, 9):
        yield f"gzip without its last {cut}", whole[:-cut]
    for at in (-1, -4, -5, -8, 12, len(whole) // 2):
        yield f"gzip with a flipped bit at {at}", flipped(whole, at % len(whole))
    yield "gzip of gzip", gzip.compress(whole)
    yield "gzip of nothing", gzip.compress(b"")
    yield "gzip by another method", b"\x1f\x8b\x07" + whole[3:]
    yield "a second member that is cut", member(GOOD[:1000]) + member(GOOD[1000:])[:-6]
    yield "a member more", whole + whole
    for flag, extra in ((4, b"\xff\xff"), (8, b"no end"), (16, b"no end"), (2, b"\0")):
        yield f"a header field {flag} without its end", b"\x1f\x8b\x08" + bytes([flag]) + bytes(4) + b"\0\3" + extra
    yield "a header more than its data", member(idx((60000, 28, 28), bytes(1 << 20)))
    yield "2^31 images in a kilobyte", member(idx((2 ** 31 - 1, 1, 1), bytes(1024)))
    yield "a hundred million zeros behind three images", gzip.compress(GOOD + bytes(100_000_000), 1)
    yield "a hundred million zeros", gzip.compress(bytes(100_000_000), 1)
    yield "42 members in one", member(GOOD) * 42


@attack("IDX files and gzip")
def _():
    make_models()
    cases = [(what, put("t", content)) for what, content in itertools.chain(bad_idx(), bad_gzip())]
    cases += [(f"{what}, compressed", put("t", gzip.compress(content))) for what, content in bad_idx() if len(content) < 9999]
    return through(3, cases, commands_on_data("t"))


@attack("gzip headers that are right")
def _():
    crc = struct.pack("<H", zlib.crc32(b"\x1f\x8b\x08\2" + bytes(4) + b"\0\3") & 0xffff)
    for flags, extra in ((1, b""), (2, crc), (4, b"\2\0ab"), (8, b"name\0"), (16, b"comment\0")):
        put("t", member(GOOD, flags, extra))()
        vaectl("data", "t")
    put("t", b"".join(member(GOOD[i:i + 100]) for i in range(0, len(GOOD), 100)))()
    vaectl("data", "t")
    return "6 files, read"


# ---- Folders ---------------------------------------------------------------------------------------------------------

def folder(change):
    """A good folder of MNIST files in m, changed by a function of the path of a name in it."""
    def make():
        write_mnist("m", 28, 28, [[1] * 784] * 20, [[2] * 784] * 10, ([1] * 20, [2] * 10))
        change(lambda name: f"m/{name}")
    return make


IMAGES, LABELS, TEST, TEST_LABELS = (f"{split}-{kind}-ubyte" for split in ("train", "t10k")
                                     for kind in ("images-idx3", "labels-idx1"))


def bad_folders():
    for name, contents in ((LABELS, (b"", idx((19,)), idx((21,)), idx((20,))[:-1], idx((20,)) + b"1", idx((20, 1, 1)),
                                     idx((0,), b""), idx((2 ** 32 - 1,), bytes(20)), b"<html>", gzip.compress(idx((19,))),
                                     gzip.compress(idx((20,)))[:-3])),
                           (TEST_LABELS, (idx((9,)), idx((11,)), idx((10, 1, 1)), b"\0\0\10")),
                           (IMAGES, (b"", idx((20,)), idx((20, 28, 27)), idx((20, 28, 28))[:-1], b"<html>")),
                           (TEST, (b"", idx((10,)), idx((10, 27, 28)), idx((10, 28, 28))[:-1], idx((0, 28, 28), b"")))):
        for i, content in enumerate(contents):
            yield f"{name} {i}", folder(lambda at, name=name, content=content: put(at(name), content)())
    for name in (IMAGES, TEST):
        yield f"no {name}", folder(lambda at, name=name: os.remove(at(name)))
        yield f"{name} is a folder", folder(lambda at, name=name: (os.remove(at(name)), os.mkdir(at(name))))
        yield f"{name} is a pipe", folder(lambda at, name=name: (os.remove(at(name)), os.mkfifo(at(name))))
        yield f"{name} is a link to nowhere", folder(lambda at, name=name: (os.remove(at(name)), os.symlink("x", at(name))))
        yield f"{name} is endless", folder(lambda at, name=name: (os.remove(at(name)), os.symlink("/dev/zero", at(name))))
    yield "labels are a pipe", folder(lambda at: (os.remove(at(LABELS)), os.mkfifo(at(LABELS))))
    yield "an empty folder", lambda: os.mkdir("m")
    yield "a folder of text", put("m/notes.txt", b"text")
    yield "a file of text", put("m", b"text")
    for label, test in ((0, 1), (1, 0)):
        def letters(label=label, test=test):
            for split, n, of in (("train", 20, label), ("test", 10, test)):
                put(f"m/emnist-letters-{split}-images-idx3-ubyte", idx((n, 28, 28)))()
                put(f"m/emnist-letters-{split}-labels-idx1-ubyte", idx((n,), bytes([of] * n)))()
        yield f"letters that are labelled {label} and {test}", letters
    for i, content in enumerate((b"", bytes(3072), bytes(3074), b"\x0a" + bytes(3072), gzip.compress(bytes(3073)))):
        def cifar(content=content):
            for k in range(1, 6):
                put(f"m/data_batch_{k}.bin", bytes(3073))()
            put("m/test_batch.bin", content)()
        yield f"CIFAR-10 {i}", cifar
    for i, content in enumerate((b"", b"\x89PNG", b"\x89PNG\r\n\x1a\n" + bytes(50), b"GIF89a" + bytes(50))):
        yield f"PNG {i}", put("m/a/1.png", content)


@attack("folders of data")
def _():
    make_models()
    return through(3, bad_folders(), commands_on_data("m"))


# ---- .npy and .csv ---------------------------------------------------------------------------------------------------

def npy(header, body=bytes(2 * 784 * 4), version=b"\1\0", length=None):
    text = header.encode() if isinstance(header, str) else header
    size = len(text) if length is None else length
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", size) + text + body


def shaped(shape, kind="<f4", order="False"):
    return f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n"


def bad_npy():
    good = npy(shaped((2, 784)))
    for size in (0, 1, 4, 6, 7, 8, 9, 10, 11, 40, len(good) - 6272, len(good) - 1):
        yield f"cut to {size} bytes", good[:size]
    yield "long by 1", good + b"1"
    for version in (b"\0\0", b"\4\0", b"\1\1", b"\xff\xff"):
        yield f"version {version}", npy(shaped((2, 784)), version=version)
    for length in (0, 1, 10001, 65535):
        yield f"header of {length}", npy(shaped((2, 784)), length=length)
    yield "header of 2^32 - 1", npy(shaped((2, 784)), length=2 ** 32 - 1, version=b"\2\0")
    for kind in (">f4", "<f2", "<c8", "|O", "|S4", "|b1", "<i4", "<i8", "<U1", "|V4", "f4", "", "<f4<f4" * 20):
        yield f"elements of type {kind}", npy(shaped((2, 784), kind))
    yield "Fortran's order", npy(shaped((2, 784), order="True"))
    for shape in ("()", "(2,)", "(0, 784)", "(2, 0)", "(2, 784, 1, 3)", "(1, 1, 1, 1, 1)", "(-2, 784)", "(2.0, 784)", "(2, 784L)",
                  "(18446744073709551615, 2)", "(9223372036854775808, 2)", "(4294967296, 4294967296)", "(2, 65537)",
                  "(100000000000000000000000000000, 1)", "(2, 784", "2, 784", "[2, 784]", "(2 784)", "(,)", "(2,,784)", "(02, 784)",
                  "(1e3, 784)", "None", "(2, 65536, 65536)", "(16777217, 1)"):
        yield f"shape {shape}", npy(shaped(shape))
    for header in ("", "\n", "{}\n", "{'descr': '<f4'}\n", shaped((2, 784))[:-1], shaped((2, 784)) + "\n", shaped((2, 784)).replace("'", ""),
                   shaped((2, 784)).replace("descr", "dtype"), shaped((2, 784)).replace("False", "0"),
                   shaped((2, 784)).replace(", }", ", 'descr': '<f4', }"), shaped((2, 784)).replace(", }", ", 'more': 1}"),
                   "__import__('os').system('touch made')\n", shaped((2, 784)).replace("<f4", "<f4\\x00"),
                   "{" * 5000 + "\n", shaped((2, 784)).replace("'descr'", "'descr\0'")):
        yield f"header {header[:40]!r}", npy(header)
    for value in (float("nan"), float("inf"), float("-inf")):
        yield f"a value {value}", npy(shaped((2, 784)), struct.pack("<f", value) + bytes(2 * 784 * 4 - 4))
    yield "a double too large", npy(shaped((2, 784), "<f8"), struct.pack("<d", 1e300) + bytes(2 * 784 * 8 - 8))
    yield "a gigabyte that is not there", npy(shaped((350000, 784)), bytes(100))


@attack(".npy files of data")
def _():
    make_models()
    return through(3, ((what, put("t", content)) for what, content in bad_npy()), commands_on_data("t"))


@attack(".npy files of latents")
def _():
    make_models()
    good = bytes(2 * 2 * 4)
    cases = [(what, content) for what, content in bad_npy() if "784" not in what or "type" in what]
    cases += [("three columns", npy(shaped((2, 3)), bytes(24))), ("a value nan", npy(shaped((2, 2)), good[4:] + b"\0\0\xc0\x7f"))]
    return through(3, ((what, put("t.npy", content)) for what, content in cases), [["decode", "../run", "t.npy", "-o", "out.npy"]])


CSV = {
    "a header and no rows": b"x,y\n", "a row that is short": b"1,2\n3\n", "a row that is long": b"1,2\n3,4,5\n",
    "an empty line": b"1,2\n\n3,4\n", "a word": b"1,2\n3,x\n", "a hexadecimal number": b"1,2\n3,0x10\n", "semicolons": b"1;2\n3;4\n",
    "an empty field": b"1,2\n3,\n", "nan": b"1,2\nnan,4\n", "infinity": b"1,2\n3,inf\n", "too large": b"1,2\n3,1e39\n",
    "an open quote": b'1,2\n3,"4\n', "text behind a quote": b'1,2\n3,"4"5\n', "a zero byte": b"1,2\n3,4\0\n",
    "a field of 100000": b"1,2\n3," + b"4" * 100000 + b"\n", "an escape": b"1,2\n3,\x1b[31m\n", "two labels": b"label,label,x\n0,0,1\n",
    "labels alone": b"label\n0\n1\n", "label 256": b"label,x\n256,1\n", "label -1": b"label,x\n-1,1\n", "label 1.5": b"label,x\n1.5,1\n",
    "pixel -1": b"pixel0,pixel1\n1,-1\n", "pixel 0.5": b"pixel0,pixel1\n1,0.5\n", "65538 columns": b"1," * 65537 + b"1\n",
    "a nameless column": b",x\n0,1\n", "UTF-16": "1,2\n3,4\n".encode("utf-16"), "Latin-1": b"1,2\n3,\xe9\n", "commas": b"," * 60000,
    "carriage returns": b"1,2\r3,4\r", "quotes": b'"' * 5000, "five hundred thousand words": b"a\n" * 500000,
    "JSON": b'[[1,2],[3,4]]\n', "spaces between": b"1 2\n3 4\n",
}


@attack(".csv files")
def _():
    make_models()
    cases = [(what, put("t", content)) for what, content in CSV.items()]
    return through(3, cases + [(f"{what}, compressed", put("t", gzip.compress(content))) for what, content in CSV.items()],
                   commands_on_data("t"))


# ---- Model files -----------------------------------------------------------------------------------------------------

def with_length(content, length):
    return struct.pack("<Q", length % 2 ** 64) + content[8:]


def bad_models(good):
    """(what, content) of files that are no model files, by their bytes."""
    size = struct.unpack("<Q", good[:8])[0]
    header, data = json.loads(good[8:8 + size]), good[8 + size:]

    def packed(text, tail=data):
        text = text if isinstance(text, bytes) else json.dumps(text).encode()
        return struct.pack("<Q", len(text)) + text + tail

    for cut in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 8 + size // 2, 8 + size, 9 + size, len(good) - 1):
        yield f"cut to {cut} bytes", good[:cut]
    for length in (0, 1, 2, size - 1, size + 1, len(good) - 8, len(good), 2 ** 31, 2 ** 32, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1, 4 << 20,
                   (4 << 20) + 1, 100_000_000, 100_000_001):
        yield f"header of {length}", with_length(good, length)
    yield "length of the other byte order", good[:8][::-1] + good[8:]
    yield "a byte more", good + b"\0"
    yield "a thousand more", good + bytes(1000)
    for start in (b"[", b"\"", b" {", b"\0", b"\xef\xbb\xbf{"):
        yield f"header that begins with {start}", packed(start + good[9:8 + size])
    for what, text in (("not UTF-8", b'{"\xff":1}'), ("a zero in a key", b'{"a\0b":1}'), ("an escaped zero in a key", b'{"a\\u0000b":1}'),
                       ("a lone surrogate", b'{"\\ud800":1}'), ("a key twice", b'{"a":1,"a":1}'), ("nothing", b"{}"), ("null", b"null"),
                       ("nested 100000 deep", b'{"a":' * 100000 + b"1" + b"}" * 100000),
                       ("lists nested 100000 deep", b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}"),
                       ("a number of 100000 digits", b'{"a":' + b"9" * 100000 + b"}"), ("a huge exponent", b'{"a":1e999999999}'),
                       ("a number that begins with 0", b'{"a":00}'), ("a comma too many", b'{"a":1,}'), ("text behind it", b"{}x"),
                       ("100000 keys", json.dumps({f"k{i}": i for i in range(100000)}).encode())):
        yield f"header with {what}", packed(text.ljust(16))
    for name in header["__metadata__"]:
        for value in (None, 1, "", "x", [], {}, "\x1b[31m", "9" * 400):
            if name != "format" or not isinstance(value, str):
                yield f"{name} is {str(value)[:20]!r}", packed({**header, "__metadata__": {**header["__metadata__"], name: value}})
        yield f"no {name}", packed({**header, "__metadata__": {k: v for k, v in header["__metadata__"].items() if k != name}})
    for value in (None, [], "text", 1, {}):
        yield f"metadata is {value!r}", packed({**header, "__metadata__": value})
    for name, entry in (("mu.weight", header["mu.weight"]), ("adam.v.decoder.0.bias", header["adam.v.decoder.0.bias"])):
        begin, end = entry["data_offsets"]
        for key, values in (("dtype", ("F64", "BF16", "Q4_0", "", None, 1)),
                            ("shape", ([], [0], [2 ** 63, 2], [2 ** 32, 2 ** 32], [-1], [1] * 1000, entry["shape"][::-1] + [1], "x", None, [1.5])),
                            ("data_offsets", ([end, begin], [-1, end], [begin, 2 ** 63], [begin + 4, end + 4], [begin], [], None,
                                              [begin, end, end], ["0", "4"], [begin + .5, end]))):
            for value in values:
                yield f"{name}: {key} {str(value)[:20]}", packed({**header, name: {**entry, key: value}})
        yield f"no {name}", packed({k: v for k, v in header.items() if k != name})
        yield f"{name} renamed", packed({(k + "x" if k == name else k): v for k, v in header.items()})
    yield "a tensor more", packed({**header, "more": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})
    for what, content in (("PyTorch's zip", b"PK\3\4" + bytes(200)), ("a pickle", b"\x80\2" + bytes(200)), ("GGUF", b"GGUF\3" + bytes(200)),
                          ("NumPy", b"\x93NUMPY" + bytes(200)), ("HTML", b"<html>" + bytes(200)), ("zeros", bytes(20000)),
                          ("gzip", gzip.compress(good)), ("text", b"weights\n" * 100), ("JSON", json.dumps(header).encode())):
        yield what, content


def changed_contents(path):
    """(what, a function that writes it) of model files whose checksum is right, and whose contents are not."""
    tensors, metadata = load(path)
    settings, state = json.loads(metadata["vaectl.config"]), json.loads(metadata["vaectl.state"])

    def saved(what, tensors=tensors, **texts):
        return what, lambda: save(MODEL, tensors, {**metadata, **{f"vaectl.{k}": v for k, v in texts.items()}})

    for text in ("", "{", "[]", "null", "1", '{"latent":2,"latent":2}', "{}x", "\x00"):
        yield saved(f"configuration {text!r}", config=text)
        yield saved(f"state {text!r}", state=text)
    for name, values in (("latent", (0, -1, 65537, 2 ** 31, 2 ** 63 - 1, 1.5, "x", None, True, [], 3, 65536)),
                         ("hidden", ("", "0", "1,,2", "2147483648", "3,3,3,3,3,3,3,3,3", "4", "65536,65536", 3.5, None, "\x1b")),
                         ("prior", ("", "horseshoe", "normal:p=1", "spikeslab:p=2", "./x.so", "mixture", "\x1b[31m", 1, None)),
                         ("posterior", ("cauchy", "iaf", "x", None)), ("likelihood", ("gaussian:sigma=0", "gaussian:sigma=learned", "x")),
                         ("activation", ("", "swish", 1)), ("epochs", (0, -1, 2 ** 63 - 1, "x")), ("lr", ("nan", -1, 1e300, "0x1p3")),
                         ("batch", (0, 10 ** 7)), ("seed", (-1, 2 ** 53)), ("data", (None, "x\ny", "x" * 2000)), ("kl", ("x", "")),
                         ("unheard-of", (1,)), ("conditional", (257, 3)), ("schedule", ("step",)), ("patience", (3,))):
        for value in values:
            yield saved(f"{name} {str(value)[:20]!r}", config=json.dumps({**settings, name: value}))
    for name, values in (("rows", (0, -1, 2 ** 62, 27, 29, "28", None, 65537)), ("cols", (0, 2 ** 62, 27)), ("epoch", (99, )),
                         ("sum_loss", (None, "x")), ("best_epoch", (99,))):
        for value in values:
            yield saved(f"{name} {value!r}", state=json.dumps({**state, name: value}))
    for value in ("0", "3", "-1", "", "one", "99999999999999999999"):
        yield saved(f"format {value!r}", format=value)
    for name in ("mu.weight", "decoder.0.bias", "adam.m.logvar.bias", "adam.v.mu.bias"):
        shape, values = tensors[name]
        for value in (float("nan"), float("inf"), float("-inf")):
            yield saved(f"{value} in {name}", {**tensors, name: (shape, (value, *values[1:]))})
        yield saved(f"{name} cut", {**tensors, name: (shape, values[1:])})
        yield saved(f"no {name}", {k: v for k, v in tensors.items() if k != name})
    yield saved("tensors in another order", dict(reversed(list(tensors.items()))))
    yield saved("a tensor more", {**tensors, "more": ([1], (0.0,))})


@attack("model files")
def _():
    make_models()
    good = read_bytes(f"run/{MODEL}")
    cases = [(what, put(MODEL, content)) for what, content in bad_models(good)]
    return through(5, cases, commands_on_model(MODEL))


@attack("model files with a right checksum")
def _():
    make_models()
    return through(5, changed_contents(f"run/{MODEL}"), commands_on_model(MODEL))


# ---- What stands in the place of a file ------------------------------------------------------------------------------

def objects():
    """(what, a name, a function that makes it) of names that are no files to read."""
    yield "nothing", "none", lambda: None
    yield "a pipe", "pipe", lambda: os.mkfifo("pipe")
    yield "an endless device", "/dev/zero", lambda: None
    yield "an empty device", "/dev/null", lambda: None
    yield "a terminal", "/dev/tty", lambda: None
    yield "a link to itself", "loop", lambda: os.symlink("loop", "loop")
    yield "a link to nowhere", "link", lambda: os.symlink("nowhere", "link")
    yield "a file as a folder", "file/x", put("file", b"x")
    yield "a long name", "x" * 300, lambda: None
    yield "a long path", "x/" * 400 + "x", lambda: None
    yield "a name with an escape", "a\x1b[31mb", put("a\x1b[31mb", b"\1\2\3\4\5")
    yield "a name with a line end", "a\nb", put("a\nb", b"\1\2\3\4\5")
    yield "a memory of a process", "/proc/self/mem", lambda: None


@attack("pipes, devices, links and names")
def _():
    make_models()
    results = []
    for what, name, make in objects():
        # A name that no model file can hold is wrong use, and so is going on with what is not called as models are.
        for status, commands in (((2, 3), commands_on_data(name)), ((2, 5), commands_on_model(name))):
            results.append(through(status, [(what, make)], commands))
    return f"{len(results)} of them, refused"


sys.exit(run())
