"""Self-adaptive line profiles: what the receiver measured in, the profile to command out. Sans-IO.

The model is kept as plain as the evidence allows: wrong bytes come at an unknown rate (a gamma posterior over bytes seen and bytes
corrected), bursts and slips at rates of their own. The expected goodput of every profile the baud rate allows follows, uncertainty
included: with little evidence the tail is heavy and a stronger code wins, and as good frames go by it gets lighter. A lost frame that the
rate of wrong bytes does not explain is a burst, against which no code of the table helps: what it left of the frames is used.

No oscillation: a change has to promise MARGIN, lighter codes wait DWELL seconds after the last change, and old evidence fades slowly.
"""

from __future__ import annotations

from collections import deque
from itertools import takewhile
from math import exp, sqrt

from .events import Discarded, Event, FrameReceived, Slip
from .profiles import ROBUST, SLOW, TABLE, Profile

OVERHEAD = 31  # bytes of marker, frame and packet headers in a frame of files: 4 + 6 + 2 + 6 + 13
MARGIN = 0.005  # of goodput
DWELL = 3.0  # seconds
RETRY = 5.0  # seconds until a command that was not confirmed is given again
MEMORY = 250_000  # bytes after which evidence weighs 1/e
PROBE = 24_000  # bytes of evidence that are worth asking for on an idle line
PATIENCE = 8.0  # seconds that a lighter code waits for this evidence
BURST = 0.05  # seconds that a burst is taken to last: what it spoils beyond the frame it begins in
_PRIOR = 0.05  # errors, in
_PRIOR_BYTES = 100.0  # bytes
_PRIOR_BURSTS = 0.5  # bursts, in
_PRIOR_BURST_BYTES = 100_000.0  # bytes
_DIGEST = 0.05  # of a spoilt frame's length: the digest that says which parts of it are right
_REPAIR = 120  # bytes around what is sent again for it
_FIRST_BURST = 1.5  # in PROBE bytes: what a loss without a cause is held for
_RECENT = 8  # frames in which a sudden change of the line is looked for
_UNREPAIRED = {0: 1.0, 1: 0.08, 2: 0.02, 4: 0.01, 8: 0.01, 16: 0.01}  # share of frames with one slip that are lost
_UNREPAIRED_TWO = {0: 1.0, 1: 1.0, 2: 0.3, 4: 0.1, 8: 0.05, 16: 0.05}  # and of those with two


def longest_line(baud: int | None) -> int:
    """Bytes of the longest frame: 250 ms from 19200 baud up, 0.5 s at 9600, 2 s at 1200. None: no baud rate (USB)."""
    if baud is None:
        return 1 << 30
    return baud // 40 if baud >= 19200 else min(480, baud // 5)


def allowed(baud: int | None) -> tuple[Profile, ...]:
    """Profiles of the table for this rate; never empty."""
    limit = longest_line(baud)
    fit = tuple(p for p in TABLE if p.line_length <= limit)
    return fit or (TABLE[SLOW],)


def robust(baud: int | None) -> int:
    """Where a unit at this rate begins and falls back to."""
    return ROBUST if TABLE[ROBUST] in allowed(baud) else SLOW


def tail(errors: float, seen: float, length: int, t: int) -> float:
    """Probability of more than t wrong bytes in ``length``, the rate being gamma(errors, seen): negative binomial."""
    ratio = length / (seen + length)
    term = (1 - ratio) ** errors
    total = term
    for k in range(t):
        term *= (errors + k) / (k + 1) * ratio
        total += term
    return max(0.0, 1.0 - total)


