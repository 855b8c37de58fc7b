# SPDX-License-Identifier: MIT
"""PNG files of every kind without libpng, by the specification (ISO/IEC 15948), and what is grey in them."""
import struct
import zlib

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# First column and row of each pass of an interlaced image, and the steps to the next ones.
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width, height, depth, colour, interlaced=0):
    return SIGNATURE + chunk(b"IHDR", struct.pack(">II5B", width, height, depth, colour, 0, 0, interlaced))


def _packed(row, depth):
    """Samples of a row as bytes, the first in the highest bits, behind the number of the filter (none)."""
    bits = "".join(format(sample, f"0{depth}b") for pixel in row for sample in pixel)
    bits += "0" * (-len(bits) % 8)
    return bytes([0]) + bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def png(pixels, depth, colour, interlaced=False, palette=(), transparent=b"", between=b""):
    """Rows of pixels, which are tuples of samples. `palette`: triples; `transparent`: content of tRNS."""
    passes = PASSES if interlaced else [(0, 0, 1, 1)]
    rows = [_packed(row[x::dx], depth) for x, y, dx, dy in passes for row in pixels[y::dy] if row[x::dx]]
    return (header(len(pixels[0]), len(pixels), depth, colour, interlaced) + between
            + (chunk(b"PLTE", bytes(v for entry in palette for v in entry)) if palette else b"")
            + (chunk(b"tRNS", transparent) if transparent else b"")
            + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b""))


def luma(red, green, blue):
    """Rec. 601, as Pillow rounds it."""
    return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16


def grey(pixel, depth, colour, palette=(), alphas=()):
    """The byte that a pixel becomes: eight bits, over white, luma."""
    to_byte = lambda sample: (sample * 255 + (2 ** depth - 1) // 2) // (2 ** depth - 1)
    over = lambda value, alpha: (value * alpha + 255 * (255 - alpha) + 127) // 255
    if colour == 3:
        alpha = alphas[pixel[0]] if pixel[0] < len(alphas) else 255
        return luma(*(over(value, alpha) for value in palette[pixel[0]]))
    *values, alpha = [to_byte(sample) for sample in pixel] + ([] if colour in (4, 6) else [255])
    values = [over(value, alpha) for value in values]
    return values[0] if len(values) == 1 else luma(*values)
