"""Products on flash: /p/NNNN.m is the catalogue entry (record "product" of the dictionary), /p/NNNN.K layer K.

LittleFS makes a file's new content visible at close, all or nothing; the entry is written after the layers, so a power
cut leaves either a whole product or layers without an entry, which start-up removes.
"""

import os
import struct

from micropython import const

from rover import dictionary as d

FOLDER = "/p"
_RECORD = ">BHBBBBBBBBBHHHHBIHBIIHH"
RECORD_SIZE = struct.calcsize(_RECORD)
_VERSION = const(1)
# positions in the record of the fields that change
_AT_STATE = const(4)
_AT_PROTECTED = const(5)
_AT_PRIORITY = const(6)
_RESERVE = const(24576)  # kept free for transactions, tables and LittleFS's own copies


class Store:
    def __init__(self, app):
        self.app = app
        self.next = 1
        self.lost = 0

    def path(self, number, layer):
        return "%s/%04d.%s" % (FOLDER, number, layer)

    def new(self):
        """The next product id; entries are written by commit()."""
        number = self.next
        self.next = number + 1 if number < 9999 else 1
        return number

    def commit(
        self, number, kind, priority, layers, codec, form, camera, depth, width, height, x, y, binning, exposure, gain
    ):
        """Write the catalogue entry, after all layers are closed."""
        app = self.app
        size = 0
        for layer in range(layers):
            size += os.stat(self.path(number, layer))[6]
        clock = app.clock
        clock.update()
        record = struct.pack(
            _RECORD, _VERSION, number, kind, d.PRODUCT_STATE_TAKEN, 0, priority, layers, codec, form, camera, depth,
            width, height, x, y, binning, clock.seconds, (clock.micros << 10) // 15625, clock.synchronised, size,
            exposure, gain, app.pool.get(d.P_BOOT_COUNT),
        )  # fmt: skip
        self._write(number, record)
        app.pool.add(d.P_PRODUCTS_STORED)
        return size

    def _write(self, number, record):
        with open(self.path(number, "m"), "wb") as f:
            f.write(record)

    def read(self, number):
        """The catalogue entry as bytes, or None."""
        try:
            with open(self.path(number, "m"), "rb") as f:
                record = f.read()
        except OSError:
            return None
        return record if len(record) == RECORD_SIZE and record[0] == _VERSION else None

    def change(self, number, state=None, protected=None, priority=None):
        """Write the entry anew where something differs; False when there is no such product."""
        old = self.read(number)
        if old is None:
            return False
        record = bytearray(old)
        if state is not None:
            record[_AT_STATE] = state
        if protected is not None:
            record[_AT_PROTECTED] = protected
        if priority is not None:
            record[_AT_PRIORITY] = priority
        if record != old:
            self._write(number, record)
        return True

    def numbers(self, first=0):
        """Product ids from `first` on, oldest first."""
        found = []
        for name in os.listdir(FOLDER):
            if name.endswith(".m"):
                try:
                    number = int(name[:4])
                except ValueError:
                    continue
                if number >= first:
                    found.append(number)
        found.sort(key=lambda n: (n - self.next) % 10000)  # ids wrap: the next id's successor is the oldest
        return found

    def delete(self, number):
        """Remove a product; the entry goes first, so that a cut never leaves an entry without layers."""
        known = False
        for layer in ("m", "c", 0, 1, 2, 3, 4, 5, 6, 7):
            try:
                os.remove(self.path(number, layer))
                known = known or layer == "m"
            except OSError:
                pass
        if known:
            self.app.pool.set(d.P_PRODUCTS_STORED, max(0, self.app.pool.get(d.P_PRODUCTS_STORED) - 1))
        return known

    def free(self):
        """Free bytes of the file system beyond the reserve."""
        s = os.statvfs("/")
        return s[0] * s[3] - _RESERVE

    def make_room(self, wanted, lose=True):
        """Whether `wanted` bytes are free; the oldest unprotected products go for it (services/room.py)."""
        if self.free() >= wanted:
            return True
        from rover.services.room import make_room

        return make_room(self.app, wanted, lose)


def unpack(record):
    return struct.unpack(_RECORD, record)
