"""SDLS authentication (355.0-B) of TC frames: HMAC-SHA-256 with a 256-bit key, tag of 16 bytes, 4-byte anti-replay sequence number.

Frame: primary header | SPI (2) | sequence number (4) | packet or control command | MAC (16) | FECF. The MAC covers everything before it,
the primary header with N(S) and the bypass flag included, and control (BC) frames too: so nothing of a recorded frame can be changed or
moved, and no forged frame moves FARM-1. Every transmission has a number of its own, retransmissions as well; a number at or below the floor
is a replay.

The floor is kept on flash `AHEAD` numbers ahead of what was taken, so that flash is written once in `AHEAD` frames and nothing that was
taken before a reset is taken again after it.
"""

import hashlib

from micropython import const

HEADER = const(6)
MAC = const(16)
AHEAD = const(64)
SPI = const(1)  # security parameter index of the operational key; 2 is the key after a rotation, and so on

OK = const(0)
BAD_SPI = const(1)
BAD_MAC = const(2)
REPLAY = const(3)


def hmac(key, data):
    """HMAC-SHA-256 (RFC 2104) of one buffer; the key is at most 64 bytes."""
    block = bytearray(64)
    block[: len(key)] = key
    for i in range(64):
        block[i] ^= 0x36
    inner = hashlib.sha256(block)
    inner.update(data)
    for i in range(64):
        block[i] ^= 0x36 ^ 0x5C
    outer = hashlib.sha256(block)
    outer.update(inner.digest())
    return outer.digest()


class Keystore:
    """What the security needs kept: key, its index, the floor. This one forgets; the unit's keys.FlashKeys keeps them in files.

    load() -> (key: 32 bytes or None for the insecure bench mode, spi, floor, V(R) saved with it) ; save_floor(n, vr) ; save_key(key, spi).
    """

    def __init__(self, key, spi=SPI, floor=0, vr=0):
        self._key, self._spi, self._floor, self._vr = key, spi, floor, vr

    def load(self):
        return self._key, self._spi, self._floor, self._vr

    def save_floor(self, n, vr):
        self._floor = n
        self._vr = vr

    def save_key(self, key, spi):
        self._key, self._spi = key, spi
        self._floor = 0


class Security:
    """Attributes for telemetry: floor (highest number taken), stored (the floor on flash), insecure."""

    def __init__(self, keystore):
        self._store = keystore
        self._key, self.spi, self.stored, self.vr = keystore.load()
        self.floor = self.stored
        self.insecure = self._key is None

    def verify(self, view, n):
        """Check the frame view[:n] without its FECF. OK, BAD_SPI, BAD_MAC or REPLAY. Nothing changes."""
        if n < 5 + HEADER + MAC or view[5] << 8 | view[6] != self.spi:
            return BAD_SPI
        tag = hmac(self._key, view[: n - MAC])
        wrong = 0
        for i in range(MAC):
            wrong |= tag[i] ^ view[n - MAC + i]
        if wrong:
            return BAD_MAC
        return OK if self.number(view) > self.floor else REPLAY

    def key(self):
        """The operational key, or None in the insecure bench mode: for what else the ground must prove."""
        return self._key

    def number(self, view):
        return view[7] << 24 | view[8] << 16 | view[9] << 8 | view[10]

    def take(self, view, vr):
        """The frame was verified: move the floor, on flash first when it has to. vr: V(R) now, kept beside it."""
        n = self.number(view)
        if n >= self.stored:
            self.store(n, vr)
        self.floor = n

    def store(self, n, vr):
        self.stored = min(n + AHEAD, 0xFFFFFFFF)
        self._store.save_floor(self.stored, vr)

    def maintain(self, vr):
        """Call when nothing is coming in: writes the floor before it is needed, for writing to flash makes the chip deaf. True if it wrote."""
        if self.insecure or self.stored - self.floor > AHEAD // 2 or self.floor == self.stored:
            return False
        self.store(self.floor, vr)
        return True

    def rotate(self, nonce):
        """Go over to the next key, HMAC(key, "rotate" + nonce): what is sent tells nothing to a listener who lacks the key in use.

        Its index follows and its numbers start at 1. The old key is not accepted any more; a power cut leaves one of the two.
        """
        key = hmac(self._key, b"rotate" + bytes(nonce))
        spi = self.spi + 1 if self.spi < 0xFFFE else 1
        self._store.save_key(key, spi)
        self._key, self.spi, self.stored, self.vr = self._store.load()
        self.floor = self.stored
