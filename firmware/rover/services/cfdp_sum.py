"""Checksums of files (727.0-B-5 4.2.2), and the step of the order in which a file in slots is sent."""

import binascii

import micropython


@micropython.viper
def modular(buf: ptr8, start: int, n: int, offset: int, total: int) -> uint:
    """Adds n bytes at buf[start:], which lie at `offset` of the file, to a modular checksum (727.0-B-5 4.2.2.3)."""
    acc = uint(total)
    i = start
    end = start + n
    o = offset
    while i < end:
        acc += uint(buf[i]) << ((3 - (o & 3)) << 3)
        i += 1
        o += 1
    return acc & uint(0xFFFFFFFF)


def add_checksum(kind: int, buf, start: int, n: int, offset: int, total: int) -> int:
    """kind 0 modular, 3 CRC-32 (bytes must come in order), 15 none."""
    if kind == 0:
        # as a signed word: viper takes no integers beyond 31 bits on the board without an allocation
        return modular(buf, start, n, offset, total)
    if kind == 3:
        return binascii.crc32(buf[start : start + n], total)
    return 0


def stride_for(n: int) -> int:
    """Step of the sending order: near the golden ratio of n and coprime to it, so that any first part spreads evenly."""
    s = (n * 79 >> 7) | 1
    while True:
        a, b = n, s
        while b:
            a, b = b, a % b
        if a <= 1:
            return s
        s += 2
