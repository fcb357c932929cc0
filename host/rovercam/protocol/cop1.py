"""FOP-1, the sending end of COP-1 (232.1-B section 5), sans-IO and complete, and the control word it listens to.

States and events carry the standard's numbers. The lower procedure is a list of frames the caller takes with ``take()``; the timer is a deadline.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Clcw:
    """Communications link control word (232.0-B 4.2.1)."""

    status: int
    vcid: int
    lockout: bool
    wait: bool
    retransmit: bool
    b_counter: int
    report: int  # N(R)

    @classmethod
    def parse(cls, word: int) -> Clcw | None:
        """None for a word that is not a CLCW of COP-1."""
        if word >> 29 or (word >> 24 & 3) != 1:
            return None
        return cls(
            word >> 26 & 7, word >> 18 & 0x3F, bool(word >> 13 & 1), bool(word >> 12 & 1), bool(word >> 11 & 1),
            word >> 9 & 3, word & 0xFF,
        )  # fmt: skip


class State(IntEnum):
    ACTIVE = 1
    RETRANSMIT = 2
    RETRANSMIT_WAIT = 3
    INITIALISING = 4
    INITIALISING_BC = 5
    INITIAL = 6


class AlertReason(Enum):
    LIMIT = "transmission limit reached"
    T1 = "no answer in time"
    LOCKOUT = "the unit is locked out"
    SYNCH = "the unit asks again for what it acknowledged"
    NN_R = "the unit reports a number that was not sent"
    CLCW = "the control word contradicts itself"
    TERM = "terminated"


@dataclass(slots=True)
class _Sent:
    ns: int
    item: Any
    again: bool  # to be retransmitted
    at: float = 0.0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Ad:
    ns: int
    item: Any


@dataclass(frozen=True, slots=True)
class Bc:
    """value None: Unlock, else Set V(R) to it."""

    value: int | None


class Fop1:
    """One virtual channel. window: K, at most 127 for a FARM window of 254. timeout_type: 0 alert, 1 suspend when the limit is reached."""

    def __init__(self, *, window: int = 64, timer: float = 10.0, limit: int = 200, timeout_type: int = 0) -> None:
        self.state = State.INITIAL
        self.window = window
        self.timer = timer
        self.limit = limit
        self.timeout_type = timeout_type
        self.vs = 0  # V(S)
        self.suspend_state = 0  # SS
        self.waiting: deque[Any] = deque()
        self.sent: deque[_Sent] = deque()
        self.acknowledged: list[
            tuple[Any, float | None]
        ] = []  # (item, round trip or None when retransmitted), taken by the owner
        self.alerts: list[AlertReason] = []
        self.retransmissions = 0
        self._count = 1  # Transmission_Count
        self._deadline: float | None = None
        self._bc: Bc | None = None
        self._bc_out = False

    @property
    def nn_r(self) -> int:
        return self.sent[0].ns if self.sent else self.vs

    # -- directives -----------------------------------------------------------------------------------------------------------------------

    def initiate(self, now: float, *, check: bool = True) -> None:
        """Initiate AD service (E23, E24)."""
        if self.state is State.INITIAL:
            self._clean()
            self.state = State.INITIALISING if check else State.ACTIVE
            self._deadline = now + self.timer if check else None

    def initiate_unlock(self, now: float) -> None:
        """Initiate AD service with Unlock (E25)."""
        if self.state is State.INITIAL:
            self._clean()
            self._start_bc(Bc(None), now)

    def initiate_set_vr(self, value: int, now: float) -> None:
        """Initiate AD service with Set V(R) (E27)."""
        if self.state is State.INITIAL:
            self._clean()
            self.vs = value & 0xFF
            self._start_bc(Bc(value & 0xFF), now)

    def set_vs(self, value: int) -> None:
        """Set V(S) (E35); only in the initial state."""
        if self.state is State.INITIAL:
            self.vs = value & 0xFF

    def terminate(self) -> None:
        """Terminate AD service (E29)."""
        self._alert(AlertReason.TERM)

    def resume(self, now: float) -> None:
        """Resume AD service after a suspension (E31 to E34)."""
        if self.state is State.INITIAL and self.suspend_state:
            self.state = State(self.suspend_state)
            self.suspend_state = 0
            self._deadline = now + self.timer

    # -- frames out -----------------------------------------------------------------------------------------------------------------------

    def take(self, now: float) -> Ad | Bc | None:
        """The next frame for the line, None when there is none."""
        if self._bc_out and self._bc is not None:
            self._bc_out = False
            self._deadline = now + self.timer
            return self._bc
        if self.state not in {State.ACTIVE, State.RETRANSMIT}:
            return None
        for entry in self.sent:
            if entry.again:
                entry.again = False
                entry.count += 1
                self.retransmissions += 1
                self._deadline = now + self.timer
                return Ad(entry.ns, entry.item)
        if self.waiting and len(self.sent) < self.window:
            entry = _Sent(self.vs, self.waiting.popleft(), False, now, 1)
            self.vs = (self.vs + 1) & 0xFF
            if not self.sent:
                self._count = 1
            self.sent.append(entry)
            self._deadline = now + self.timer
            return Ad(entry.ns, entry.item)
        return None

    # -- what comes back ------------------------------------------------------------------------------------------------------------------

    def clcw(self, word: Clcw, now: float) -> None:
        state = self.state
        if state is State.INITIAL:
            return
        if word.lockout:  # E14
            if state is not State.INITIALISING_BC:
                self._alert(AlertReason.LOCKOUT)
            return
        ahead = (word.report - self.nn_r) & 0xFF
        if ahead > len(self.sent):  # E13
            if state is not State.INITIALISING_BC:
                self._alert(AlertReason.NN_R)
            return
        if ahead == len(self.sent):  # N(R) = V(S)
            self._all_received(word, now)
        elif not word.retransmit:
            if word.wait:  # E7
                self._alert(AlertReason.CLCW)
            elif ahead:  # E6
                self._remove(ahead, now)
                self.state = State.ACTIVE
            elif state is not State.ACTIVE:  # E5 behind a retransmission: its flag is gone
                self.state = State.ACTIVE
        else:
            self._asks_again(word, ahead, now)

    def _all_received(self, word: Clcw, now: float) -> None:
        if word.retransmit or word.wait:
            if self.state in {State.INITIALISING_BC}:
                return
            if word.wait and word.retransmit and self.sent:  # nothing is missing, but the last frames filled it up
                self._remove(len(self.sent), now)
            self._alert(AlertReason.SYNCH if word.retransmit else AlertReason.CLCW)  # E4, E3
            return
        if self.state in {State.INITIALISING, State.INITIALISING_BC}:  # E1
            self._bc = None
            self._deadline = None
            self.state = State.ACTIVE
            return
        if self.sent:  # E2
            self._remove(len(self.sent), now)
        self._deadline = None
        self.state = State.ACTIVE

    def _asks_again(self, word: Clcw, ahead: int, now: float) -> None:
        if self.limit <= 1:
            if ahead:
                self._remove(ahead, now)
            self._alert(AlertReason.LIMIT)  # E101, E102
            return
        if ahead:
            self._remove(ahead, now)
        if word.wait:  # E9, E11
            self.state = State.RETRANSMIT_WAIT
        elif ahead or self.state is not State.RETRANSMIT:  # E8, E10
            self._again(now)
            self.state = State.RETRANSMIT

    def deadline(self) -> float | None:
        return self._deadline

    def expire(self, now: float) -> bool:
        """The timer, when its deadline has come. True if it expired."""
        if self._deadline is None or now < self._deadline:
            return False
        self._deadline = None
        if self._count >= self.limit:  # E17, E18
            if self.timeout_type and self.state in {State.ACTIVE, State.RETRANSMIT, State.RETRANSMIT_WAIT}:
                self.suspend_state = int(self.state)
                self.state = State.INITIAL
            else:
                self._alert(AlertReason.T1)
        elif self.state is State.INITIALISING:
            self._alert(AlertReason.T1)
        elif self.state is State.INITIALISING_BC:  # E16
            self._count += 1
            self._bc_out = True
        elif self.state is State.RETRANSMIT_WAIT:
            self._deadline = now + self.timer
        elif self.sent:
            self._again(now)
            if self.state is State.RETRANSMIT:
                self.state = State.ACTIVE
        return True

    # -- inside ---------------------------------------------------------------------------------------------------------------------------

    def _start_bc(self, frame: Bc, now: float) -> None:
        self._bc = frame
        self._bc_out = True
        self.state = State.INITIALISING_BC
        self._deadline = now + self.timer

    def _clean(self) -> None:
        self.sent.clear()
        self._count = 1
        self._bc = None
        self._bc_out = False
        self.suspend_state = 0

    def _again(self, now: float) -> None:
        self._count += 1
        for entry in self.sent:
            entry.again = True
            entry.at = 0.0
        self._deadline = now + self.timer

    def _remove(self, count: int, now: float) -> None:
        for _ in range(count):
            entry = self.sent.popleft()
            self.acknowledged.append((entry.item, now - entry.at if entry.count == 1 and entry.at else None))
        self._count = 1
        self._deadline = now + self.timer if self.sent else None

    def _alert(self, reason: AlertReason) -> None:
        self.state = State.INITIAL
        self._deadline = None
        self._bc = None
        self._bc_out = False
        self.alerts.append(reason)
