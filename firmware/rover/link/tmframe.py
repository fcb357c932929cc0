"""TM transfer frames (132.0-B): primary header and the first header pointer of the M_PDU."""

from micropython import const

HEADER = const(6)
OCF = const(4)
FECF = const(2)
NO_START = const(0x7FF)  # no packet starts in this frame
ONLY_IDLE = const(0x7FE)  # only idle data in this frame


def put_header(buf, at, scid, vcid, ocf, mc_count, vc_count, first_header):
    """Write the 6-byte primary header; ocf is truth: an operational control field follows the data."""
    word = scid << 4 | vcid << 1 | (1 if ocf else 0)
    buf[at] = word >> 8
    buf[at + 1] = word & 0xFF
    buf[at + 2] = mc_count
    buf[at + 3] = vc_count
    buf[at + 4] = 0x18 | first_header >> 8  # no secondary header, packets in order, segment length id 11
    buf[at + 5] = first_header & 0xFF
