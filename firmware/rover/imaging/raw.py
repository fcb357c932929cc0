"""Pixels as they are. Loaded for a picture with codec raw. Its class inherits over a file border: no private names (boards/names.py)."""

from micropython import const

from rover.imaging.product import Rows

_CHUNK = const(2048)  # bytes written at once, about


class Raw(Rows):
    """Codec id 0: pixels as they are, one layer."""

    def __init__(self, store, shot, arena):
        self.start(shot)
        rows = max(1, min(shot.height, _CHUNK // shot.width))
        self.buf = arena[: rows * shot.width]
        self.at = 0
        self.file = open(store.path(shot.number, 0), "wb")
        self.layers = 1

    def row(self, line):
        if self.gather(line, self.buf[self.at :]):
            self.at += self.width
            if self.at == len(self.buf):
                self.file.write(self.buf)
                self.at = 0

    def step(self):
        return False

    def finish(self):
        self.file.write(self.buf[: self.at])
        self.at = 0
        return False

    def close(self):
        self.file.close()
