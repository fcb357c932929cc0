"""The unit's key and anti-replay floor on flash: what link/sdls asks of a key store.

/key.bin: 32 bytes of key as installed, or 34 with the security parameter index behind it after a rotation.
/t/floor: index u16, floor u32, V(R) u8; a floor of another index is not ours and counts as 0.
"""

import struct

from rover.link import sdls

_KEY = "/key.bin"
_FLOOR = "/t/floor"


class FlashKeys:
    """insecure: the bench mode without authentication, asked for in /config.json; then no key is used."""

    def __init__(self, insecure=False):
        self.insecure = insecure

    def load(self):
        if self.insecure:
            return None, sdls.SPI, 0, 0
        with open(_KEY, "rb") as f:
            data = f.read()
        if len(data) not in (32, 34):
            raise ValueError("/key.bin must have 32 bytes")
        spi = data[32] << 8 | data[33] if len(data) == 34 else sdls.SPI
        floor = vr = 0
        try:
            with open(_FLOOR, "rb") as f:
                kept = struct.unpack(">HIB", f.read())
            if kept[0] == spi:
                floor, vr = kept[1:]
        except (OSError, ValueError):
            pass
        self._spi = spi
        return data[:32], spi, floor, vr

    def save_floor(self, n, vr):
        with open(_FLOOR, "wb") as f:
            f.write(struct.pack(">HIB", self._spi, n, vr))

    def save_key(self, key, spi):
        """The new key counts from the close of its file on; its floor is 0 because the old one has another index."""
        with open(_KEY, "wb") as f:
            f.write(key + bytes((spi >> 8, spi & 255)))
        self._spi = spi
