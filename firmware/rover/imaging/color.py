"""Colour pictures: luminance, and two planes of chroma at half its width. Loaded for a picture in colour.

While luminance is coded, chroma waits in a file beside the layers; then it is coded plane after plane in the same arena,
into the same files. What a VGA picture leaves there is 154 KB with a bit budget, where chroma is averaged over pairs of rows
(4:2:0), and 307 KB without, where it stays as the camera gives it (4:2:2).
"""

import gc
import os
from array import array

from rover import dictionary as d
from rover.camera.pixels import add, settle
from rover.imaging.product import Coded


class Color(Coded):
    """As Coded, and chroma behind it in the same files."""

    def __init__(self, store, shot, arena):
        self.share = 100 - shot.chroma
        self.columns = shot.width >> 1
        self.down = shot.binning * (1 if shot.codec == d.CODEC_LOSSLESS else 2)  # rows to one of chroma
        self.lines = shot.height * shot.binning // self.down
        self.done = 0
        self.u = array("H", [0] * self.columns)
        self.v = array("H", [0] * self.columns)
        self.out = None  # a row of both planes; while the rows come, their own place serves
        self.path = store.path(shot.number, "c")
        self.plane = 0
        self.spool = None
        super().__init__(store, shot, arena)
        self.spool = open(self.path, "wb")

    def row(self, line):
        # nothing is called here that could be done in place: the stack is deep below push()
        if self.gather(line, self.pixels):
            self.encoder.push()
        n = self.binning
        wide = self.columns
        add(line, self.u, wide, n, 1, 4)
        add(line, self.v, wide, n, 3, 4)
        self.done += 1
        if self.done % self.down == 0:
            out = line[: 2 * wide]
            settle(self.u, out, wide, n, self.down)
            settle(self.v, out[wide:], wide, n, self.down)
            self.spool.write(out)

    def finish(self):
        if self.plane == 0:
            self.encoder.finish()
            self.spool.close()
            self.u = self.v = None
            self.out = memoryview(bytearray(2 * self.columns))
            self.next_plane()
            return True
        # one row of the plane at hand
        if self.done < self.lines:
            self.done += 1
            self.spool.readinto(self.out)
            part = (self.plane - 1) * self.columns
            self.pixels[:] = self.out[part : part + self.columns]
            self.encoder.push()
            return True
        self.encoder.finish()
        self.spool.close()
        if self.plane == 2:
            return False
        self.next_plane()
        return True

    def next_plane(self):
        self.plane += 1
        self.done = 0
        self.encoder = self.step = self.pixels = None  # its buffers go before the next one's come
        gc.collect()
        self.use(self.make(self.plane, self.columns, self.lines, self.shot.chroma / 2))
        self.spool = open(self.path, "rb")

    def close(self):
        super().close()
        if self.spool:
            self.spool.close()
            os.remove(self.path)
