# SPDX-License-Identifier: MIT
"""The words of src/base/rng.h without vaectl: Philox4x32-10 (Salmon et al. 2011, section 3.3)."""

INIT, SHUFFLE, POSTERIOR, PRIOR, EVAL, HOLDOUT, DIGITS, BINARIZE, VALIDATION, NLL = range(10)  # the streams
AGGREGATE = 14
DECOMPOSE = 16

_LOW = 0xFFFFFFFF


def philox4x32(counter, key):
    """Ten rounds over four words of counter and two of key."""
    (a, b, c, d), (k, l) = counter, key
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = right >> 32 ^ b ^ k, right & _LOW, left >> 32 ^ d ^ l, left & _LOW
        k, l = k + 0x9E3779B9 & _LOW, l + 0xBB67AE85 & _LOW
    return a, b, c, d


def block(seed, stream, step, number):
    """Four words: block `number` of a stream."""
    return philox4x32((number & _LOW, number >> 32 ^ stream << 24, step & _LOW, step >> 32), (seed & _LOW, seed >> 32))


def words(seed, stream, step, first, n):
    """Words first .. first+n-1 of a stream, four a block."""
    blocks = range(first // 4, (first + n + 3) // 4)
    return [word for number in blocks for word in block(seed, stream, step, number)][first % 4:first % 4 + n]


def uniform(word):
    """In (0, 1)."""
    return (word + 0.5) / 2**32


def permutation(seed, stream, step, n):
    """A random order of 0 .. n-1 (Fisher-Yates from the end): place i-1 changes with place floor(i u), where u has the
    64 bits of words 1 and 0 of block i."""
    order = list(range(n))
    for i in range(n, 1, -1):
        low, high, *_ = block(seed, stream, step, i)
        j = i * (high << 32 | low) >> 64
        order[i - 1], order[j] = order[j], order[i - 1]
    return order
