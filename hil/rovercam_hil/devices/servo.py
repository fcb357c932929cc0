"""Servos and motors on the emulated chip's pins.

The PWM outputs are watched as edges on the pins, so what counts is the pulse that would reach the servo. Pulses are
measured with the emulated clock; a servo turns at its own speed towards what the last pulses asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rp2040py.gpio_pin import GPIOPinState

from rovercam_hil.devices.faults import Faulty

if TYPE_CHECKING:
    from rovercam_hil.boards.base import VirtualBoard


class PulseInput(Faulty):
    """Measures the pulses on ``pin``: ``high`` and ``period`` in seconds (0 = none yet)."""

    def __init__(self, pin: int) -> None:
        super().__init__()
        self.pin = pin

    def attach(self, board: VirtualBoard) -> None:
        self.board = board
        self.high = self.period = 0.0
        self.pulses = 0
        self._rise = self._fall = -1.0
        board.mcu.gpio[self.pin].add_listener(self._edge)

    def _edge(self, now: Any, old: Any) -> None:
        time = self.board.time
        if now == GPIOPinState.HIGH:
            if self._rise >= 0:
                self.period = time - self._rise
            self._rise = time
        elif old == GPIOPinState.HIGH and self._rise >= 0:
            self.high = time - self._rise
            self._fall = time
            self.pulses += 1
            self.pulse(self.high)

    def pulse(self, width: float) -> None:
        """A pulse of ``width`` seconds ended."""


class Servo(PulseInput):
    """A hobby servo: 1.5 ms is the centre, ±``span`` seconds ±90°, ``speed`` degrees per second, ends at ``travel``."""

    KNOWN: ClassVar[dict[str, str]] = {"jammed": "does not move", "dead": "ignores pulses"}

    def __init__(self, pin: int, *, speed: float = 300.0, span: float = 1e-3, travel: float = 95.0) -> None:
        super().__init__(pin)
        self.speed, self.span, self.travel = speed, span, travel
        self._angle = 0.0
        self._target: float | None = None
        self._since = 0.0

    def attach(self, board: VirtualBoard) -> None:
        super().attach(board)
        self._since = board.time
        self._target = None

    def pulse(self, width: float) -> None:
        if "dead" in self.faults or not 0.3e-3 <= width <= 3e-3:
            return
        self._settle()
        target = (width - 1.5e-3) / self.span * 90.0
        self._target = max(-self.travel, min(self.travel, target))

    def _settle(self) -> None:
        now = self.board.time
        if self._target is not None and "jammed" not in self.faults:
            step = self.speed * (now - self._since)
            self._angle += max(-step, min(step, self._target - self._angle))
        self._since = now

    @property
    def angle(self) -> float:
        """Degrees from the centre, now."""
        self._settle()
        return self._angle


class Release(PulseInput):
    """The camera's release: fires for good when its servo has been driven beyond ``threshold`` degrees."""

    def __init__(self, pin: int, threshold: float = 45.0) -> None:
        super().__init__(pin)
        self.threshold = threshold
        self.released = False

    def pulse(self, width: float) -> None:
        if (width - 1.5e-3) / 1e-3 * 90.0 > self.threshold:
            self.released = True


class Motor(PulseInput):
    """A wheel motor: PWM on ``pin``, direction on ``direction`` (high = backwards). ``turn`` moves the wheel on."""

    KNOWN: ClassVar[dict[str, str]] = {"stalled": "does not turn"}

    def __init__(self, pin: int, direction: int, *, full_speed: float = 1.0) -> None:
        super().__init__(pin)
        self.direction = direction
        self.full_speed = full_speed  # revolutions per second at full duty

    @property
    def duty(self) -> float:
        """Part of the time the output is high, 0…1."""
        now = self.board.time
        pin = self.board.mcu.gpio[self.pin].value
        last = max(self._rise, self._fall)
        if last < 0 or now - last > 0.1:  # no edges: constant
            return 1.0 if pin == GPIOPinState.HIGH else 0.0
        return min(1.0, self.high / self.period) if self.period > 0 else 0.0

    @property
    def speed(self) -> float:
        """Revolutions per second, negative backwards."""
        if "stalled" in self.faults:
            return 0.0
        back = self.board.mcu.gpio[self.direction].value == GPIOPinState.HIGH
        return (-1 if back else 1) * self.duty * self.full_speed
