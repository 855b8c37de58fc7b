# SPDX-License-Identifier: MIT
# Not under tsan: no thread is started here.
"""The random words that other tests take as known are the published ones. Prints TAP."""
import sys

from shared.philox import PRIOR, block, philox4x32, words
from shared.tap import run, same, test

# kat_vectors of Random123, philox4x32 with 10 rounds: counter, key, output.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


@test("the generator gives the published words")
def known_answers():
    for counter, key, output in KNOWN:
        same(philox4x32(counter, key), output, f"counter {counter}")


@test("block, step and seed are the counter and the key, lower half first; the stream is the upper byte of a block")
def layout():
    for (a, b, c, d), (k, l), output in KNOWN:
        seed, step, number = l << 32 | k, d << 32 | c, b << 32 | a
        same(block(seed, 0, step, number), output, "stream 0")
        same(block(seed, PRIOR, step, number ^ 3 << 56), output, "stream 3")


@test("words go through blocks, four in each, from any of them on")
def chunks():
    whole = [word for number in range(3) for word in block(7, PRIOR, 5, number)]
    for first, n in ((0, 12), (0, 1), (3, 6), (5, 0), (11, 1)):
        same(words(7, PRIOR, 5, first, n), whole[first:first + n], f"{n} words from {first}")


sys.exit(run())
