"""Digests: short checksums of part of a file, so that the ground finds what came right of a lost frame. Imported with the first request.

The ground names places of the sending order and a block length; for each block from there on the answer has the low 24 bits of its CRC-32.

Request: transaction u16, first place u32, end u32, block length u8.
Answer, on the repair APID: 0 u8 (a repair packet begins with an entity's number), transaction u16, first place u32, end u32, block length u8,
then three bytes per block. What does not fit a packet follows in the next.
"""

import binascii
import struct

from micropython import const

_HEADER = const(12)
_CHECK = const(3)


def request(mv):
    """The data field of a request as [transaction number, first, end, block]; None when it is none."""
    if len(mv) != 11:
        return None
    seq, first, end, block = struct.unpack(">HIIB", mv)
    return [seq, first, end, block] if block and first < end else None


def out(asked, file, buf, room):
    """The data field of one packet; its length, 0 when the room is too small. asked[1] moves on; the answer is whole when it meets asked[2]."""
    tx, first, end, block = asked
    n = min((room - _HEADER) // _CHECK, (end - first + block - 1) // block)
    if n <= 0:
        return 0
    last = min(first + n * block, end)
    struct.pack_into(">BHIIB", buf, 6, 0, tx.seq, first, last, block)
    data = memoryview(bytearray(block))
    p = 6 + _HEADER
    x = first
    while x < last:
        k = min(block, last - x)
        file.seek(tx.place(x))
        if file.readinto(data[:k]) != k:
            raise OSError(5)
        total = binascii.crc32(data[:k])
        buf[p] = total >> 16 & 0xFF
        buf[p + 1] = total >> 8 & 0xFF
        buf[p + 2] = total & 0xFF
        p += _CHECK
        x += k
    asked[1] = last
    return p - 6
