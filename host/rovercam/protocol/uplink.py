"""The uplink of one unit: packets in, bytes for the line out; reliable and in order (COP-1) or at once (bypass). Sans-IO.

FOP-1 is started from the control word the unit sends, and started again after an alert. What was sent and not acknowledged is sent again
when the unit's N(R) shows that it did not take it. When N(R) says nothing about it, the unit was reset; it is sent again if the unit's own
reports show that it had started before it was sent first (see boot()), and is reported in an Alert else: nothing is executed twice, and
the verification reports tell what was done. What was not sent yet stays queued. (Two resets with no control word heard between can look like
none: N(R) has 8 bits. Then something may count as accepted that was not; the missing verification reports show it.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import tc
from .cop1 import Ad, AlertReason, Bc, Clcw, Fop1, State

STATUS_REPLAY, STATUS_MAC, STATUS_INSECURE = 1, 2, 4
SKIP = 128  # numbers that pass any floor a unit can have stored (it stores 64 ahead)
MAX_QUEUE = 4096
DOUBT = 75.0
"""Seconds to wait, after a reset, for a report that tells when the unit started: one of its health reports comes every 5 s, and
every 60 s while it sleeps."""
HAIL = 10.0
"""Seconds between two calls of a unit that was never heard while something waits for it: one that sleeps says nothing for a minute,
but answers at once."""
MARGIN = 0.5
SLEW = 0.02
"""Seconds, and seconds per second since a packet was sent, by which the start must lie before that: the station's clock may be slewed by 1 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmitted:
    """The packet went to the line (bypass: once; else for the first time)."""

    tag: Any
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The unit's FARM-1 took the packet."""

    tag: Any
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """reason: text. tags: packets of which nobody knows whether the unit took them."""

    reason: str
    tags: tuple[Any, ...]
    now: float


UplinkEvent = Transmitted | Accepted | Alert


@dataclass(slots=True)
class _Item:
    """fresh: makes what is sent instead, anew for each transmission. first: when it went to the line first."""

    packet: bytes
    tag: Any
    fresh: Callable[[float], bytes] | None = None
    first: float | None = None


