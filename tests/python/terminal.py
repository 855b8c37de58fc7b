# SPDX-License-Identifier: MIT
"""What vaectl says while it works: lines on stderr, and how they change on a terminal."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

from shared.model_file import load, save
from shared.program import command_line, on_terminal, read_rows, vaectl, vaectl_json, wait_until, write_idx, write_npy
from shared.tap import Skip, alike, run, same, test

SMALL = ["train", "--data", "builtin:digits:train=30,test=20", "--hidden", 6, "--latent", 3, "--batch", 10, "--threads",
         1]
DATA = "builtin:digits:train=30,test=20: 30 + 20 images of 28 x 28"
CLEAR = "\r\033[J"
HEADER = ("         train                        test\n"
          "epoch     loss    recon       kl  neg_elbo    recon       kl  active    time\n")
PARTS = (r"(?: \[(#*)(\.*)\])?", r"  ([ \d]{3}) %", r"(?:  loss (\d+\.\d\d))?", r"(?:  (\d+(?:\.\d)?) images/s)?",
         r"  (\d+ s|\d+ min \d\d s|\d+ h \d\d min|\d+ d \d\d h) left")
BEGIN, END = r"\r\x1b\[\?7l", r"\x1b\[J\x1b\[\?7h\r"
BAR = re.compile(BEGIN + r"epoch (\d+)/(\d+)" + "".join(PARTS) + END)
LINE = re.compile(BEGIN + r"([^\r\n\x1b]+)" + END)


def first_lines(run, data, network="784-6-3-6-784, relu", prior="normal", training="2 epochs of 3 steps", lr="0.001",
                settings=""):
    """What is said before the first epoch."""
    return (f"run         {run}\ndata        {data}\nnetwork     {network}\nprior       {prior}\n"
            "likelihood  bernoulli (of grey pixels: a pseudo-likelihood)\n"
            f"training    {training}, batch 10, lr {lr}, seed 1\n"
            + (f"settings    {settings}\n" if settings else "") + "\n")


def next_steps(run="", columns=80):
    """What is said last on a terminal: commands, with their summaries where that has room."""
    summaries = dict(re.findall(r"^  (\w+) +(\S.*)$", vaectl("--help")[0], re.M))
    lines = [(f"  vaectl {name:11} {run}", f"  # {summaries[name]}")
             for name in ("reconstruct", "sample", "traverse", "eval")]
    return "\nnext\n" + "".join(line + (more if len(line + more) <= columns else "") + "\n" for line, more in lines)


def loss(text, width=7):
    return f"{float(text):{width}.2f}"


def epoch_line(row, epochs, latents):
    """The row of the table of epochs that a row of metrics.csv gives."""
    return "  ".join([f"{row['epoch'] + '/' + str(epochs):>5}", loss(row["train_loss"]), loss(row["train_recon"]),
                      loss(row["train_kl"]), loss(row["test_neg_elbo"], 8), loss(row["test_recon"]),
                      loss(row["test_kl"]), f"{row['active_units'] + '/' + str(latents):>6}",
                      f"{float(row['seconds']):4.1f} s"]) + "\n"


@test("train says what it trains on, what is not as by default, and the losses of each epoch in a table")
def _():
    errors = vaectl(*SMALL, "--epochs", 2, "-o", "run")[1]
    alike(errors, first_lines("run", DATA) +
          HEADER + "".join(epoch_line(row, 2, 3) for row in read_rows("run")))
    flags = ["--prior", "spikeslab", "--beta", 4, "--hidden", "6,5", "--kl", "mc", "--lr", 0.01, "--activation", "tanh",
             "--adam-eps", "1e-7", "--epochs", 1, "--binarize", "threshold", "--objective", "iwae", "--samples", 3]
    errors = vaectl(*SMALL, *flags, "-o", "run2")[1]
    lines = first_lines("run2", DATA,
                        "784-6-5-3-5-6-784, tanh", "spikeslab:p=0.8,c2=0.05", "1 epoch of 3 steps", "0.01",
                        "binarize threshold, kl mc, objective iwae, samples 3, beta 4,\n            adam-eps 1e-07")
    same(errors.partition(HEADER)[0], lines.replace(" (of grey pixels: a pseudo-likelihood)", ""))
    errors = vaectl("train", "--resume", "run", "--epochs", 4, "--threads", 1)[1]
    assert "\ntraining    4 epochs of 3 steps, after step 6, batch 10, lr 0.001, seed 1\n" in errors, errors
    alike(errors.partition(HEADER)[2], "".join(epoch_line(row, 4, 3) for row in read_rows("run")[2:]))


@test("losses of a million and more have three digits, and there is a space before each number")
def _():
    write_npy("far.npy", (4, 1), [20, -21, 22, -23])
    errors = vaectl("train", "--data", "far.npy", "--holdout", 0, "--likelihood", "gaussian:sigma=0.001", "--latent", 1,
                    "--hidden", 1, "--lr", 1e-9, "--epochs", 1, "-o", "run")[1]
    row = read_rows("run")[0]
    cells = errors.partition("time\n")[2].split()
    names = ("train_loss", "train_recon", "train_kl", "test_neg_elbo", "test_recon", "test_kl")
    same(cells[1:7], [f"{float(row[name]):.{'2f' if name.endswith('kl') else '3g'}}" for name in names])
    assert all(float(row[name]) > 1e8 for name in names if not name.endswith("kl")), row


@test("control characters in the name of a run do not reach stderr")
def _():
    for flags in ([], ["--force"], ["--force", "--epochs", 2]):
        errors = vaectl(*SMALL, "--epochs", 1, "-o", "a\033[31m\u0085b", *flags)[1]
        assert errors.startswith("run         a?[31m??b\n") and not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", errors), errors
    errors = vaectl("train", "--resume", "a\033[31m\u0085b")[1]
    same(errors, "vaectl: a?[31m??b: all 2 epochs are done (--epochs may be raised)\n")


@test("control characters in names do not reach stdout")
def _():
    name = "a\033[31m\u0085b"
    vaectl(*SMALL, "--epochs", 1, "-o", name)
    write_npy(f"{name}/rows.npy", (4, 28, 28), [0.25] * 4 * 784)
    for words in (["info", name], ["eval", name, "--data", f"{name}/rows.npy", "--split", "train"], ["sample", name],
                  ["encode", name], ["data", f"{name}/rows.npy"], ["compare", name, name, "-o", f"{name}/c.svg"],
                  ["plot", "curves", name], ["report", name], ["check", name]):
        out = vaectl(*words)[0]
        assert "a?[31m??b" in out and not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", out), (words, out)


@test("control characters in what a model file says of its build do not reach stdout")
def _():
    vaectl(*SMALL, "--epochs", 1, "-o", "run")
    tensors, metadata = load("run/model.safetensors")
    save("run/model.safetensors", tensors, {**metadata, "vaectl.build": "vaectl\033[31m\u0085 9.9"})
    assert "\nbuilt by     vaectl?[31m?? 9.9\n" in vaectl("info", "run")[0], vaectl("info", "run")
    same(vaectl_json("info", "run")["build"], "vaectl?[31m?? 9.9")


@test("JSON has the bytes of a name that is not UTF-8, and a backslash in it twice")
def _():
    vaectl_json(*SMALL, "--epochs", 1, "-q", "-o", "\udcff\\\u00e4")
    same(vaectl_json("info", "\udcff\\\u00e4")["model"], "\\xff\\\\\\xc3\\xa4/model.safetensors")
    vaectl(*SMALL, "--epochs", 1, "-o", "\\\u00e4")
    same(vaectl_json("info", "\\\u00e4")["model"], "\\\u00e4/model.safetensors")


@test("the validation loss has a column where there is one, and its best so far is marked")
def _():
    errors = vaectl(*SMALL, "--epochs", 9, "--validation", 0.4, "--lr", 0.1, "-o", "run")[1]
    header, *lines = errors.partition("\n\n")[2].partition("time\n")[::2]
    same(header, "         train      test\nepoch     loss  neg_elbo    recon       kl  validation  active    ")
    least, expected = float("inf"), ""
    for row in read_rows("run"):
        validation = float(row["validation_loss"])
        cells = re.findall(r" *\S+(?: s)?", epoch_line(row, 9, 3))
        expected += "".join([*cells[:2], *cells[4:7], f"{validation:12.2f}", *cells[7:]])
        expected += "  best\n" if validation < least else "\n"
        least = min(least, validation)
    alike("".join(lines), expected)
    assert 0 < errors.count("best") < 9, errors
    assert "data        builtin:digits:train=30,test=20: 18 + 12 + 20 images of 28 x 28\n" in errors, errors


@test("--quiet says nothing, on a terminal neither; --json leaves stderr as it is")
def _():
    for flags in (["--quiet"], ["-q", "--json"]):
        same(vaectl(*SMALL, "--epochs", 1, "-o", "run", "--force", *flags)[1], "")
        same(on_terminal(*SMALL, "--epochs", 1, "-o", "run", "--force", *flags)[1], "")
    errors = vaectl(*SMALL, "--epochs", 1, "-o", "run", "--force")[1]
    alike(vaectl(*SMALL, "--epochs", 1, "-o", "run", "--force", "--json")[1][:-6], errors[:-6])


@test("on a terminal the line of an epoch replaces the progress, and the next steps are named")
def _():
    for flags in ([], ["--json"]):
        out, sent = on_terminal(*SMALL, "--epochs", 2, "-o", "run", "--force", *flags)
        first, second = (epoch_line(row, 2, 3) for row in read_rows("run"))
        alike(LINE.sub("", sent).partition("seed 1\n\n")[2],
              CLEAR + HEADER + first + CLEAR + second + CLEAR + next_steps())
        same(out.count("\n"), 1 if flags else 2)


@test("the next steps name a run that runs/latest does not point at, and fit a narrow terminal")
def _():
    os.makedirs("here")
    os.chdir("here")
    for words, run, columns in ((["../there"], "../there", 80), (["../a b"], "RUN", 80),
                                (["../there", "--force"], "../there", 60)):
        sent = on_terminal(*SMALL, "--epochs", 1, "-o", *words, columns=columns)[1]
        same(sent[sent.index("\nnext"):], next_steps(run, columns))
    same(os.listdir("."), [])


@test("a training that ends early says why, and clears the line of progress first")
def _():
    out, sent = on_terminal(*SMALL, "--lr", 1e6, "--epochs", 2, "-o", "run")
    assert LINE.sub("", sent).partition("seed 1\n\n")[2].startswith(f"{CLEAR}vaectl: training diverged: "), sent
    same((out, sent.count("diverged"), sent[-1]), ("", 1, "\n"))
    errors = vaectl(*SMALL, "--lr", 0.1, "--validation", 0.4, "--patience", 2, "--epochs", 400, "-q", "-o", "run2")[1]
    losses = [float(row["validation_loss"]) for row in read_rows("run2")]
    same(losses.index(min(losses)), len(losses) - 3)
    same(errors, f"vaectl: stopped after epoch {len(losses)}: validation loss was best after epoch {len(losses) - 2} "
         "(--patience 2)\n")


# ---- Progress -------------------------------------------------------------------------------------------------------

# Few steps, each so slow that most of them show: a step is a quarter of an epoch.
IMAGES, BATCH, EPOCHS = 40, 10, 900
SLOW = ["train", "--data", f"builtin:digits:train={IMAGES},test=1", "--hidden", 4, "--latent", 2, "--batch", BATCH,
        "--threads", 1, "--kl", "mc", "--kl-samples", 20000 if os.environ.get("VAECTL_RUNNER") else 400000, "-o", "run"]


def seconds_of(left):
    """Of "6 min 40 s", and what is counted in its last word."""
    units, most = {"s": 1, "min": 60, "h": 3600, "d": 86400}, {"s": 60, "min": 60, "h": 24, "d": 20000}
    words = left.split()
    assert all(int(n) < most[unit] for n, unit in zip(words[::2], words[1::2])), left
    return sum(int(n) * units[unit] for n, unit in zip(words[::2], words[1::2])), units[words[-1]]


def check_bar(found, earlier=0):
    """Width, share, rate and the time left of a line of progress agree. Returns bounds of the seconds so far, that is
    without the `earlier` images of an epoch that was resumed."""
    epoch, epochs, done, rest, percent, loss, rate, left = found
    same((len(done + rest), int(percent) % 25), (24, 0), found)
    same(len(done), 24 * int(percent) // 100, found)
    assert 0 < float(loss) < 2000 and ("." in rate) == (float(rate) < 10), found
    here = int(percent) * IMAGES // 100
    rounding = 0.051 if "." in rate else 0.51
    slowest, fastest = float(rate) - rounding, float(rate) + rounding
    images = (int(epochs) - int(epoch) + 1) * IMAGES - here
    seconds, unit = seconds_of(left)
    assert images / fastest - unit < seconds <= images / slowest, found
    return (here - earlier) / fastest, (here - earlier) / slowest


def is_within_a_later_epoch(sent):
    return any(int(found[0]) > 1 and int(found[4]) < 85 for found in BAR.findall(sent))


@test("progress on a terminal: a bar of 24, percent, rate and time left, at most ten times a second, in each epoch")
def _():
    out, sent = on_terminal(*SLOW, "--epochs", EPOCHS, until=is_within_a_later_epoch, columns=100)
    assert is_within_a_later_epoch(sent), sent
    ends = [float(text) for text in re.findall(r"\d/2 +(\d+\.\d) s", sent)]
    for epoch, end in enumerate([*ends, float("inf")], 1):
        of_epoch = [check_bar(found) for found in BAR.findall(sent) if int(found[0]) == epoch]
        same(of_epoch, sorted(of_epoch))
        for i, (low, high) in enumerate(of_epoch, 1):
            assert high >= 0.1 * i - 1e-3 and low <= end + 0.06, (epoch, i, low, high, end)
    assert sent.endswith(f"{CLEAR}vaectl: interrupted: state saved in run/model.safetensors\n"), sent
    same(out, "")


@test("progress of a resumed epoch counts what was done before, but not in its rate")
def _():
    on_terminal(*SLOW, "--epochs", EPOCHS, until=BAR.search, columns=100)
    state = vaectl_json("info", "run")
    earlier = BATCH * state["step"] - IMAGES * state["epoch"]
    sent = on_terminal("train", "--resume", "run", "--threads", 1, until=BAR.search, columns=100)[1]
    assert sent.endswith(f"{CLEAR}vaectl: interrupted: state saved in run/model.safetensors\n"), sent
    found = BAR.search(sent).groups()
    if int(found[0]) == state["epoch"] + 1:  # else the rest of that epoch was too short to be seen
        assert check_bar(found, earlier)[1] > 0.1 - 1e-3 and int(found[4]) * IMAGES > 100 * earlier, (earlier, found)


@test("the time left is told in seconds, minutes, hours or days")
def _():
    for epochs, units in ((1, "s|min"), (1000, "s|min|h"), (30000, "min|h|d"), (1000000, "h|d")):
        sent = on_terminal(*SLOW, "--force", "--epochs", epochs, until=BAR.search, columns=100)[1]
        found = BAR.search(sent).groups()
        check_bar(found)
        assert re.fullmatch(rf"\d+ ({units})( \d\d .*)?", found[7]), found


def screen(tmux):
    """The lines that tmux shows."""
    return tmux("capture-pane", "-p").rstrip("\n").split("\n")


@test("tmux: one line of progress, that stays one when the terminal becomes narrower and wider again")
def _():
    if not shutil.which("tmux"):
        raise Skip("no tmux")
    base = ["tmux", "-S", os.path.abspath("socket"), "-f", "/dev/null"]

    def tmux(*words):
        return subprocess.run([*base, *map(str, words)], capture_output=True, text=True, check=True,
                              env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout

    def is_one_line(columns):
        lines = [line for line in screen(tmux) if "epoch 1/" in line or " left" in line]
        return len(lines) == 1 and re.match(r"epoch 1/.* left$", lines[0]) and (len(lines[0]) > 60) == (columns > 80)

    many = ["--data", f"builtin:digits:train={1000 * IMAGES},test=1", "--epochs", 9]  # the first epoch does not end
    try:
        command = shlex.join(command_line([*SLOW, *many]))
        tmux("new-session", "-d", "-x", 100, "-y", 24, f"trap : INT; {command}; : >ended")
        for columns in (100, 60, 100, 45):
            tmux("resize-window", "-x", columns, "-y", 24)
            wait_until(lambda: is_one_line(columns), f"one line in {columns} columns: {screen(tmux)}")
        tmux("send-keys", "C-c")
        wait_until(lambda: os.path.exists("ended"), "the end of an interrupted training")
    finally:
        subprocess.run([*base, "kill-server"], capture_output=True)


@test("what is said fits terminals of 30 to 200 columns, also one that changes; the loss goes first, then the rate")
def _():
    # What is left out for sure, and what is there for sure, be the time left "9 s" or "100 min 40 s".
    for columns, has_loss, has_rate in ((38, False, False), (53, None, True), (80, True, True), (200, True, True)):
        sent = on_terminal(*SLOW, "--force", "--epochs", EPOCHS, until=BAR.search, columns=columns)[1]
        assert max(map(len, LINE.findall(sent))) < columns, sent
        found = BAR.search(sent).groups()
        assert has_loss in (None, found[5] is not None) and (found[6] is not None) == has_rate, sent
        assert max(map(len, LINE.sub("", sent).split("\n")[:-2])) <= max(columns, 55), sent
    sent = on_terminal(*SLOW, "--force", "--epochs", EPOCHS, until=lambda sent: len(BAR.findall(sent)) == 3,
                       columns=lambda sent: 100 if not BAR.search(sent) else 60)[1]
    wide, *narrow = map(len, LINE.findall(sent))
    assert wide > 60 > max(narrow[1:]), sent  # a line may be on its way while the width changes


@test("the table leaves columns out on a narrow terminal, repeats its header where the width changes or after 20 rows")
def _():
    def headers(columns, epochs):
        sent = on_terminal(*SMALL, "--epochs", epochs, "-o", "run", "--force", columns=columns)[1]
        return re.findall(r"\nepoch(.*)\n", LINE.sub("", sent).replace(CLEAR, ""))
    full, short, least = ("loss recon kl neg_elbo recon kl active time", "loss neg_elbo recon kl active time",
                          "loss neg_elbo")
    for columns, names in ((200, full), (77, full), (76, short), (59, short), (58, "loss neg_elbo recon kl active"),
                           (50, "loss neg_elbo recon kl"), (30, least), (1, least)):
        same([" ".join(header.split()) for header in headers(columns, 1)], [names], columns)
    for epochs, times in ((20, 1), (21, 2), (41, 3)):
        same(len(headers(80, epochs)), times, epochs)
    found = headers(lambda sent: 60 if "epoch " in sent else 80, 3)
    same([" ".join(header.split()) for header in found], [full, short])


@test("no progress of a long step under --quiet, nor where stderr is no terminal or one that cannot go back")
def _():
    flags = [*SLOW, "--data", "builtin:digits:train=10,test=1", "--epochs", 1, "--force"]
    same(on_terminal(*flags, "-q")[1], "")
    errors = vaectl(*flags)[1]
    same(("\r" in errors, "\033" in errors, "next" in errors), (False, False, False))
    os.environ["TERM"] = "dumb"
    sent = on_terminal(*flags)[1]
    del os.environ["TERM"]
    alike(re.sub(r" +[\d.]+ s$", "", sent, flags=re.M), re.sub(r" +[\d.]+ s$", "", errors, flags=re.M))


@test("fit shows its passes in the same way, eval its draws; both clear that")
def _():
    n = 12800
    write_idx("images", (n, 1, 2), bytes(2 * n))
    vaectl("train", "--data", "images", "--hidden", 2, "--latent", 2, "--epochs", 1, "--batch", 1000, "-q", "-o", "run")
    for words, work in ((["fit", "run", "--prior", "mixture:components=5000", "--threads", 1], "pass 1/20"),
                        (["eval", "run", "--split", "train", "--samples", 5000, "--threads", 1], "nll"),
                        (["eval", "run", "--split", "train", "--elbo-samples", 5000, "--threads", 1], "neg_elbo")):
        began = time.monotonic()
        sent = on_terminal(*words, until=re.compile(" left").search)[1]
        elapsed = time.monotonic() - began
        line = re.fullmatch(work + "".join(PARTS), LINE.findall(sent)[-1])
        assert line and not line[4], sent
        rate, left = float(line[5]), seconds_of(line[6])[0]
        total = 20 * n if work.startswith("pass") else n
        most = total / 100 if work.startswith("pass") else 1000  # times as long as what was done: a step of fit, or more
        assert 0 < left <= total / rate and left < elapsed * most, (sent, elapsed)
    vaectl("fit", "run", "--prior", "mixture:components=2", "--passes", 1, "-o", "fitted")


@test("eval clears its last line of progress, and says nothing where it is no terminal")
def _():
    vaectl(*SMALL, "--epochs", 1, "-q", "-o", "run")
    flags = ["eval", "run", "--samples", 2, "--json"]
    same(vaectl(*flags)[1], "")
    same(LINE.sub("", on_terminal(*flags)[1]), CLEAR)


sys.exit(run())
