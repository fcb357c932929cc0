"""The boards' pin headers as data: which GPIO is on which pin, what a pin can do, which one is the strap.

Raspberry Pi Pico and Pico 2: data sheets, figure 2. ESP32-S3-DevKitC-1 v1.1: Espressif's user guide, header block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Header:
    """``left``, ``right``: (pin, what is on it), from top to bottom; a GPIO is ``prefix`` and number."""

    prefix: str
    left: tuple[tuple[str, str], ...]
    right: tuple[tuple[str, str], ...]
    strap: int
    strap_note: str
    supply: tuple[str, ...]
    """Lines of the wiring table below the signals."""
    selectable: dict[str, tuple[str, frozenset[int]]] = field(default_factory=dict)
    """Function → (what the chip calls it, GPIOs it can be on); a function that is not here can be on any."""
    usb_below: bool = False
    """The USB port is at the lower end, not the upper."""
    pwm_slices: bool = False
    """PWM comes in slices of two channels with one frequency (RP2040 data sheet 4.5.2)."""

    @cached_property
    def pins(self) -> dict[int, str]:
        """GPIO number → pin."""
        n = len(self.prefix)
        both = (*self.left, *self.right)
        return {int(what[n:]): pin for pin, what in both if what.startswith(self.prefix) and what[n:].isdigit()}


_GP = {
    0: 1, 1: 2, 2: 4, 3: 5, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12, 10: 14, 11: 15, 12: 16, 13: 17, 14: 19, 15: 20,
    16: 21, 17: 22, 18: 24, 19: 25, 20: 26, 21: 27, 22: 29, 26: 31, 27: 32, 28: 34,
}  # fmt: skip
_PICO = {pin: f"GP{gp}" for gp, pin in _GP.items()} | {
    3: "GND", 8: "GND", 13: "GND", 18: "GND", 23: "GND", 28: "GND", 30: "RUN", 33: "AGND", 35: "ADC_VREF", 36: "3V3 OUT",
    37: "3V3_EN", 38: "GND", 39: "VSYS", 40: "VBUS",
}  # fmt: skip

PICO = Header(
    prefix="GP",
    left=tuple((str(pin), _PICO[pin]) for pin in range(1, 21)),
    right=tuple((str(pin), _PICO[pin]) for pin in range(40, 20, -1)),
    strap=22,
    strap_note="GND while starting: stay at MicroPython's prompt",
    supply=(
        "| 36 | 3V3 OUT | supply | sensors VCC, cameras VCC | at most 300 mA |",
        "| 40 | VBUS | supply | servos 5 V | from USB; big servos from a supply of their own, grounds joined |",
        "| 3, 8, 13, 18, 23, 28, 38 | GND | ground | all of them | |",
    ),
    # The bus unit that the firmware uses (RP2040 data sheet 1.4.3, RP2350 9.4).
    selectable={
        "line_tx": ("UART0 TX", frozenset({0, 12, 16, 28})),
        "line_rx": ("UART0 RX", frozenset({1, 13, 17, 29})),
        "spi_sck": ("SPI0 SCK", frozenset({2, 6, 18, 22})),
        "spi_mosi": ("SPI0 TX", frozenset({3, 7, 19, 23})),
        "spi_miso": ("SPI0 RX", frozenset({0, 4, 16, 20})),
        "i2c_sda": ("I2C0 SDA", frozenset({0, 4, 8, 12, 16, 20, 24, 28})),
        "i2c_scl": ("I2C0 SCL", frozenset({1, 5, 9, 13, 17, 21, 25, 29})),
    },
    pwm_slices=True,
)

_J1 = ("3V3", "3V3", "RST", 4, 5, 6, 7, 15, 16, 17, 18, 8, 3, 46, 9, 10, 11, 12, 13, 14, "5V", "GND")
_J3 = ("GND", "TX", "RX", 1, 2, 42, 41, 40, 39, 38, 37, 36, 35, 0, 45, 48, 47, 21, 20, 19, "GND", "GND")


def _espressif(block: str, names: tuple[str | int, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{block}-{k}", n if isinstance(n, str) else f"GPIO{n}") for k, n in enumerate(names, 1))


DEVKITC = Header(
    prefix="GPIO",
    left=_espressif("J1", _J1),
    right=_espressif("J3", _J3),
    usb_below=True,
    strap=0,
    strap_note="the BOOT button, pressed just after a reset: stay at MicroPython's prompt",
    supply=(
        "| J1-1, J1-2 | 3V3 | supply | sensors VCC, cameras VCC | |",
        "| J1-21 | 5V | supply | servos 5 V | from USB; big servos from a supply of their own, grounds joined |",
        "| J1-22, J3-1, J3-21, J3-22 | GND | ground | all of them | |",
    ),
)

BY_CHIP = {"RP2040": PICO, "RP2350": PICO, "ESP32-S3": DEVKITC}
