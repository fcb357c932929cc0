"""Dark level, flat field and defective pixels of a camera, corrected in its rows as they come. Loaded where there is a table.

A table, file /t/cameraN.cal (N: the camera's number; made by `rovercam calibrate`): "RK" 1, width u16, height u16 of the
pictures it is for, dark level u8, columns u8, rows u8 of the grid, then its gains (u8, 128 = 1) row by row, the first and
last at the picture's edges; defects u16, each row u16, column u16, in order; CRC-16. Numbers are big-endian.

A pixel becomes (pixel - dark) × gain, gains linear between the grid's points; a defective one the mean of its neighbours
in the row.
"""

import struct
from array import array

import micropython
from micropython import const

from rover.link.coding import crc16

_HEAD = const(10)
_LIMIT = const(4096)  # bytes of a table


@micropython.viper
def _gains(a: ptr8, b: ptr8, n: int, part: int, out: ptr16):
    # between two grid rows, part / 256 of the way; 128 × 256 = 1
    i = 0
    while i < n:
        out[i] = a[i] * (256 - part) + b[i] * part
        i += 1


@micropython.viper
def _apply(line: ptr8, width: int, dark: int, gains: ptr16, n: int):
    # line: YUYV
    spans = n - 1
    per = (width + spans - 1) // spans  # pixels between two grid points
    x = 0
    i = 0
    while i < spans:
        g = gains[i]
        step = ((gains[i + 1] - g) << 8) // per
        acc = g << 8
        end = x + per
        if end > width:
            end = width
        while x < end:
            v = line[x << 1] - dark
            if v < 0:
                v = 0
            v = (v * (acc >> 8) + 16384) >> 15
            if v > 255:
                v = 255
            line[x << 1] = v
            acc += step
            x += 1
        i += 1


class Correction:
    def __init__(self, f, width, height):
        """f: the table's file. Raises ValueError when it is not one for pictures of this size."""
        b = f.read(_LIMIT)
        if len(b) < _HEAD + 4 or b[:3] != b"RK\1" or crc16(b):
            raise ValueError("no correction table")
        w, h, self._dark, self._columns, self._rows = struct.unpack_from(">HHBBB", b, 3)
        n = self._columns * self._rows
        at = _HEAD + n
        if (w, h) != (width, height) or self._columns < 2 or self._rows < 2 or len(b) < at + 4:
            raise ValueError("a correction table for %dx%d" % (w, h))
        count = struct.unpack_from(">H", b, at)[0]
        if len(b) != at + 4 + 4 * count:
            raise ValueError("no correction table")
        self._grid = memoryview(b)[_HEAD:at]
        self._defects = array("H", struct.unpack_from(">%dH" % (2 * count), b, at + 2))
        self._next = 0
        self._line = array("H", [0] * self._columns)
        self._width = width
        self._per = (height + self._rows - 2) // (self._rows - 1)

    def row(self, line, y):
        """Correct row y, YUYV; rows come in order."""
        n = self._columns
        k = min(y // self._per, self._rows - 2)
        part = (y - k * self._per) * 256 // self._per
        _gains(self._grid[k * n :], self._grid[(k + 1) * n :], n, part, self._line)
        d = self._defects
        at = self._next
        while at < len(d) and d[at] < y:
            at += 2
        _apply(line, self._width, self._dark, self._line, n)
        while at < len(d) and d[at] == y:
            x = d[at + 1]
            if x < self._width:
                left = line[2 * x - 2] if x else line[2]
                right = line[2 * x + 2] if x + 1 < self._width else left
                line[2 * x] = (left + right + 1) >> 1
            at += 2
        self._next = at
