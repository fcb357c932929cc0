"""Slots: pieces of a picture of fixed size, each decodable alone. Header and CRC; the body is the writer's.

Every slot (200 bytes if not told otherwise, one of a refinement three times that): picture u8, layer (3 bits) plane (2)
codec (3), first block u16, then for layers 0 and 1 width in blocks - 1 u8 and depth - 8 (3 bits) with
block count (13), CRC-16 u16 over the slot with this field zero; body.
"""

from micropython import const

from rover.link.coding import crc16

RAW = const(0)
THUMBNAIL = const(2)
BLOCKS = const(4)
PARENTS = const(5)

HEAD = const(9)
HEAD_REFINE = const(6)


def begin(b, picture, plane, layer, codec, first):
    """Write what is known at the start; returns where the body begins."""
    b[0] = picture
    b[1] = layer << 5 | plane << 3 | codec
    b[2] = first >> 8
    b[3] = first & 255
    return HEAD if layer < 2 else HEAD_REFINE


def seal(b, pos, wide, depth, end):
    """Zeros from pos on, the rest of the header, the CRC. end: block behind the last one (layers 0 and 1)."""
    for i in range(pos, len(b)):
        b[i] = 0
    head = HEAD_REFINE
    if b[1] < 64:
        head = HEAD
        n = end - (b[2] << 8 | b[3])
        b[4] = wide - 1
        b[5] = (depth - 8) << 5 | n >> 8
        b[6] = n & 255
    b[head - 2] = b[head - 1] = 0
    c = crc16(b)
    b[head - 2] = c >> 8
    b[head - 1] = c & 255
