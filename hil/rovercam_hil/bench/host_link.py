"""How fast the ground decodes a recording: bytes of the line per second of wall time, clean and with bit errors.

``measure()`` makes a recording of full frames (host coder), disturbs it and feeds it to a Receiver in pieces of 64 KiB.
"""

from __future__ import annotations

import binascii
import sys
import time
import tracemalloc
from dataclasses import dataclass

import numpy as np
from rovercam.protocol import reedsolomon
from rovercam.protocol.codeblock import PN
from rovercam.protocol.downlink import Receiver
from rovercam.protocol.profiles import MARKER, TABLE

PIECE = 65536
_LINES = ((11, 0.0), (13, 0.0), (15, 0.0), (0, 0.0), (13, 1e-4), (14, 1e-4), (15, 1e-4), (0, 1e-4), (15, 1e-3))


@dataclass(frozen=True, slots=True)
class Row:
    profile: int
    ber: float
    megabytes_per_second: float
    frames: int
    lost: int
    peak_bytes: int  # of Python's memory while decoding, measured in a separate pass


def recording(profile: int, megabytes: float, seed: int = 1) -> bytes:
    """Frames of virtual channel 1, each with one packet of random bytes."""
    shape = TABLE[profile]
    rng = np.random.default_rng(seed)
    out = []
    for i in range(max(1, int(megabytes * 1e6 / shape.line_length))):
        size = shape.frame_length - 8
        head = bytes((0x10, 0x12, i & 255, i & 255, 0x18, 0, 0x01, 0x11, 0xC0 | i >> 8 & 0x3F, i & 255))
        frame = head + (size - 7).to_bytes(2, "big") + rng.bytes(size - 6)
        out.append(frame + binascii.crc_hqx(frame, 0xFFFF).to_bytes(2, "big"))
    data = np.frombuffer(b"".join(out), np.uint8).reshape(len(out), -1, shape.depth)
    words = np.ascontiguousarray(data.transpose(0, 2, 1)).reshape(len(out) * shape.depth, -1)
    if shape.t:
        words = np.hstack([words, reedsolomon.encode(words, shape.t)])
    blocks = words.reshape(len(out), shape.depth, shape.symbols).transpose(0, 2, 1).reshape(len(out), -1)
    marker = np.broadcast_to(np.frombuffer(MARKER, np.uint8), (len(out), 4))
    return np.hstack([marker, blocks ^ PN[: shape.codeblock_length]]).tobytes()


def disturb(line: bytes, ber: float, seed: int = 2) -> bytes:
    rng = np.random.default_rng(seed)
    out = np.frombuffer(line, np.uint8).copy()
    bits = rng.integers(0, out.size * 8, rng.binomial(out.size * 8, ber))
    np.bitwise_xor.at(out, bits >> 3, (1 << (bits & 7)).astype(np.uint8))
    return out.tobytes()


def _decode(line: bytes) -> tuple[float, Receiver]:
    receiver = Receiver()
    start = time.process_time()
    for i in range(0, len(line), PIECE):
        receiver.feed(line[i : i + PIECE], 0.0)
    return time.process_time() - start, receiver


def measure(megabytes: float = 8.0) -> list[Row]:
    rows = []
    for profile, ber in _LINES:
        line = disturb(recording(profile, megabytes), ber)
        _decode(line[: 4 * PIECE])  # tables are built
        seconds, receiver = _decode(line)
        tracemalloc.start()
        _decode(line[: 16 * PIECE])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        lost = len(line) // TABLE[profile].line_length - receiver.counters.frames
        rows.append(Row(profile, ber, len(line) / seconds / 1e6, receiver.counters.frames, lost, peak))
    return rows


@dataclass(frozen=True, slots=True)
class Long:
    """A long recording. resident: bytes of the process's peak after a tenth of it, and at its end."""

    megabytes: float
    megabytes_per_second: float
    resident_early: int
    resident_end: int


def long(megabytes: float = 1000.0, profile: int = 13, ber: float = 0.0) -> Long:
    """Decode so much: a recording of 8 MB over and over. Raises OSError where the peak of memory cannot be asked (Windows)."""
    try:
        import resource
    except ImportError as error:
        raise OSError("this system does not tell a process's peak of memory") from error

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    line = disturb(recording(profile, 8.0), ber)
    receiver = Receiver()
    rounds = max(10, round(megabytes * 1e6 / len(line)))
    early = 0
    start = time.process_time()
    for k in range(rounds):
        for i in range(0, len(line), PIECE):
            receiver.feed(line[i : i + PIECE], 0.0)
        if k == rounds // 10:
            early = peak()
    seconds = time.process_time() - start
    size = rounds * len(line)
    return Long(size / 1e6, size / seconds / 1e6, early, peak())


if __name__ == "__main__":
    for row in measure():
        print(
            f"{TABLE[row.profile]!s:32} BER {row.ber:<7g} {row.megabytes_per_second:7.1f} MB/s "
            f"{row.frames:6} frames {row.lost:4} lost, peak {row.peak_bytes / 1e6:.1f} MB"
        )
