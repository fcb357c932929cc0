"""Line-based three-level integer 9/7 wavelet over a whole picture (CCSDS 122.0-B-2 section 3), in a passed-in arena.

Rows go in one by one; after some rows a strip of blocks (8 picture rows) is complete. Memory, width W padded to 8:
per level 6 rows of coefficients in the vertical filter, and the finished high bands of the rows that still wait for the
levels above: 13 + 4(K-1) rows of level 1, 5 + 2(K-1) of level 2, K + 1 of level 3, where K is the number of strips the
coder wants to see together. For W = 640, K = 1 that is 45 KB.
"""

from array import array

import micropython
import uctypes

try:
    from rover.imaging.kernels_thumb import column_high, column_low, rows8, rows16
except Exception:  # another processor, or a compiler without inline assembler: the portable form
    from rover.imaging.kernels import column_high, column_low, rows8, rows16  # type: ignore[assignment]


@micropython.viper
def _shifted(q: ptr32, p: ptr32, at: int, column: int) -> int:
    # the 21 offsets moved on by `column` blocks; 1, 2 or 4 words each
    i = 0
    while i < 21:
        r = i
        while r > 6:
            r -= 7
        n = column << 1
        if r > 2:
            n = column << 3
        elif r > 0:
            n = column << 2
        p[at + i] = q[i + 1] + n
        i += 1
    return q[0] + (column << 1)


def _up(n, k):
    return (n + k - 1) // k


class _Level:
    # one level's vertical filter: rows of w words (low half | high half), w/2 words per band
    def __init__(self, at, w, rows, ring):
        self.w = w
        self.rows = rows  # number of input rows of this level
        self.ring = ring  # finished rows kept
        self.stride = (w + 6) * 2
        self.at = at + 4
        at += 6 * self.stride
        self.bands = at  # ring of rows [LH | HH | HL]
        self.band_stride = w * 3
        at += ring * self.band_stride
        self.end = at
        self.high = 0  # vertical high rows made