class Uplink:
    """key: 32 bytes, or None with insecure=True (the bench mode both ends have to ask for). sequence: see tc.Sequence.

    queue bound: MAX_QUEUE packets, send() raises OverflowError beyond. Counters: frames_sent, retransmissions, accepted, alerts, skips.
    """

    def __init__(
        self,
        scid: int,
        key: bytes | None,
        sequence: tc.Sequence | None = None,
        *,
        insecure: bool = False,
        spi: int = tc.SPI,
        vcid: int = 0,
        window: int = 64,
        timer: float = 5.0,
        limit: int = 200,
    ) -> None:
        if (key is None) != insecure:
            raise ValueError("a key is needed, or insecure=True and no key")
        if key is not None and len(key) != 32:
            raise ValueError(f"a key is 32 bytes, not {len(key)}")
        if not 1 <= window <= 64:
            raise ValueError(
                f"window must be 1 to 64, not {window}: a unit that was reset is known by a V(R) outside of it"
            )
        self.scid = scid
        self.vcid = vcid
        self.spi = spi
        self.sequence = sequence or tc.Sequence()
        self.fop = Fop1(window=window, timer=timer, limit=limit)
        self.events: list[UplinkEvent] = []
        self.frames_sent = self.accepted = self.alerts = self.skips = 0
        self.last_clcw: Clcw | None = None
        self._key = key
        self._bypass: deque[_Item] = deque()
        self._unsure: deque[_Item] = deque()  # sent before an alert, with their numbers from _unsure_ns on
        self._unsure_ns = 0
        self._boot: int | None = None  # that this service is with, once it is known
        self._doubt_until: float | None = None
        self._smooth: float | None = None
        self._vary = 0.0
        self._timer = timer
        self._last_skip = -1e9
        self._complained = False
        self._not_before = 0.0
        self._hail_at: float | None = None

    @property
    def retransmissions(self) -> int:
        return self.fop.retransmissions

    @property
    def round_trip(self) -> float | None:
        """Seconds from a telecommand to its acknowledgement, smoothed; None before the first."""
        return self._smooth

    @property
    def queued(self) -> int:
        """Packets not yet acknowledged (sequenced) or not yet sent (bypass)."""
        return len(self._bypass) + len(self.fop.waiting) + len(self.fop.sent) + len(self._unsure)

    def send(
        self, packet: bytes, bypass: bool = False, tag: Any = None, fresh: Callable[[float], bytes] | None = None
    ) -> None:
        """Queue a space packet. ValueError: longer than a frame carries; OverflowError: queue full.

        fresh: gives the packet as it is to be at a time, of the same length, for each transmission; the unit takes one of them.
        """
        limit = tc.max_packet(secured=self._key is not None)
        if len(packet) > limit:
            raise ValueError(f"packet of {len(packet)} bytes, at most {limit} fit a telecommand frame")
        if self.queued >= MAX_QUEUE:
            raise OverflowError(f"{MAX_QUEUE} telecommands are waiting already")
        (self._bypass if bypass else self.fop.waiting).append(_Item(bytes(packet), tag, fresh))

    def rotate(self, key: bytes, spi: int, sequence: tc.Sequence) -> None:
        """Use a new key from the next frame on (the unit has confirmed it)."""
        if len(key) != 32:
            raise ValueError(f"a key is 32 bytes, not {len(key)}")
        self._key, self.spi, self.sequence = key, spi, sequence

    def set_floor(self, floor: int) -> None:
        """The unit's telemetry reported its anti-replay floor."""
        if floor > self.sequence.last:
            self.sequence.skip(floor - self.sequence.last)

    def hail(self, now: float) -> None:
        """Call the unit, unless it was heard: it answers with its control word. The call is an Unlock, which changes nothing on a unit
        that is not locked."""
        if self.last_clcw is None and self._hail_at is None:
            self._hail_at = now

    def boot(self, count: int, uptime: float, now: float) -> None:
        """A live report told how often the unit has started, and how many seconds ago it did so last, or fewer.

        A report is never younger than it says, so the start lay before ``now`` - uptime. A telecommand first sent after a later start
        than the one it was numbered for cannot have been taken: its N(S) is none that the unit then takes (firmware, link/uplink.py).
        """
        if not self._unsure:
            self._boot = count if self._boot is None else max(self._boot, count)
            return
        if self._boot is None or count <= self._boot:
            return
        began = now - uptime
        again = [
            item
            for item in self._unsure
            if item.first is None or began + MARGIN + SLEW * (now - item.first) < item.first
        ]
        if again:
            text = f"the unit was reset: {len(again)} telecommands that came too early are sent again"
            self.events.append(Alert(reason=text, tags=(), now=now))
        self._give_up([item for item in self._unsure if item not in again], now)
        self.fop.waiting.extendleft(reversed(again))
        self._boot = count

    def _give_up(self, items: list[_Item], now: float) -> None:
        if items:
            tags = tuple(item.tag for item in items)
            self.events.append(Alert(reason="the unit was reset: it is not known what it took", tags=tags, now=now))
        self._unsure.clear()
        self._doubt_until = None
        self._boot = None

    def clcw(self, word: int, now: float) -> None:
        """The operational control field of a received frame."""
        clcw = Clcw.parse(word)
        if clcw is None or clcw.vcid != self.vcid:
            return
        self.last_clcw = clcw
        self._hail_at = None
        self._status(clcw, now)
        if self.fop.state is State.INITIALISING_BC and not clcw.lockout and clcw.report != self.fop.vs:
            self.fop.terminate()  # the unit that was to be unlocked was reset: an answer to the Unlock will not come
        if self.fop.state is State.INITIAL:
            self._start(clcw, now)
        self.fop.clcw(clcw, now)
        self._collect(now)

    def poll(self, now: float) -> bytes:
        """Bytes for the line, now."""
        if self.fop.expire(now):
            self._timer = min(self._timer * 1.5, 30.0)  # until an answer tells the round trip again
            self.fop.timer = self._timer
        self._collect(now)
        if self.fop.state is State.INITIAL and self.last_clcw and self._held and now >= self._not_before:
            self._start(self.last_clcw, now)
        out = []
        if self.fop.state is State.INITIAL and self._held:
            self.hail(now)
        if self._hail_at is not None and now >= self._hail_at:
            out.append(self._frame(tc.UNLOCK, bypass=True, control=True))
            self._hail_at = now + HAIL if self._held else None
        while self._bypass:
            item = self._bypass.popleft()
            out.append(self._frame(item.fresh(now) if item.fresh else item.packet, bypass=True))
            self.events.append(Transmitted(tag=item.tag, now=now))
        while (unit := self.fop.take(now)) is not None:
            if isinstance(unit, Bc):
                data = tc.UNLOCK if unit.value is None else tc.set_vr(unit.value)
                out.append(self._frame(data, bypass=True, control=True))
            else:
                out.append(self._ad(unit, now))
        return b"".join(out)

    def deadline(self) -> float | None:
        """When poll() is needed next; None: not before something happens. Call poll() after send() and clcw() too."""
        if self._bypass:
            return 0.0
        if self.fop.state is State.INITIAL:
            if not self.last_clcw:
                return 0.0 if self._held and self._hail_at is None else self._hail_at
            if not self._held:
                return None
            return max(self._not_before, self._doubt_until or 0.0)
        if self.fop.state is State.ACTIVE and self.fop.waiting and len(self.fop.sent) < self.fop.window:
            return 0.0
        return self.fop.deadline()

    def take_events(self) -> list[UplinkEvent]:
        events, self.events = self.events, []
        return events

    @property
    def _held(self) -> bool:
        """Whether there is something to start the service for."""
        return bool(self.fop.waiting or self._unsure)

    # -- inside ---------------------------------------------------------------------------------------------------------------------------

    def _ad(self, unit: Ad, now: float) -> bytes:
        item: _Item = unit.item
        if item.first is None:
            item.first = now
            self.events.append(Transmitted(tag=item.tag, now=now))
        return self._frame(item.fresh(now) if item.fresh else item.packet, ns=unit.ns)

    def _frame(self, data: bytes, *, ns: int = 0, bypass: bool = False, control: bool = False) -> bytes:
        self.frames_sent += 1
        number = self.sequence.take() if self._key is not None else 0
        return tc.cltu(
            tc.frame(
                self.scid, data, ns=ns, vcid=self.vcid, bypass=bypass, control=control,
                key=self._key, number=number, spi=self.spi,
            )
        )  # fmt: skip

    def _start(self, clcw: Clcw, now: float) -> None:
        """Start AD service from what the unit says."""
        # 1. What was out when the service ended: N(R) shows what was taken, if it lies among the numbers of that time.
        if self._unsure:
            ahead = (clcw.report - self._unsure_ns) & 0xFF
            if ahead <= len(self._unsure):
                for _ in range(ahead):
                    self._accept(self._unsure.popleft(), None, now)
                self.fop.waiting.extendleft(reversed(self._unsure))
                self._unsure.clear()
                self._doubt_until = None
            elif self._in_doubt(now):
                return
            else:
                self._give_up(list(self._unsure), now)
        # 2. A locked unit is unlocked, and either way the numbers go on from N(R). So is one that asks for a retransmission: it had a frame
        # numbered for the unit before its reset, and its flag would contradict N(R) = V(S) for ever.
        self.fop.set_vs(clcw.report)
        if clcw.lockout or (clcw.retransmit and not clcw.wait):
            self.fop.initiate_unlock(now)
        else:
            self.fop.initiate(now)
            if not clcw.wait:
                self.fop.clcw(clcw, now)
        self._not_before = now + self.fop.timer

    def _in_doubt(self, now: float) -> bool:
        """Whether a report may still tell what a unit that was reset can have taken: AD service starts after that."""
        if self._boot is None:
            return False
        if self._doubt_until is None:
            self._doubt_until = now + DOUBT
        return now < self._doubt_until

    def _collect(self, now: float) -> None:
        for item, trip in self.fop.acknowledged:
            self._accept(item, trip, now)
        self.fop.acknowledged.clear()
        for reason in self.fop.alerts:
            self.alerts += 1
            if self.fop.sent:
                self._unsure_ns = self.fop.nn_r
                self._unsure.extend(entry.item for entry in self.fop.sent)
                self.fop.sent.clear()
            if not self._unsure:
                self._boot = None  # the service may start with a unit that has been reset
            if reason is AlertReason.TERM or (reason is AlertReason.T1 and not self.fop.waiting and not self._unsure):
                continue
            self.events.append(Alert(reason=reason.value, tags=(), now=now))
        self.fop.alerts.clear()

    def _accept(self, item: _Item, trip: float | None, now: float) -> None:
        self.accepted += 1
        self.events.append(Accepted(tag=item.tag, now=now))
        if trip is None:
            return
        if self._smooth is None:
            self._smooth, self._vary = trip, trip / 2
        else:
            self._vary += (abs(trip - self._smooth) - self._vary) / 4
            self._smooth += (trip - self._smooth) / 8
        self._timer = min(max(self._smooth + 4 * self._vary + 0.5, 1.0), 30.0)
        self.fop.timer = self._timer

    def _status(self, clcw: Clcw, now: float) -> None:
        insecure = bool(clcw.status & STATUS_INSECURE)
        if insecure != (self._key is None) and not self._complained:
            self._complained = True
            ours = "insecure" if self._key is None else "authenticated"
            theirs = "insecure" if insecure else "authenticated"
            self.events.append(Alert(reason=f"telecommands are {ours} here and {theirs} on the unit", tags=(), now=now))
        if clcw.status & STATUS_REPLAY and self._key is not None and now - self._last_skip > self.fop.timer:
            self._last_skip = now
            self.skips += 1
            self.sequence.skip(SKIP)
