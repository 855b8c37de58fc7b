# SPDX-License-Identifier: MIT
"""PNGs of 8 bits a channel without libpng, by the specification (ISO/IEC 15948). Whatever is not as it says is refused."""
import struct
import zlib


def _chunks(data):
    """(type, content) of each chunk, checksums checked, up to IEND and not beyond."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "not a PNG"
    at, kind = 8, None
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        content = data[at + 8:at + 8 + length]
        assert data[at + 8 + length:at + 12 + length] == struct.pack(">I", zlib.crc32(kind + content)), f"CRC of {kind}"
        at += 12 + length
        yield kind, content
    assert at == len(data), "bytes behind IEND"


def _paeth(left, up, corner):
    """The neighbour that is nearest to left + up - corner."""
    return min((abs(up - corner), 0, left), (abs(left - corner), 1, up), (abs(left + up - 2 * corner), 2, corner))[2]


def _unfilter(kind, line, above, channels):
    """A row as it was before filter `kind` (section 9.2): bytes are differences to guesses from those of neighbours."""
    if kind == 0:
        return bytes(line)
    if kind == 2:
        return bytes(a + b & 255 for a, b in zip(line, above))
    guess = {1: lambda left, up, corner: left, 3: lambda left, up, corner: (left + up) // 2, 4: _paeth}[kind]
    row = bytearray(channels)  # left of the first pixel, and of the one above it
    above = bytes(channels) + above
    for at, byte in enumerate(line):
        row.append(byte + guess(row[at], above[at + channels], above[at]) & 255)
    return bytes(row[channels:])


def size(path):
    """Width and height, from the header alone."""
    with open(path, "rb") as file:
        return struct.unpack(">II", file.read(24)[16:])


def read_file(path):
    """Rows of bytes, how many channels they have, and the texts by their keywords."""
    with open(path, "rb") as file:
        chunks = list(_chunks(file.read()))
    assert chunks[0][0] == b"IHDR" and len(chunks[0][1]) == 13, "IHDR comes first"
    width, height, depth, colour, *kind = struct.unpack(">II5B", chunks[0][1])
    assert (depth, kind) == (8, [0, 0, 0]), f"depth {depth}, compression, filter, interlace {kind}"
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    line = width * channels
    packed = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    assert len(packed) == height * (line + 1), f"{len(packed)} bytes for {height} rows of {width}"
    rows, above = [], bytes(line)
    for at in range(0, len(packed), line + 1):
        above = _unfilter(packed[at], packed[at + 1:at + 1 + line], above, channels)
        rows.append(above)
    texts = {}
    for name, content in chunks:
        if name == b"iTXt":  # keyword, not compressed, no language, no keyword in it, UTF-8
            keyword, text = content.split(b"\0\0\0\0\0")
            texts[keyword.decode("latin-1")] = text.decode()
    return rows, channels, texts


def read(path):
    """Rows of grey bytes, and the texts by their keywords."""
    rows, channels, texts = read_file(path)
    assert channels == 1, f"{channels} channels"
    return rows, texts
