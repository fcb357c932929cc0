"""Space packets (133.0-B): primary header fields and the idle packet. A packet is the bytes of any buffer."""

from micropython import const

HEADER = const(6)
IDLE_APID = const(0x7FF)


def put_header(buf, at, apid, count, length, telecommand=False, secondary=False):
    """Write the primary header of an unsegmented packet of `length` bytes in all at buf[at:at+6]."""
    word = apid | (0x1000 if telecommand else 0) | (0x0800 if secondary else 0)
    length -= 7
    buf[at] = word >> 8
    buf[at + 1] = word & 0xFF
    buf[at + 2] = 0xC0 | (count >> 8 & 0x3F)
    buf[at + 3] = count & 0xFF
    buf[at + 4] = length >> 8
    buf[at + 5] = length & 0xFF


def apid(buf, at=0):
    return (buf[at] & 7) << 8 | buf[at + 1]


def sequence_count(buf, at=0):
    return (buf[at + 2] & 0x3F) << 8 | buf[at + 3]


def packet_length(buf, at=0):
    """Bytes of the whole packet, from its header."""
    return (buf[at + 4] << 8 | buf[at + 5]) + 7


def put_idle(buf, at, length):
    """Fill buf[at:at+length] with one idle packet; length is at least 7."""
    put_header(buf, at, IDLE_APID, 0, length)
    for i in range(at + 6, at + length):
        buf[i] = 0
