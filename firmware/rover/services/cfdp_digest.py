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
_CANCEL = const(3)  # see cfdp_tx
_MOST = const(4)  # asked for at a time


def request(entity, asked, mv):
    """Appends the request in mv, if it is one, to `asked`: [transaction, first, end, block]. The ground asks for the bytes when no answer comes."""
    if len(mv) != 11 or len(asked) >= _MOST:
        return
    seq, first, end, block = struct.unpack(">HIIB", mv)
    tx = entity.find(seq)
    if tx and tx.cls == 2 and tx.state != _CANCEL and block and first < end <= tx.size:
        asked.append([tx, first, end, block])


def out(entity, asked, buf, room):
    """Writes the answer to asked[0] for the repair APID; its length, 0 when there is none (that fits). What does not fit follows in the next packet."""
    one = asked[0]
    tx, first, end, block = one
    n = min((room - _HEADER) // _CHECK, (end - first + block - 1) // block)
    if n <= 0:
        return 0
    last = min(first + n * block, end)
    p = 0
    try:
        if entity.find(tx.seq) is tx:
            p = _answer(tx, first, last, block, entity.file(tx), buf)
    except OSError:
        pass  # the transaction itself finds out
    one[1] = last
    if not p or last == end:
        asked.pop(0)
    entity.repair = p > 0
    return p


def _answer(tx, first, last, block, file, buf):
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
    return p - 6
