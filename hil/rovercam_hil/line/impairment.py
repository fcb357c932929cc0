"""One direction of the line, on virtual time, sans-IO: bytes and times in, bytes and times out.

Every random process has its own generator, seeded from seed, direction and name, and is drawn per bit, per byte or per
second of the line - never per call. So what comes out depends on the bytes and their times alone, not on how they were
cut into calls, and one kind of error does not move another.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rovercam_hil.line.receiver import BitReceiver
from rovercam_hil.line.spec import DirectionSpec

Times = NDArray[np.float64]


@dataclass(slots=True)
class Counters:
    """Bytes since the start. offered = delivered + dropped + outage + overflow + framing_lost - inserted."""

    offered: int = 0
    delivered: int = 0
    corrupted: int = 0
    dropped: int = 0
    inserted: int = 0
    outage: int = 0
    overflow: int = 0
    framing_lost: int = 0  # more bytes than came out of misaligned reception (negative: false starts made more)


class _Every:
    """Positions, in a stream of trials, of successes of probability ``p``: drawn as gaps."""

    def __init__(self, p: float, rng: random.Random) -> None:
        self.p, self.rng = p, rng
        self.next = -1
        self._advance()

    def _advance(self) -> None:
        if self.p <= 0.0:
            self.next = 1 << 62
        elif self.p >= 1.0:
            self.next += 1
        else:
            u = 1.0 - self.rng.random()
            self.next += 1 + int(math.log(u) / math.log1p(-self.p))

    def upto(self, end: int) -> list[int]:
        """The successes before trial number ``end``, each given out once."""
        found = []
        while self.next < end:
            found.append(self.next)
            self._advance()
        return found


class Impairment:
    """``push`` bytes, get what arrives and when. ``name`` ("down", "up") separates the directions' randomness."""

    def __init__(self, spec: DirectionSpec, name: str = "down", seed: int = 1) -> None:
        self.spec = spec
        self.counters = Counters()
        self.free = -math.inf  # when the last byte accepted leaves the line
        self._bits = self._bytes = self._received = 0

        def rng(what: str) -> random.Random:
            return random.Random(f"{seed}/{name}/{what}")

        self._ber = _Every(spec.ber, rng("ber"))
        self._framing = _Every(spec.framing, rng("framing"))
        self._framed = 0
        self._drop = _Every(spec.drop, rng("drop"))
        self._insert = _Every(spec.insert, rng("insert"))
        self._inserted = rng("inserted byte")
        self._noise = rng("noise")
        self._burst = rng("burst")
        self._burst_at = (math.inf, math.inf)
        if spec.burst > 0.0:
            self._burst_at = (0.0, 0.0)
            self._next_burst()
        self._ge = rng("ge")
        self._ge_bad = False
        self._receiver = BitReceiver()

    # -- the line ----------------------------------------------------------------------------------------------------

    def push(self, data: bytes, at: float | Times | list[float]) -> tuple[bytes, list[float]]:
        """``data`` is given to the line: all at time ``at`` (the line paces it), or byte k complete at ``at[k]`` (a sender
        that paces itself). Returns what arrives, and for each byte the time at which it is complete at the far end."""
        if not data:
            return b"", []
        spec, c = self.spec, self.counters
        values = np.frombuffer(bytes(data), np.uint8).copy()
        c.offered += len(values)
        values, added = self._add(values)
        if isinstance(at, int | float):
            ends = self._pace(float(at), len(values))
        else:
            due = np.full(len(values), -math.inf)  # an inserted byte comes as soon as the line is free
            due[~added] = np.asarray(at, float)
            ends = self._paced(due)
        if len(ends) < len(values):
            c.overflow += len(values) - len(ends)
            values = values[: len(ends)]
        if not len(values):
            return b"", []
        changed = self._data_bits(values)
        changed |= self._bursts(values, ends)
        changed |= self._gilbert_elliott(values)
        if spec.framing > 0.0:
            before = len(values)
            values, ends, hit = self._framing_errors(values, ends)
            c.framing_lost += before - len(values)
            changed = hit if len(values) != before else changed | hit
        c.corrupted += int(np.count_nonzero(changed))
        values, ends = self._lose(values, ends)
        if spec.dead:
            c.outage += len(values)
            return b"", []
        if spec.outage:
            lost = np.zeros(len(ends), bool)
            for start, end in spec.outage:
                lost |= (ends > start) & (ends <= end)
            c.outage += int(lost.sum())
            values, ends = values[~lost], ends[~lost]
        c.delivered += len(values)
        return values.tobytes(), (ends + spec.delay).tolist()

    def _pace(self, at: float, n: int) -> Times:
        step = self.spec.byte_time
        if step == 0.0:
            self.free = max(at, self.free)
            return np.full(n, self.free)
        start = max(at, self.free)
        if self.spec.fifo:
            waiting = max(0, math.ceil((start - at) / step))
            n = max(0, min(n, self.spec.fifo - waiting))
        ends: Times = start + step * np.arange(1, n + 1, dtype=np.float64)
        if n:
            self.free = float(ends[-1])
        return ends

    def _paced(self, at: Times) -> Times:
        # A hair under the byte time, so that a sender at the line's own rate is not pushed later by rounding.
        steps = np.arange(len(at)) * (self.spec.byte_time * 0.98)
        lead = np.maximum.accumulate(at - steps)
        first = self.free + self.spec.byte_time * 0.98
        ends = np.maximum(lead, first) + steps
        self.free = float(ends[-1])
        return ends

    # -- what happens to bytes -----------------------------------------------------------------------------------------

    def _data_bits(self, values: NDArray[np.uint8]) -> NDArray[np.bool_]:
        hit = np.zeros(len(values), bool)
        base = self._bits
        self._bits += 8 * len(values)
        for bit in self._ber.upto(self._bits):
            at, k = divmod(bit - base, 8)
            values[at] ^= 1 << k
            hit[at] = True
        return hit

    def _next_burst(self) -> None:
        spec = self.spec
        length = spec.burst_len * 1e-3
        if spec.burst >= 1.0:
            self._burst_at = (0.0, math.inf)
            return
        gap = self._burst.expovariate(spec.burst / ((1.0 - spec.burst) * length))
        start = self._burst_at[1] + gap
        self._burst_at = (start, start + length)

    def _bursts(self, values: NDArray[np.uint8], ends: Times) -> NDArray[np.bool_]:
        hit = np.zeros(len(values), bool)
        if self.spec.burst <= 0.0:
            return hit
        while self._burst_at[0] < ends[-1]:
            start, end = self._burst_at
            hit |= (ends > start) & (ends <= end)
            if end > ends[-1]:
                break
            self._next_burst()
        for k in np.flatnonzero(hit):
            values[k] = self._noise.getrandbits(8)
        return hit

    def _gilbert_elliott(self, values: NDArray[np.uint8]) -> NDArray[np.bool_]:
        spec = self.spec
        hit = np.zeros(len(values), bool)
        if spec.ge_in <= 0.0:
            return hit
        rng = self._ge.random
        for k in range(len(values)):
            if self._ge_bad:
                flips = sum(1 << b for b in range(8) if rng() < spec.ge_ber)
                if flips:
                    values[k] ^= flips
                    hit[k] = True
                self._ge_bad = rng() >= spec.ge_out
            else:
                self._ge_bad = rng() < spec.ge_in
        return hit

    def _framing_errors(
        self, values: NDArray[np.uint8], ends: Times
    ) -> tuple[NDArray[np.uint8], Times, NDArray[np.bool_]]:
        base = self._framed
        self._framed += 2 * len(values)  # trials: start bit, stop bit of each byte
        wrong: dict[int, list[int]] = {}
        for trial in self._framing.upto(self._framed):
            at, which = divmod(trial - base, 2)
            wrong.setdefault(at, []).append(which)
        if not wrong and not self._receiver.misaligned:
            return values, ends, np.zeros(len(values), bool)
        return self._receiver.receive(values, ends, wrong, self.spec.byte_time or 1e-6)

    def _add(self, values: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """With bytes inserted; and which those are."""
        base = self._bytes
        self._bytes += len(values)
        after = [k - base + 1 for k in self._insert.upto(self._bytes)]
        if not after:
            return values, np.zeros(len(values), bool)
        self.counters.inserted += len(after)
        extra = [self._inserted.getrandbits(8) for _ in after]
        return np.insert(values, after, np.array(extra, np.uint8)), np.insert(np.zeros(len(values), bool), after, True)

    def _lose(self, values: NDArray[np.uint8], ends: Times) -> tuple[NDArray[np.uint8], Times]:
        base = self._received
        self._received += len(values)
        drops = [k - base for k in self._drop.upto(self._received)]
        if not drops:
            return values, ends
        self.counters.dropped += len(drops)
        return np.delete(values, drops), np.delete(ends, drops)
