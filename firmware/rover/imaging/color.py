"""Colour pictures: luminance, and two planes of chroma at half its width. Loaded for a picture in colour.

While luminance is coded, chroma waits in a file beside the layers; then it is coded plane after plane in the same arena,
into the same files. What a VGA picture leaves there is 154 KB with a bit budget, where chroma is averaged over pairs of rows
(4:2:0), and 307 KB without, where it stays as the camera gives it (4:2:2).
"""

import os
from array import array

from rover import dictionary as d
from rover.camera.pixels import add, settle
from rover.imaging.product import Coded


class Color(Coded):
    """As Coded, and chroma behind it in the same files."""

    def __init__(self, store, shot, arena):
        self._share = 100 - shot.chroma
        self._wide = shot.width >> 1
        self._down = shot.binning * (1 if shot.codec == d.CODEC_LOSSLESS else 2)  # rows to one of chroma
        self._high = shot.height * shot.binning // self._down
        self._rows = 0
        self._u = array("H", [0] * self._wide)
        self._v = array("H", [0] * self._wide)
        self._out = memoryview(bytearray(2 * self._wide))
        self._path = store.path(shot.number, "c")
        self._plane = 0
        self._spool = None
        super().__init__(store, shot, arena)
        self._spool = open(self._path, "wb")

    def row(self, line):
        # nothing is called here that could be done in place: the stack is deep below push()
        if self._luma(line, self._pixels):
            self._encoder.push()
        n = self._n
        wide = self._wide
        add(line, self._u, wide, n, 1, 4)
        add(line, self._v, wide, n, 3, 4)
        self._rows += 1
        if self._rows % self._down == 0:
            out = self._out
            settle(self._u, out, wide, n, self._down)
            settle(self._v, out[wide:], wide, n, self._down)
            self._spool.write(out)

    def finish(self):
        if self._plane == 0:
            self._encoder.finish()
            self._spool.close()
            self._next()
            return True
        # one row of the plane at hand
        if self._rows < self._high:
            self._rows += 1
            self._spool.readinto(self._out)
            part = (self._plane - 1) * self._wide
            self._pixels[:] = self._out[part : part + self._wide]
            self._encoder.push()
            return True
        self._encoder.finish()
        self._spool.close()
        if self._plane == 2:
            return False
        self._next()
        return True

    def _next(self):
        self._plane += 1
        self._rows = 0
        self._encoder = None
        self._take(self._make(self._plane, self._wide, self._high, self._shot.chroma / 2))
        self._spool = open(self._path, "rb")

    def close(self):
        super().close()
        if self._spool:
            self._spool.close()
            os.remove(self._path)