class Wavelet:
    """strips() tells how many strips of blocks are complete; rows_of(strip, out) where their coefficients lie."""

    def __init__(self, width, height, depth, arena, strips=1):
        """width, height in pixels, depth 8..12 bits, arena: bytearray or memoryview; strips: see K above.

        Raises MemoryError with the bytes missing when the arena is too small."""
        self.width = width
        self.height = height
        self.wide = _up(width, 8) * 8
        self.high = _up(height, 8) * 8
        self.bytes = 1 if depth <= 8 else 2
        self.arena = arena
        self.base = uctypes.addressof(arena)
        w = self.wide
        at = -self.base & 3  # arena offsets are multiples of 4 in memory
        self._row = at + 4
        at += (w * self.bytes + 15) & ~3
        self.levels = []
        for n in range(3):
            ring = (13 + 4 * (strips - 1), 5 + 2 * (strips - 1), strips + 1)[n]
            level = _Level(at, w >> n, self.high >> n, ring)
            self.levels.append(level)
            at = level.end
        # level 3's high rows once more: the ring's are turned into sign and magnitude before the next low row needs them
        self._last = at
        at += 2 * (w >> 2) * 2
        self.dc_stride = ((w >> 3) * 2 + 3) & ~3
        self.dc_ring = strips + 1
        self._dc = at
        at += self.dc_ring * self.dc_stride
        self.end = at
        if at > len(arena):
            raise MemoryError("picture %d wide needs %d bytes of arena, has %d" % (width, at, len(arena)))
        self._p = array("i", [0] * 8)
        self.row_buffer = memoryview(arena)[self._row : self._row + width * self.bytes]
        self._offsets = array("i", [0] * 22)  # of strip _known: DC's row, then the 21 of rows_of()
        self._known = -1
        self.pushed = 0
        self.done = 0  # strips complete

    def restart(self):
        """Forget the rows: the picture is pushed again from its first row."""
        self.pushed = self.done = 0
        for level in self.levels:
            level.high = 0

    def push_row(self):
        """Take the row in row_buffer; afterwards `done` may have grown by at most one (by more after the last row)."""
        a = self.arena
        w = self.wide
        if w > self.width:  # repeat the last column, 122.0-B-2 section 2.2
            r = self._row
            b = self.bytes
            last = bytes(a[r + (self.width - 1) * b : r + self.width * b])
            for i in range(self.width, w):
                a[r + i * b : r + i * b + b] = last
        self._first()

    def _first(self):
        p = self._p
        level = self.levels[0]
        n = self.pushed
        p[0] = self._row
        p[1] = self._slot(level, n)
        p[2] = level.w
        p[3] = 0
        (rows8 if self.bytes == 1 else rows16)(self.arena, p)
        self.pushed = n + 1
        self._vertical(0, n)

    def finish(self):
        """After the last row: pad with it to a multiple of 8 rows. Call until it returns False: the coder must empty between."""
        if self.pushed < self.high:
            self._first()
            return True
        return False

    def _slot(self, level, n):
        # six row slots: four for even rows, two for odd ones
        return level.at + level.stride * (((n >> 1) & 3) if not n & 1 else 4 + ((n >> 1) & 1))

    def _vertical(self, n_level, n):
        # row n of that level (0..2) is in its slot; filters what became possible
        level = self.levels[n_level]
        if not n & 1 and n >= 4:
            self._pair(n_level, (n - 4) >> 1)
        if n == level.rows - 1:
            m = level.rows >> 1
            while level.high < m:
                self._pair(n_level, level.high)

    def _even(self, level, k):
        # slot of the k-th even row with symmetric extension at both ends
        m = level.rows >> 1
        while k < 0 or k >= m:
            if k < 0:
                k = -k
            if k >= m:
                k = 2 * m - 1 - k
        return self._slot(level, 2 * k)

    def _pair(self, n_level, j):
        # high row j, then low row j, of level l
        p = self._p
        a = self.arena
        level = self.levels[n_level]
        w = level.w
        level.high = j + 1
        ring = level.bands + level.band_stride * (j % level.ring)
        before = level.bands + level.band_stride * ((j - 1) % level.ring) if j else ring
        high = ring
        if n_level == 2:
            high = self._last + (j & 1) * w * 2
            before = self._last + ((j - 1) & 1) * w * 2 if j else high
        p[0] = high
        p[1] = self._even(level, j - 1)
        p[2] = e0 = self._even(level, j)
        p[3] = self._even(level, j + 1)
        p[4] = self._even(level, j + 2)
        p[5] = self._slot(level, 2 * j + 1)
        p[6] = w
        column_high(a, p)
        if n_level == 2:
            a[ring : ring + 2 * w] = a[high : high + 2 * w]
        # the high half of the low row is HL
        p[0] = ring + 2 * w
        p[1] = e0 + w
        p[2] = before + w
        p[3] = high + w
        p[4] = w >> 1
        column_low(a, p)
        # the low half is the next level's input, or DC; it may take the place of even row j - 1, needed no more.
        # (the first one, j = 0, goes to the slot of even row 3, which is still free or, in short pictures, spent)
        if n_level == 2:
            p[0] = self._dc + (j % self.dc_ring) * self.dc_stride
        else:
            p[0] = low = self._slot(level, 2 * (j + 3))
        p[1] = e0
        p[2] = before
        p[3] = high
        column_low(a, p)
        if n_level == 2:
            self.done = j + 1
            self.on_strip(j)
        else:
            p[0] = low
            p[1] = self._slot(self.levels[n_level + 1], j)
            p[2] = w >> 1
            p[3] = 1
            rows16(a, p)
            self._vertical(n_level + 1, j)

    def on_strip(self, strip):
        """Called when strip (0, 1, …) of blocks is complete: the coder replaces it."""

    def rows_of(self, strip, column, p, at):
        """Write the 21 offsets of the first block's coefficient rows (families HL, LH, HH) into p[at:]; returns DC's offset."""
        if strip != self._known:
            self._known = strip
            l1, l2, l3 = self.levels
            q = self._offsets
            i = 1
            for band in (2, 0, 1):
                q[i] = l3.bands + l3.band_stride * (strip % l3.ring) + l3.w * band
                i += 1
                for r in (2 * strip, 2 * strip + 1):
                    q[i] = l2.bands + l2.band_stride * (r % l2.ring) + l2.w * band
                    i += 1
                for r in range(4 * strip, 4 * strip + 4):
                    q[i] = l1.bands + l1.band_stride * (r % l1.ring) + l1.w * band
                    i += 1
            q[0] = self._dc + (strip % self.dc_ring) * self.dc_stride
        return _shifted(self._offsets, p, at, column)
