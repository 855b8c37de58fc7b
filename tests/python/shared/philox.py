# SPDX-License-Identifier: MIT
"""Philox4x32-10 (Salmon et al., SC 2011) in the layout of src/base/rng.h."""
MASK = 0xffffffff


def philox4x32(counter, key):
    for _ in range(10):
        left, right = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = (right >> 32 ^ counter[1] ^ key[0], right & MASK, left >> 32 ^ counter[3] ^ key[1], left & MASK)
        key = (key[0] + 0x9E3779B9 & MASK, key[1] + 0xBB67AE85 & MASK)
    return counter


def block(seed, stream, step, number):
    """The four words of block `number`."""
    return philox4x32((number & MASK, number >> 32 ^ stream << 24, step & MASK, step >> 32), (seed & MASK, seed >> 32))


def words(seed, stream, step, first, n):
    """Words first .. first+n-1."""
    blocks = range(first // 4, (first + n + 3) // 4)
    return [word for b in blocks for word in block(seed, stream, step, b)][first % 4:first % 4 + n]
