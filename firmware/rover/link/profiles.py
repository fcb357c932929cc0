"""Line profiles: the closed, numbered table of frame shapes on the line. # from the dictionary

A frame on the line is the marker (4 bytes) and `depth` interleaved codewords of `symbols` bytes, each of which corrects `t` wrong bytes:

     n  symbols depth  t   line bytes          n  symbols depth  t   line bytes
     0    255     1   16      259 (fallback)   8    255     3    2      769
     1    128     1    8      132 (slow line)  9    255     3    4      769
     2    255     1    0      259             10    255     3    8      769
     3    255     1    2      259             11    255     8    0     2044
     4    255     1    4      259             12    255     8    1     2044
     5    255     1    8      259             13    255     8    2     2044
     6    255     5    0     1279             14    255     8    4     2044
     7    255     3    1      769             15    255     8    8     2044

Any frame may be in any profile of the table. A sender that has little to say takes a shorter profile of the same t, so that a lone report
does not cost a long frame.
"""

COUNT = 16
SYMBOLS = b"\xff\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
DEPTH = b"\x01\x01\x01\x01\x01\x01\x05\x03\x03\x03\x03\x08\x08\x08\x08\x08"
T = b"\x10\x08\x00\x02\x04\x08\x00\x01\x02\x04\x08\x00\x01\x02\x04\x08"
ROBUST = 0  # what the board falls back to
SLOW = 1  # the same for lines below 2400 baud


def frame_length(n):
    """Bytes of the transfer frame of profile n (primary header to FECF)."""
    return (SYMBOLS[n] - 2 * T[n]) * DEPTH[n]


def line_length(n):
    """Bytes on the line: marker and codeblock."""
    return 4 + SYMBOLS[n] * DEPTH[n]
