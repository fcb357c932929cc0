"""The native chip, as device models see it: clock, pins, buses."""

from __future__ import annotations

from rovercam_hil.boards.native.buses import Adc, I2c, Spi
from rovercam_hil.boards.native.pins import Clock, Pin, Pwm

_PINS = 30
_CLK_SYS = 125_000_000


class Chip:
    """What device models attach to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clk_sys = _CLK_SYS
        self.interrupts: list[int] = []
        self.gpio = [Pin(number, self.interrupts.append) for number in range(_PINS)]
        self.i2c = [I2c(self.clock, _CLK_SYS) for _ in range(2)]
        self.spi = [Spi(self.clock) for _ in range(2)]
        self.adc = Adc()
        self.pwm: dict[int, Pwm] = {}

    def set_pwm(self, number: int, frequency: int, high_ns: int) -> None:
        if number not in self.pwm:
            self.pwm[number] = Pwm(self.clock, self.gpio[number])
        self.pwm[number].set(frequency, high_ns)
