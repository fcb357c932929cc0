"""The downlink receiver: bytes of the line in, frames and packets out (131.0-B, 132.0-B). Sans-IO.

How a frame is found:
1. Locked: the last frame ended here. The profile of that frame is tried at once, marker damaged or not (flywheel); runs of frames are checked together.
2. Otherwise, or when that fails, every place that looks like a marker (at most ``tolerance`` of 32 bits wrong) is tried with every profile of the table.
   Such a guess needs evidence for its length: the next marker, or the end of what was received with packets that end there.
3. A locked frame that fails, with the next marker a few bytes off from where a frame of its t would end, lost or gained bytes: the slip is
   repaired by guessing where (slip.py).

Promises: received = framed + discarded + held, always; memory is bounded by the longest frame plus the piece fed.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from . import slip, tm
from .codeblock import PN, Found, decode_any, decode_blocks
from .events import Discarded, Event, FrameReceived, PacketReceived, ProfileDetected, Slip
from .profiles import LONGEST, MARKER, SHAPES, TABLE, Profile
from .stretch import Stretch

BATCH = 1 << 18  # bytes of frames checked together; bounds the working memory
SLIP_REACH = 8  # bytes lost or gained in one frame that are looked for
SILENCE = 0.1  # seconds without a byte after which a frame with errors is taken although no marker follows
_make = tuple.__new__  # of a named tuple in the order of its fields: there are 80,000 a second of them
_WINDOW = 8192  # bytes searched for markers at a time

_MARKER_BYTES = np.frombuffer(MARKER, np.uint8)
_BITS = np.array([i.bit_count() for i in range(256)], np.uint8)
_DISTANCE = [_BITS[np.arange(256) ^ m] for m in MARKER]


@dataclass
class Counters:
    """All in bytes or pieces since the receiver was made."""

    received: int = 0
    framed: int = 0
    discarded: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    packets: int = 0
    corrected: int = 0  # wrong bytes put right
    uncorrectable: int = 0  # frames at their place that could not be corrected
    slips_repaired: int = 0
    slips_lost: int = 0
    marker_errors: int = 0  # wrong bits in the markers of good frames
    profile_changes: int = 0

    @property
    def discarded_total(self) -> int:
        return sum(self.discarded.values())


class Receiver:
    """scids: the spacecraft ids taken (None: all). tolerance: wrong bits accepted in a marker. profile: where to begin, None finds out."""

    def __init__(self, *, scids: frozenset[int] | None = None, tolerance: int = 4, profile: int | None = None) -> None:
        self.counters = Counters()
        self.depacketizer = tm.Depacketizer()
        self.profile: Profile | None = None if profile is None else TABLE[profile]
        self._scids = scids
        self._tolerance = tolerance
        self._buffer = b""
        self._base = 0  # stream position of the buffer's first byte
        self._locked = False
        self._markers: list[int] = []  # stream positions that look like a marker
        self._searched = 0  # stream position up to which they were looked for
        self._tried: set[tuple[int, tuple[int, int], str]] = set()
        self._last = 0.0
        self._came = float("-inf")  # when the last byte did
        self._stretch = Stretch(PN)
        self._breaks: list[int] = []  # stream positions in front of which the line was silent
        self._reported: Profile | None = None

    @property
    def held(self) -> int:
        return len(self._buffer)

    @property
    def locked(self) -> bool:
        return self._locked

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Take what the line brought."""
        events: list[Event] = []
        if not data:
            return events
        self.counters.received += len(data)
        if now - self._came > SILENCE and (self._buffer or self._stretch):
            known = [b for b in self._breaks if b > self._stretch.start]
            self._breaks = [*known[:1], self._base + len(self._buffer)]
        self._last = self._came = now
        self._buffer += bytes(data)
        self._run(now, events, silent=False)
        return events

    def poll(self, now: float) -> list[Event]:
        """Call when deadline() has come: silence ends the wait for a marker behind a frame with errors."""
        events: list[Event] = []
        if self._buffer and now - self._last >= SILENCE:
            self._last = float("inf")
            self._run(now, events, silent=True)
        return events

    def deadline(self) -> float | None:
        return self._last + SILENCE if self._buffer and self._last != float("inf") else None

    def flush(self, now: float) -> list[Event]:
        """The line ended: what is still held is discarded."""
        events: list[Event] = []
        self._run(now, events, silent=True)
        while self._buffer:
            # A broken frame at the head may hide whole ones behind it.
            self._locked = False
            self._drop(1, "end", now, events)
            self._run(now, events, silent=True)
        return events

    # -- the search -----------------------------------------------------------------------------------------------------------------

    def _run(self, now: float, events: list[Event], *, silent: bool) -> None:
        while self._buffer:
            if self._locked and self._batch(now, events):
                continue
            if not self._search(now, events, silent):
                break

    def _batch(self, now: float, events: list[Event]) -> bool:
        """Frames of the known profile, one behind the other. True if any was taken."""
        profile = self.profile
        assert profile is not None
        length = profile.line_length
        n = min(len(self._buffer) // length, BATCH // length)
        if not n:
            return False
        lines = np.frombuffer(self._buffer, np.uint8, n * length).reshape(n, length)
        wrong = _BITS[lines[:, :4] ^ _MARKER_BYTES].sum(axis=1)
        far = np.flatnonzero(wrong > self._tolerance)
        run = int(far[0]) if far.size else n
        if not run:
            run = 1  # flywheel: the marker alone may be what was hit
        blocks = lines[:run, 4:] ^ PN[: length - 4]
        frames, corrected = decode_blocks(blocks, profile)
        taken = 0
        size = profile.frame_length
        data = frames.tobytes()
        rows = zip(tm.headers(frames), corrected.tolist(), wrong.tolist(), strict=False)
        for i, (header, fixed, bits) in enumerate(rows):
            frame = data[i * size : (i + 1) * size]
            if fixed < 0 or header is None or not tm.whole(frame):
                break
            self._emit(profile, frame, header, fixed, bits, 0, length, now, events)
            taken += 1
        self._advance(taken * length)
        if taken:
            self._stretch.begin(self._base)
        return taken > 0

    def _search(self, now: float, events: list[Event], silent: bool) -> bool:
        """Look for the next frame at or behind the head. True if anything was consumed."""
        end = self._base + len(self._buffer)
        self._look(min(end, max(self._searched, self._base) + _WINDOW))
        places = self._markers
        if self._locked and (not places or places[0] != self._base):
            places = [self._base, *places]
        alive: int | None = None
        for place in places:
            found, open_ = self._examine(place, silent)
            if found:
                self._lost_stretch(place, now, events)
                length = found.profile.line_length
                self._locked = True
                self._emit(*found, length, now, events)
                self._advance(length)
                self._stretch.begin(self._base)
                return True
            if open_ and alive is None:
                alive = place
            if place == self._base and self._locked and self._dead_head(now, events):
                return True
        if self._searched < end - 3:
            # The window held no frame. Search on, and let go of what nothing can begin in any more.
            if alive is None and not self._locked:
                self._let_go(self._searched, now, events)
            elif self._locked and self._searched - self._base > 2 * LONGEST:
                self._unlock(now, events, alive)
            return True
        keep = end - 3 if alive is None else alive
        if self._locked:
            assert self.profile is not None
            if end - self._base > self.profile.line_length + LONGEST:
                self._unlock(now, events, alive)
                return True
            return False
        return self._let_go(keep, now, events)

    def _look(self, upto: int) -> None:
        """Extend the list of markers to stream position ``upto``."""
        start = self._searched = max(self._searched, self._base)
        if upto - start < 4:
            return
        piece = np.frombuffer(self._buffer, np.uint8, upto - start, start - self._base)
        n = piece.size - 3
        distance = _DISTANCE[0][piece[:n]]
        for i in range(1, 4):
            distance = distance + _DISTANCE[i][piece[i : n + i]]
        self._markers += (np.flatnonzero(distance <= self._tolerance) + start).tolist()
        self._searched = start + n

    def _examine(self, place: int, silent: bool) -> tuple[Found | None, bool]:
        """Try every profile at a stream position. Second value: longer ones may still fit when more bytes come."""
        at = place - self._base
        have = len(self._buffer) - at
        wrong = _distance(self._buffer[at : at + 4])
        open_ = False
        for shape in SHAPES:
            length = 4 + shape[0] * shape[1]
            if have < length:
                return None, True
            behind = self._buffer[at + length : at + length + 4]
            own = self._locked and place == self._base and self.profile is not None
            if len(behind) == 4 and _distance(behind) <= self._tolerance:
                rule = "marker"
            elif behind == MARKER[: len(behind)]:
                rule = "silent" if silent else "end"
                open_ = True
            elif own and self.profile is not None and shape == (self.profile.symbols, self.profile.depth):
                rule = "own"
            else:
                open_ = open_ or len(behind) < 4
                continue
            key = (place, shape, rule)
            if key in self._tried:
                continue
            self._tried.add(key)
            block = np.frombuffer(self._buffer, np.uint8, length - 4, at + 4) ^ PN[: length - 4]
            found = decode_any(block, shape, self.profile, correct=rule != "end")
            if found is None or (rule in {"end", "silent"} and not tm.self_contained(found.frame, found.header)):
                continue
            return found._replace(marker_errors=wrong), False
        return None, open_

    def _dead_head(self, now: float, events: list[Event]) -> bool:
        """The locked frame at the head failed with every profile. True if that could be settled."""
        profile = self.profile
        assert profile is not None
        length = profile.line_length
        if len(self._buffer) >= length + 4 and _distance(self._buffer[length : length + 4]) <= self._tolerance:
            self.counters.uncorrectable += 1
            self._drop(length, "uncorrectable", now, events)
            return True
        if not profile.t:
            return False
        shapes = (s for s in _family(profile) if len(self._buffer) >= s.line_length + 4)
        return any(self._slipped(shape, now, events) for shape in shapes)

    def _slipped(self, profile: Profile, now: float, events: list[Event]) -> bool:
        """Whether the head is a frame of this profile with a few bytes too many or too few, and could be repaired."""
        due = self._base + profile.line_length
        low = bisect_left(self._markers, due - SLIP_REACH)
        for place in self._markers[low:]:
            if place > due + SLIP_REACH:
                break
            key = (place, (profile.symbols, profile.depth), "slip")
            if key in self._tried:
                continue
            self._tried.add(key)
            if self._repair(place, profile, now, events):
                return True
        return False

    def _repair(self, place: int, profile: Profile, now: float, events: list[Event]) -> bool:
        size = place - self._base
        got = slip.repair(np.frombuffer(self._buffer, np.uint8, size), profile, PN)
        if got is None:
            return False
        frame, corrected = got
        header = tm.check(frame)
        assert header is not None
        shift = size - profile.line_length
        self.counters.slips_repaired += 1
        events.append(Slip(count=shift, repaired=True, now=now))
        self._emit(profile, frame, header, corrected, 0, shift, size, now, events)
        self._advance(size)
        self._stretch.begin(self._base)
        return True

    def _lost_stretch(self, place: int, now: float, events: list[Event]) -> None:
        """Everything before a good frame that is no frame."""
        size = place - self._base
        if not size:
            return
        reason = "noise"
        if self._locked:
            assert self.profile is not None
            shifts = [size - shape.line_length for shape in _family(self.profile)]
            shift = min(shifts, key=abs)
            if shift and abs(shift) <= SLIP_REACH:
                reason = "slip"
                self.counters.slips_lost += 1
                events.append(Slip(count=shift, repaired=False, now=now))
            else:
                reason = "uncorrectable"
                self.counters.uncorrectable += max(1, round(size / self.profile.line_length))
        self._drop(size, reason, now, events)

    def _unlock(self, now: float, events: list[Event], alive: int | None) -> None:
        """The flywheel ran out: a frame and a longest frame long nothing was right."""
        assert self.profile is not None
        self._locked = False
        self.counters.uncorrectable += 1
        self._let_go(self._base + 4 if alive is None or alive == self._base else alive, now, events, "uncorrectable")

    def _let_go(self, place: int, now: float, events: list[Event], reason: str = "noise") -> bool:
        if place <= self._base:
            return False
        self._drop(place - self._base, reason, now, events)
        return True

    # -- bookkeeping ------------------------------------------------------------------------------------------------------------------

    def _drop(self, count: int, reason: str, now: float, events: list[Event]) -> None:
        self.counters.discarded[reason] = self.counters.discarded.get(reason, 0) + count
        events.append(Discarded(count=count, reason=reason, now=now))
        self._stretch.add(self._buffer[:count])
        self._advance(count)

    def _advance(self, count: int) -> None:
        if not count:
            return
        self._buffer = self._buffer[count:]
        self._base += count
        if self._markers:
            del self._markers[: bisect_left(self._markers, self._base)]
        if self._tried:
            self._tried = {k for k in self._tried if k[0] >= self._base}

    def _emit(
        self, profile: Profile, frame: bytes, header: tm.Header, corrected: int, marker_errors: int, slipped: int,
        length: int, now: float, events: list[Event],
    ) -> None:  # fmt: skip
        """A good frame; ``length`` of its bytes on the line."""
        counters = self.counters
        scid, vcid, has_ocf, mc_count, vc_count, _ = header
        if self._scids is not None and scid not in self._scids:
            counters.discarded["foreign"] = counters.discarded.get("foreign", 0) + length
            events.append(Discarded(count=length, reason="foreign", now=now))
            self.profile = profile
            return
        counters.framed += length
        counters.frames += 1
        counters.corrected += corrected
        counters.marker_errors += marker_errors
        reported = self._reported
        if self._stretch:
            due = profile if reported is None or reported.t != profile.t else reported
            events += self._stretch.fragments(due, self._breaks, now)
            self._stretch.begin(self._base)
        self.profile = profile
        if reported is not profile and (
            reported is None or profile.t != reported.t or profile.line_length > reported.line_length
        ):
            self._reported = profile
            counters.profile_changes += 1
            events.append(ProfileDetected(number=profile.number, now=now))
        packets, lost = self.depacketizer.frame(frame, header)
        ocf = int.from_bytes(frame[-6:-2], "big") if has_ocf else None
        found = (
            scid, vcid, frame, mc_count, vc_count, ocf, profile.number, corrected, marker_errors, lost, slipped, now,
        )  # fmt: skip
        events.append(_make(FrameReceived, found))
        counters.packets += len(packets)
        for packet in packets:
            apid = (packet[0] & 7) << 8 | packet[1]
            events.append(_make(PacketReceived, (scid, vcid, apid, packet, now)))


@cache
def _family(profile: Profile) -> tuple[Profile, ...]:
    """The shapes a sender in this profile uses: its own first, then the others of the same t (shortened frames)."""
    return (profile, *(p for p in TABLE if p.t == profile.t and p is not profile))


def _distance(marker: bytes) -> int:
    return (int.from_bytes(marker, "big") ^ 0x1ACFFC1D).bit_count() if len(marker) == 4 else 32
