"""Bus traces as VCD files (IEEE 1364-2001, 18) for GTKWave and PulseView.

The emulated buses carry whole bytes; the trace draws the wires they would make, bit by bit at the bus's clock, so that
PulseView's SPI and I2C decoders read them.
"""

from __future__ import annotations

from pathlib import Path


class Trace:
    """Collects edges; ``write`` makes the file. ``limit`` bounds the number of edges kept, the rest is counted."""

    def __init__(self, limit: int = 2_000_000) -> None:
        self.limit = limit
        self.dropped = 0
        self._edges: list[tuple[int, str, int]] = []  # nanoseconds, wire, level
        self._wires: dict[str, str] = {}
        self._initial: dict[str, int] = {}

    def _wire(self, name: str, initial: int) -> str:
        if name not in self._wires:
            self._wires[name] = self._code(len(self._wires))
            self._initial[name] = initial
        return name

    @staticmethod
    def _code(number: int) -> str:
        code = ""
        while True:
            code = chr(33 + number % 94) + code
            number = number // 94 - 1
            if number < 0:
                return code

    def edge(self, name: str, level: int, time: float, initial: int = 1) -> None:
        """Wire ``name`` takes ``level`` at ``time`` seconds."""
        if len(self._edges) >= self.limit:
            self.dropped += 1
            return
        self._edges.append((round(time * 1e9), self._wire(name, initial), level))

    def spi_select(self, bus: int, pin: int, active: bool, time: float) -> None:
        self.edge(f"spi{bus}_cs{pin}", 0 if active else 1, time)

    def spi_byte(self, bus: int, mosi: int, miso: int, time: float, frequency: float) -> None:
        """Mode 0: data change before the rising edge, from ``time`` on."""
        bit = 1.0 / max(1.0, frequency)
        for k in range(8):
            at = time + k * bit
            self.edge(f"spi{bus}_mosi", mosi >> (7 - k) & 1, at, 0)
            self.edge(f"spi{bus}_miso", miso >> (7 - k) & 1, at, 0)
            self.edge(f"spi{bus}_sck", 1, at + bit / 2, 0)
            self.edge(f"spi{bus}_sck", 0, at + bit, 0)

    def i2c_event(self, bus: int, kind: str, value: int, ack: bool, time: float, speed: float) -> None:
        """``kind``: start, address, write, read, stop."""
        bit = 1.0 / max(1.0, speed)
        sda, scl = f"i2c{bus}_sda", f"i2c{bus}_scl"
        if kind == "start":
            for name, level, part in ((sda, 1, 0.0), (scl, 1, 0.2), (sda, 0, 0.6), (scl, 0, 0.9)):
                self.edge(name, level, time + part * bit)
            return
        if kind == "stop":
            for name, level, part in ((sda, 0, 0.0), (scl, 1, 0.3), (sda, 1, 0.7)):
                self.edge(name, level, time + part * bit)
            return
        for k in range(9):
            at = time + k * bit
            level = value >> (7 - k) & 1 if k < 8 else 0 if ack else 1
            self.edge(sda, level, at + 0.1 * bit)
            self.edge(scl, 1, at + 0.4 * bit)
            self.edge(scl, 0, at + 0.9 * bit)

    def write(self, path: str | Path) -> None:
        """Write the VCD file."""
        lines = ["$timescale 1 ns $end", "$scope module board $end"]
        lines += [f"$var wire 1 {code} {name} $end" for name, code in self._wires.items()]
        lines += ["$upscope $end", "$enddefinitions $end", "#0", "$dumpvars"]
        lines += [f"{self._initial[name]}{code}" for name, code in self._wires.items()]
        lines.append("$end")
        now = -1
        level = dict(self._initial)
        for time, name, value in sorted(self._edges, key=lambda e: e[0]):
            if level[name] == value:
                continue
            level[name] = value
            if time != now:
                lines.append(f"#{time}")
                now = time
            lines.append(f"{value}{self._wires[name]}")
        Path(path).write_text("\n".join(lines) + "\n")
