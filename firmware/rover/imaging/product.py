"""Joins the encoder to the product store: one file per part of a picture, slots in the order they are made.

Files: in the order in which they are to be sent. 0 thumbnail, [base of the region of interest,] base, refinements.
"""

from array import array

from rover import dictionary as d
from rover.camera.pixels import add, luma, settle
from rover.commander import Failed


def make_writer(store, shot, arena):
    """What takes the rows: row(yuyv) until step() is False, then finish() until False, and close() in any case.

    Raises ValueError when the budget is too small for the thumbnail, MemoryError when the arena is too small for the width,
    Failed when flash has no room."""
    pixels = shot.width * shot.height
    color = shot.form == d.PICTURE_FORMAT_COLOR
    if shot.codec == d.CODEC_RAW:
        if color:
            raise Failed(d.F_UNSUPPORTED)
        wanted = pixels
    elif shot.codec == d.CODEC_LOSSLESS:
        wanted = pixels * 3 // 4 + (pixels * 3 // 2 if color else 0)
    else:
        wanted = pixels * shot.rate // 800 + (pixels // 2 if color else 0)
    if not store.make_room(wanted + wanted // 16 + 2048):
        raise Failed(d.F_FLASH_FULL)
    if color:
        from rover.imaging.color import Color

        return Color(store, shot, arena)
    if shot.codec == d.CODEC_RAW:
        from rover.imaging.raw import Raw

        return Raw(store, shot, arena)
    return Coded(store, shot, arena)


class Rows:
    """Rows of YUYV to rows of pixels, averaged over binning × binning."""

    def start(self, shot):
        self.binning = shot.binning
        self._k = 0
        self.width = shot.width
        self._sums = array("H", [0] * shot.width) if shot.binning > 1 else None

    def gather(self, line, out):
        # True when the row in out is complete
        if not self._sums:
            luma(line, out, self.width)
            return True
        add(line, self._sums, self.width, self.binning, 0, 2)
        self._k += 1
        if self._k < self.binning:
            return False
        self._k = 0
        settle(self._sums, out, self.width, self.binning)
        return True


class Coded(Rows):
    """Luminance alone."""

    share = 100  # per cent of the budget for luminance

    def __init__(self, store, shot, arena):
        self.start(shot)
        self._lossless = shot.codec == d.CODEC_LOSSLESS
        self._order = b"\0\2\3\4\1" if shot.roi else b"\0\1\2\3"  # part of the encoder -> file
        self.layers = (4 if self._lossless else 2) + (1 if shot.roi else 0)
        self._files = []
        self.shot = shot
        self._arena = arena
        self.use(self.make(0, shot.width, shot.height, self.share))
        for layer in range(self.layers):
            self._files.append(open(store.path(shot.number, layer), "wb"))

    def make(self, plane, width, height, share):
        from rover.imaging.segments import Encoder

        shot = self.shot
        budget = int(shot.width * shot.height * shot.rate * share // 80000)
        if plane or self._lossless:
            # what a budget must be at least; asked too little for, these two get it all the same
            budget = max(budget, ((width + 7 >> 3) * (height + 7 >> 3) // 320 + 3) * 200)
        return Encoder(
            width,
            height,
            8,
            self._arena,
            self._slot,
            picture=shot.number & 255,
            plane=plane,
            quality=None,
            budget=budget,
            shares=None if plane else shot.shares,
            refine=2 if self._lossless else 0,
            roi=None if plane else shot.roi,
            roi_gain=shot.roi_gain,
            # a region's part and the copy take more than 2 KB each: in colour there is room for one of them
            copy=not shot.roi or shot.form != d.PICTURE_FORMAT_COLOR,
        )

    def use(self, encoder):
        self.encoder = encoder
        self.pixels = encoder.row_buffer
        self.step = encoder.step

    def _slot(self, part, slot):
        self._files[self._order[part]].write(slot)

    def row(self, line):
        if self.gather(line, self.pixels):
            self.encoder.push()

    def finish(self):
        """Call until False."""
        self.encoder.finish()
        return False

    def close(self):
        for f in self._files:
            f.close()
