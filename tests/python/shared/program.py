# SPDX-License-Identifier: MIT
"""Running vaectl, and files for it to read."""
import contextlib
import csv
import fcntl
import json
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import termios
import threading
import time
import tty

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # starting threads that training does not use takes time
MOST_SECONDS = 120  # that a test waits for anything: a checker on a loaded machine is slow


def command_line(words):
    """The command line of `vaectl WORDS`."""
    return shlex.split(os.environ.get("VAECTL_RUNNER", "")) + [os.environ["VAECTL"], *map(str, words)]


def _default_signals():
    """Background jobs of shells, and what nohup starts, ignore some."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def vaectl(*words, status=0):
    """stdout of `vaectl WORDS` and its stderr; the exit status must be `status`."""
    done = subprocess.run(command_line(words), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=MOST_SECONDS)
    assert done.returncode == status, f"vaectl {words}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def vaectl_json(*words):
    """The object that `vaectl WORDS --json` prints."""
    return json.loads(vaectl(*words, "--json")[0])


def unwrapped(text):
    """What eval prints, whose lines have at most 80 columns, with those that go on below the first in one."""
    assert max(map(len, text.splitlines())) <= 80, text
    return joined(text)


def joined(text):
    return re.sub("\n {14}", " ", text)


def in_one_column(text):
    """What info prints, with each of the short lines that stand in two columns in a line of its own."""
    return "".join(f"{line[:40].rstrip()}\n{line[40:]}\n" if re.match(r".{39} {3}\S", line) else f"{line}\n"
                   for line in text.splitlines())


def refuse(status, message, *words):
    """vaectl must end with `status`, say `message` and nothing else."""
    out, errors = vaectl(*words, status=status)
    assert (out, errors) == ("", f"vaectl: {message}\n"), f"vaectl {words}: wrote {out!r}, said {errors!r}"


@contextlib.contextmanager
def started(*words, new_session=False):
    """vaectl in the background. What still runs in the end is killed. In a new session it leads a group of processes."""
    process = subprocess.Popen(command_line(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, preexec_fn=_default_signals,
                               start_new_session=new_session)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(holds, what):
    """Calls `holds` until it returns something true."""
    end = time.monotonic() + MOST_SECONDS
    while not holds():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.002)


def _resize(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))


def on_terminal(*words, until=None, columns=80):
    """stdout of vaectl and what its stderr, a terminal, was sent. SIGTERM comes as soon as `until` of that holds. The
    terminal's width may be a function of that, too."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)  # line ends stay as they are written
    _resize(theirs, columns("") if callable(columns) else columns)
    process = subprocess.Popen(command_line(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
                               text=True, preexec_fn=_default_signals)
    os.close(theirs)
    watch = threading.Timer(MOST_SECONDS, process.kill)
    watch.start()
    sent = b""
    with contextlib.suppress(OSError), open(ours, "rb", buffering=0) as terminal:  # reading fails at its end
        while some := terminal.read(4096):
            sent += some
            if callable(columns):
                _resize(ours, columns(sent.decode()))
            if until and until(sent.decode()):
                process.terminate()
                until = None
    out = process.communicate()[0]
    watch.cancel()
    return out, sent.decode()


def read_rows(run):
    """metrics.csv of a run as dictionaries of texts."""
    with open(f"{run}/metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def write_idx(path, dims, values):
    """An IDX file of bytes."""
    with open(path, "wb") as file:
        file.write(bytes([0, 0, 8, len(dims)]) + struct.pack(f">{len(dims)}I", *dims) + bytes(values))


def write_npy(path, dims, values, kind="<f4"):
    """A .npy file as NumPy writes it, of bytes ("|u1"), whole numbers, singles or doubles ("<f8")."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(dims)}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack(f"<{len(values)}{ {'|u1': 'B', '<i4': 'i', '<i8': 'q', '<f4': 'f', '<f8': 'd'}[kind]}", *values))


NPY_KINDS = {"|u1": "B", "<i4": "i", "<f4": "f", "<f8": "d"}


def read_npy(path):
    """Type, shape and elements of a .npy, whose header must be what NumPy writes."""
    data = read_bytes(path)
    assert data[:8] == b"\x93NUMPY\1\0", path
    length = struct.unpack("<H", data[8:10])[0]
    header = data[10:10 + length].decode()
    found = re.fullmatch(r"\{'descr': '(.{3})', 'fortran_order': False, 'shape': (\([\d, ]+\)), \} *\n", header)
    assert found and (10 + length) % 64 == 0, header
    shape = eval(found[2])  # of digits, commas, spaces and parentheses
    count = (len(data) - 10 - length) // struct.calcsize(NPY_KINDS[found[1]])
    return found[1], shape, list(struct.unpack(f"<{count}{NPY_KINDS[found[1]]}", data[10 + length:]))


def write_mnist(folder, rows, cols, train, test, labels=None):
    """A folder with the MNIST names. `train` and `test` are lists of images, each a list of rows*cols bytes; `labels` a
    pair of lists of labels, or None."""
    os.makedirs(folder, exist_ok=True)
    for i, (name, images) in enumerate((("train", train), ("t10k", test))):
        write_idx(f"{folder}/{name}-images-idx3-ubyte", (len(images), rows, cols), b"".join(map(bytes, images)))
        if labels:
            write_idx(f"{folder}/{name}-labels-idx1-ubyte", (len(images),), labels[i])
