"""TC transfer frames (232.0-B), their authentication (355.0-B) and the CLTU around them (231.0-B): packets in, bytes for the line out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from functools import cache

import crcmod.predefined

MAX_FRAME = 512
HEADER = 5
SECURITY_HEADER = 6
MAC = 16
FECF = 2
SPI = 1
START = b"\xeb\x90"
TAIL = b"\xc5\xc5\xc5\xc5\xc5\xc5\xc5\x79"
FILL = 0x55
UNLOCK = b"\x00"

_crc = crcmod.predefined.mkPredefinedCrcFun("crc-ccitt-false")


def set_vr(value: int) -> bytes:
    """The control command Set V(R)."""
    return bytes((0x82, 0x00, value))


class Sequence:
    """Numbers of sent frames (anti-replay), rising over restarts: ``save`` is given a bound ahead of what was used, to be kept."""

    AHEAD = 256

    def __init__(self, start: int = 0, save: Callable[[int], None] | None = None) -> None:
        self._last = start
        self._saved = start
        self._save = save

    @property
    def last(self) -> int:
        return self._last

    def take(self) -> int:
        return self.skip(1)

    def skip(self, count: int) -> int:
        if self._last + count > 0xFFFFFFFF:
            raise OverflowError("anti-replay numbers of this key are used up: rotate the key")
        self._last += count
        if self._last > self._saved and self._save:
            self._saved = self._last + self.AHEAD
            self._save(self._saved)
        return self._last


def max_packet(*, secured: bool = True) -> int:
    """Longest packet one frame carries."""
    return MAX_FRAME - HEADER - FECF - (SECURITY_HEADER + MAC if secured else 0)


def frame(
    scid: int,
    data: bytes,
    *,
    ns: int = 0,
    vcid: int = 0,
    bypass: bool = False,
    control: bool = False,
    key: bytes | None = None,
    number: int = 0,
    spi: int = SPI,
) -> bytes:
    """One transfer frame, authenticated when there is a key. ValueError when the data is too long for a frame."""
    length = HEADER + len(data) + FECF + (SECURITY_HEADER + MAC if key is not None else 0)
    if length > MAX_FRAME:
        raise ValueError(
            f"telecommand data of {len(data)} bytes, at most {max_packet(secured=key is not None)} fit a frame"
        )
    first = (0x20 if bypass else 0) | (0x10 if control else 0) | scid >> 8
    body = bytes((first, scid & 0xFF, vcid << 2 | (length - 1) >> 8, (length - 1) & 0xFF, ns))
    if key is None:
        body += data
    else:
        body += spi.to_bytes(2, "big") + number.to_bytes(4, "big") + data
        body += hmac.digest(key, body, hashlib.sha256)[:MAC]
    return body + _crc(body).to_bytes(2, "big")


@cache
def _parity_tables() -> tuple[tuple[int, ...], ...]:
    """Remainder of each byte at each of the seven places, g(x) = x^7 + x^6 + x^2 + 1 (231.0-B 3.3)."""
    tables = []
    for place in range(7):
        row = []
        for byte in range(256):
            value = byte << (8 * (6 - place) + 7)
            for bit in range(62, 6, -1):
                if value >> bit & 1:
                    value ^= 0xC5 << (bit - 7)
            row.append(value)
        tables.append(tuple(row))
    return tuple(tables)


def bch_parity(block: bytes) -> int:
    """Eighth byte of a codeblock: seven complemented parity bits and the filler 0."""
    remainder = 0
    for table, byte in zip(_parity_tables(), block, strict=True):
        remainder ^= table[byte]
    return (remainder ^ 0x7F) << 1


def cltu(tc_frame: bytes) -> bytes:
    """Start sequence, codeblocks, tail sequence."""
    padded = tc_frame + bytes((FILL,)) * (-len(tc_frame) % 7)
    blocks = (padded[i : i + 7] for i in range(0, len(padded), 7))
    return START + b"".join(b + bytes((bch_parity(b),)) for b in blocks) + TAIL
