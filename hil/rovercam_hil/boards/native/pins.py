"""The native chip's clock, pins and PWM outputs, with the interface of the emulated chip's that device models use."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from rp2040py.gpio_pin import GPIOPinState

NEVER = 1 << 62


class Alarm:
    """Calls back once, when its time has come."""

    def __init__(self, clock: Clock, callback: Callable[[], None]) -> None:
        self._clock = clock
        self.callback = callback
        self.due: int | None = None

    def schedule(self, nanoseconds: float) -> None:
        """So long from now; what was scheduled before is forgotten."""
        self.due = self._clock.nanos + max(0, round(nanoseconds))
        self._clock.add(self)

    def cancel(self) -> None:
        self.due = None


class Clock:
    """Virtual time in whole nanoseconds since power-on."""

    def __init__(self) -> None:
        self.nanos = 0
        self._order = count()
        self._queue: list[tuple[int, int, Alarm]] = []

    def create_alarm(self, callback: Callable[[], None]) -> Alarm:
        return Alarm(self, callback)

    def add(self, alarm: Alarm) -> None:
        assert alarm.due is not None
        heapq.heappush(self._queue, (alarm.due, next(self._order), alarm))

    @property
    def next_due(self) -> int:
        """When the next alarm is due; far away if there is none."""
        queue = self._queue
        while queue and queue[0][2].due != queue[0][0]:  # cancelled, or scheduled anew
            heapq.heappop(queue)
        return queue[0][0] if queue else NEVER

    def advance(self, to: int, stop: Callable[[], bool] | None = None) -> None:
        """Let time pass until ``to``, with every alarm at its own time; ``stop``, asked after each, ends it there."""
        while (due := self.next_due) <= to:
            self.nanos = max(self.nanos, due)
            alarm = heapq.heappop(self._queue)[2]
            alarm.due = None
            alarm.callback()
            if stop is not None and stop():
                return
        self.nanos = max(self.nanos, to)


class Pin:
    """One GPIO: driven by the firmware (``drive``), by a model (``set_input_value``), or pulled."""

    def __init__(self, number: int, interrupt: Callable[[int], None]) -> None:
        self.number = number
        self.value = GPIOPinState.INPUT
        self.edges = 0
        """Edges that interrupt: machine.Pin.IRQ_FALLING, IRQ_RISING."""
        self._interrupt = interrupt
        self._outside: bool | None = None
        self._listeners: list[Callable[[GPIOPinState, GPIOPinState], None]] = []

    def add_listener(self, callback: Callable[[GPIOPinState, GPIOPinState], None]) -> None:
        self._listeners.append(callback)

    def _become(self, value: GPIOPinState) -> None:
        old, self.value = self.value, value
        if value != old:
            for listener in self._listeners:
                listener(value, old)

    def drive(self, level: bool) -> None:
        self._become(GPIOPinState.HIGH if level else GPIOPinState.LOW)

    def listen(self, pull: int) -> None:
        """Become an input; pull: 0, machine.Pin.PULL_UP or PULL_DOWN."""
        self._become((GPIOPinState.INPUT, GPIOPinState.INPUT_PULL_UP, GPIOPinState.INPUT_PULL_DOWN)[pull])

    @property
    def level(self) -> bool:
        """What the firmware reads."""
        if self.value in (GPIOPinState.LOW, GPIOPinState.HIGH):
            return self.value == GPIOPinState.HIGH
        return self.value == GPIOPinState.INPUT_PULL_UP if self._outside is None else self._outside

    def set_input_value(self, level: bool) -> None:
        """A model drives the pin."""
        before, self._outside = self.level, level
        if before != self.level and self.edges & (8 if level else 4):
            self._interrupt(self.number)


class Pwm:
    """Puts the pulses that the firmware asked for on a pin, edge by edge: models measure them."""

    def __init__(self, clock: Clock, pin: Pin) -> None:
        self._pin = pin
        self._alarm = clock.create_alarm(self._edge)
        self._period = self._high = 0

    def set(self, frequency: int, high_ns: int) -> None:
        self._period = 1_000_000_000 // frequency if frequency else 0
        self._high = min(high_ns, self._period)
        if 0 < self._high < self._period:
            if self._alarm.due is None:
                self._alarm.schedule(0)
        else:
            self._alarm.cancel()
            self._pin.drive(self._high > 0)

    def _edge(self) -> None:
        rising = self._pin.value != GPIOPinState.HIGH
        self._pin.drive(rising)
        self._alarm.schedule(self._high if rising else self._period - self._high)
