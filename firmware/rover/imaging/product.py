"""Joins the segment encoder to the product store: one file per layer, slots in the order they are made."""

from rover.imaging.segments import Encoder

_LAYERS = 4  # thumbnail, base, to plane 2, to lossless


class Writer:
    """rate: hundredths of a bit per pixel for thumbnail and base together; lossless adds the refinements.

    Raises ValueError when the budget is too small for the thumbnail, MemoryError when the arena is too small for the width.
    """

    def __init__(self, store, number, width, height, lossless, rate, arena, depth=8):
        self.layers = _LAYERS if lossless else 2
        self._files = []
        self._encoder = Encoder(
            width,
            height,
            depth,
            arena,
            self._slot,
            picture=number & 255,
            quality=None,
            budget=width * height * rate // 800,
            refine=2 if lossless else 0,
        )
        for layer in range(self.layers):
            self._files.append(open(store.path(number, layer), "wb"))
        self._row = self._encoder.row_buffer
        self.push = self._encoder.push
        self.step = self._encoder.step

    def row(self):
        """Where the next row's pixels go."""
        return self._row

    def _slot(self, layer, slot):
        self._files[layer].write(slot)

    def finish(self):
        """Everything out; returns the number of layers."""
        self._encoder.finish()
        return self.layers

    def close(self):
        for f in self._files:
            f.close()