class ProfilePolicy:
    """One unit's line. ``current`` is the profile the unit is believed to be in."""

    def __init__(self, baud: int | None, current: int | None = None) -> None:
        self.baud = baud
        self.candidates = allowed(baud)
        self.current = robust(baud) if current is None else current
        self._errors = 0.0
        self._seen = 0.0
        self._bursts = 0.0
        self._burst_bytes = BURST * baud / 10 if baud else 0.0
        self._slips = 0.0
        self._changed = -1e9
        self._asked: int | None = None
        self._asked_at = -1e9
        self._strange = 0
        self._probe_since: float | None = None
        self._held = 0  # wrong bytes of a frame that looks touched by a burst
        self._since = 0  # frames since the last change
        self._recent: deque[tuple[int, int | None]] = deque(
            maxlen=_RECENT
        )  # (bytes, corrected or None for a lost frame)

    def observe(self, event: Event) -> None:
        """Take one event of the Receiver."""
        if isinstance(event, FrameReceived):
            profile = TABLE[event.profile]
            self._fade(profile.line_length)
            self._seen += profile.codeblock_length
            # What a realigned frame had to correct is the guess of the slip's place, not the line's wrong bytes.
            corrected = self._without_burst(profile, 0 if event.slip else event.corrected)
            self._errors += corrected
            self._since += 1
            if profile.t:
                self._recent.append((profile.codeblock_length, corrected))
                self._sudden()
            # The unit is in another profile than was thought (it was reset, or fell back by itself).
            self._strange = self._strange + 1 if profile.t != TABLE[self.current].t else 0
            if self._strange >= 3:
                self.current = robust(self.baud) if profile.t == TABLE[robust(self.baud)].t else profile.number
                self._strange = 0
                self._asked = None
        elif isinstance(event, Slip):
            self._slips += 1
        elif isinstance(event, Discarded) and event.reason == "uncorrectable":
            current = TABLE[self.current]
            frames = max(1, round(event.count / current.line_length))
            for _ in range(frames):
                self._lost(current)

    def _without_burst(self, profile: Profile, corrected: int) -> int:
        """Wrong bytes to reckon with. One frame that had far more than those around it was touched by a burst; two of them are the line."""
        size = profile.codeblock_length
        expected = size * (self._errors + _PRIOR) / (self._seen + _PRIOR_BYTES)
        if self._seen < PROBE / 16 or corrected <= expected + 4 * sqrt(expected) + 4:
            self._held = 0
            return corrected
        if self._held:
            corrected += self._held
            self._held = 0
            return corrected
        self._held = corrected
        self._bursts += profile.line_length / (profile.line_length + self._burst_bytes)
        return 0

    def _lost(self, profile: Profile) -> None:
        """A frame that could not be corrected: its causes share it, each by how likely it was to spoil the frame."""
        self._fade(profile.line_length)
        self._since += 1
        self._recent.append((profile.codeblock_length, None))
        losses = sum(corrected is None for _, corrected in self._recent)
        length = profile.line_length
        wrong = 1.0 - self._passed_errors(profile)
        slips = self._lost_to_slips(profile)
        burst = (self._bursts + _FIRST_BURST) / (self._seen + PROBE) * (length + self._burst_bytes)
        if self._lost_in_a_row() > 2 * self._burst_bytes + 2 * length:
            wrong = max(wrong, burst)  # longer than a burst lasts: the line has become worse
        total = wrong + slips + burst
        self._errors += wrong / total * (profile.t + 1)
        self._slips += slips / total
        # One burst spoils more than one frame when frames are short.
        self._bursts += burst / total * length / (length + self._burst_bytes)
        if wrong > 0.5 * total:
            self._seen += profile.codeblock_length
        lost_bytes = sum(size for size, good in self._recent if good is None)
        if 2 * losses >= _RECENT and lost_bytes > 2 * self._burst_bytes:
            # Hardly anything comes through any more: how bad it is cannot be seen from here, a few steps up the table show it.
            self._seen = float(sum(size for size, _ in self._recent))
            self._errors = 3.0 * losses * (profile.t + 1)
            self._bursts = self._slips = 0.0
            self._recent.clear()

    def _sudden(self) -> None:
        """Many more wrong bytes than the old evidence allows: the line has changed, and the old evidence goes."""
        good = [(size, corrected) for size, corrected in self._recent if corrected is not None]
        size = sum(s for s, _ in good)
        corrected = sum(c for _, c in good)
        expected = size * self._errors / self._seen if self._seen else 0.0
        if self._seen > 2 * size and corrected > expected + 4 * sqrt(expected) + 4:
            self._errors, self._seen = float(corrected), float(size)
            self._bursts = self._slips = 0.0

    def _fade(self, size: int) -> None:
        keep = exp(-size / MEMORY)
        self._errors *= keep
        self._seen *= keep
        self._bursts *= keep
        self._slips *= keep

    def goodput(self, profile: Profile) -> float:
        """Expected share of the raw line that files get."""
        length = profile.line_length
        passed = self._passed_errors(profile) * (1.0 - self._lost_to_slips(profile))
        bursts = (self._bursts + _PRIOR_BURSTS) / (self._seen + _PRIOR_BURST_BYTES)
        passed *= exp(-bursts * self._spoilt(length))
        return passed * max(0, length - OVERHEAD - 2 * profile.t * profile.depth) / length

    def _spoilt(self, length: int) -> float:
        """Bytes that a burst costs the files: its own, and what it takes to get the rest out of the frames it touched (cfdp/salvage.py)."""
        frames = 1.0 + self._burst_bytes / length
        return self._burst_bytes + min(length, frames * (_DIGEST * length + _REPAIR))

    def _passed_errors(self, profile: Profile) -> float:
        """Probability that wrong bytes leave a frame correctable."""
        a, b = self._errors + _PRIOR, self._seen + _PRIOR_BYTES
        # t = 0: one long word, not a power of the depth, for the unknown rate is the same for all of it
        word, depth = (profile.symbols, profile.depth) if profile.t else (profile.codeblock_length, 1)
        return (1.0 - tail(a, b, word, profile.t)) ** depth

    def _lost_to_slips(self, profile: Profile) -> float:
        """Probability that lost or gained bytes spoil a frame beyond repair."""
        slips = self._slips / (self._seen + _PRIOR_BYTES) * profile.line_length
        return min(1.0, slips * _UNREPAIRED[profile.t] + slips * slips / 2 * _UNREPAIRED_TWO[profile.t])

    def _lost_in_a_row(self) -> int:
        """Bytes of the frames lost since the last good one."""
        return sum(size for size, _ in takewhile(lambda frame: frame[1] is None, reversed(self._recent)))

    def best(self) -> Profile:
        return max(self.candidates, key=self.goodput)

    @property
    def byte_error_rate(self) -> float:
        """Of the line, as measured."""
        return self._errors / self._seen if self._seen else 0.0

    def wants_probe(self) -> int:
        """Bytes of idle frames worth asking the unit for, 0 when enough was seen. For an idle line, soon after it came up."""
        missing = PROBE - int(self._seen)
        return max(0, missing) if self.baud is None or self.baud >= 19200 else 0

    def decide(self, now: float) -> int | None:
        """The profile to command now, or None. Call it once per second or after events; confirmed() when the unit has done it."""
        if self._asked is not None and now - self._asked_at < RETRY:
            return None
        best = self.best()
        current = TABLE[self.current]
        if best.number == self.current:
            return None
        gain = self.goodput(best) - self.goodput(current)
        lighter = best.t < current.t
        if lighter and self._expects_probe(now):
            return None
        if gain < MARGIN or (lighter and now - self._changed < DWELL) or (self._since < 2 and self._changed > -1e8):
            return None
        self._asked, self._asked_at = best.number, now
        return best.number

    def _expects_probe(self, now: float) -> bool:
        """Whether evidence that was worth asking for may still come: a guess made now would stand for DWELL seconds."""
        if self.wants_probe() <= PROBE // 8:
            return False
        if self._probe_since is None:
            self._probe_since = now
        return now - self._probe_since < PATIENCE

    def confirmed(self, number: int, now: float) -> None:
        """The unit reported that it changed to ``number``."""
        self.current = number
        self._asked = None
        self._changed = now
        self._since = 0
        self._recent.clear()
        self._strange = -1  # one frame of the old profile may still be under way
