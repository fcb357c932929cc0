"""An I2C bus of the emulated chip: register devices behind the hardware block and behind the bare pins.

The hardware block asks per event (start, address, byte, stop) and we answer after the time it takes on the wire, plus
what a device stretches the clock. MicroPython's ``scan()`` and SoftI2C bit-bang the pins instead: a bit-level slave
listens on SDA and SCL and leads to the same devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from rp2040py.gpio_pin import GPIOPinState

from rovercam_hil.devices.faults import Faulty

if TYPE_CHECKING:
    from rovercam_hil.boards.base import VirtualBoard
    from rovercam_hil.devices.trace import Trace

_TX_EMPTY = 1 << 4


class I2cDevice(Faulty):
    """A slave with an 8-bit register pointer that counts up. Models override read_register and write_register."""

    KNOWN: ClassVar[dict[str, str]] = {
        "dead": "answers no address",
        "nack_data": "acknowledges its address but no data byte",
        "stretch": "holds the clock for so many microseconds after each byte",
        "stuck": "holds the bus: nothing on it completes",
        "wrong_id": "reads another chip's identification (the value)",
        "brown_out": "falls back to power-on defaults, once",
    }

    def __init__(self, address: int) -> None:
        super().__init__()
        self.address = address
        self.pointer = 0
        self.board: VirtualBoard | None = None
        self._first = True

    def now(self) -> float:
        """Board time in seconds."""
        return self.board.time if self.board is not None else 0.0

    def power_on(self) -> None:
        """Supply came, or dipped: power-on defaults."""

    def fault_changed(self, name: str) -> None:
        if name == "brown_out":
            self.clear(name)
            self.power_on()

    # -- one transfer ------------------------------------------------------------------------------------------------

    def connect(self, reading: bool) -> bool:
        """Addressed; returns the acknowledge."""
        if "dead" in self.faults:
            return False
        self._first = not reading
        if reading:
            self.read_started()
        return True

    def put(self, value: int) -> bool:
        """A byte from the master; returns the acknowledge."""
        if "nack_data" in self.faults:
            return False
        if self._first:
            self._first = False
            self.pointer = value
        else:
            self.write_register(self.pointer, value)
            self.pointer = self.next_pointer(self.pointer, writing=True)
        return True

    def get(self) -> int:
        """A byte to the master."""
        value = self.read_register(self.pointer)
        self.pointer = self.next_pointer(self.pointer, writing=False)
        return value

    def stop(self) -> None:
        """The transfer ended."""

    # -- what a model says -------------------------------------------------------------------------------------------

    def read_started(self) -> None:
        """A read begins: the moment at which multi-byte values are latched."""

    def next_pointer(self, pointer: int, *, writing: bool) -> int:
        return (pointer + 1) & 0xFF

    def read_register(self, register: int) -> int:
        raise NotImplementedError

    def write_register(self, register: int, value: int) -> None:
        raise NotImplementedError


class I2cBus:
    """I2C block ``number`` on pins ``sda`` and ``scl`` with ``devices``."""

    def __init__(self, number: int, sda: int, scl: int, devices: list[I2cDevice], trace: Trace | None = None) -> None:
        self.number = number
        self.sda_pin = sda
        self.scl_pin = scl
        self.devices = {device.address: device for device in devices}
        self.trace = trace

    def attach(self, board: VirtualBoard) -> None:
        self.board = board
        self.i2c = i2c = board.mcu.i2c[self.number]
        self._pending: Callable[[], None] | None = None
        self._alarm = board.mcu.clock.create_alarm(self._due)
        self._current: I2cDevice | None = None
        i2c.on_start = self._on_start
        i2c.on_connect = self._on_connect
        i2c.on_write_byte = self._on_write
        i2c.on_read_byte = self._on_read
        i2c.on_stop = self._on_stop
        for device in self.devices.values():
            device.board = board
            device.power_on()
        self._pins = _BitSlave(self, board.mcu.gpio[self.sda_pin], board.mcu.gpio[self.scl_pin])

    def chip_reset(self) -> None:
        self._alarm.cancel()
        self._pending = None
        self._current = None
        self._pins.reset()

    @property
    def frequency(self) -> float:
        """SCL in hertz, from the block's high and low counts (RP2040 data sheet 4.3.14)."""
        cycles = self.i2c.scl_high_period + self.i2c.scl_low_period
        return float(self.board.mcu.clk_sys) / max(1, cycles)

    @property
    def stuck(self) -> bool:
        return any("stuck" in d.faults for d in self.devices.values())

    # -- hardware block ----------------------------------------------------------------------------------------------

    def _later(self, bits: int, action: Callable[[], None]) -> None:
        seconds = bits / self.frequency
        if self._current is not None:
            seconds += float(self._current.faults.get("stretch", 0)) * 1e-6
        self._pending = action
        self._alarm.schedule(seconds * 1e9)

    def _due(self) -> None:
        if self.stuck:  # SCL is held low: the master waits, or gives up; the bus goes on where it was when it is let go
            self._alarm.schedule(1e6)
            return
        action, self._pending = self._pending, None
        if action is not None:
            action()

    def _trace(self, kind: str, value: int, ack: bool) -> None:
        if self.trace is not None:
            self.trace.i2c_event(self.number, kind, value, ack, self.board.time, self.frequency)

    def _on_start(self, repeated: bool) -> None:
        self._trace("start", 0, True)
        self._later(1, self.i2c.complete_start)

    def select(self, address: int, reading: bool) -> bool:
        device = self.devices.get(address)
        self._current = device if device is not None and device.connect(reading) else None
        return self._current is not None

    def _on_connect(self, address: int, mode: Any) -> None:
        reading = int(mode) == 1
        ack = self.select(address, reading)
        self._trace("address", address << 1 | reading, ack)

        def done() -> None:
            self.i2c.complete_connect(ack)
            if not ack:
                # The block flushes its FIFO; that it is empty must show, or MicroPython waits for its timeout.
                self.i2c.int_raw |= _TX_EMPTY
                self.i2c.check_interrupts()

        self._later(9, done)

    def _on_write(self, value: int) -> None:
        ack = self._current is not None and self._current.put(value)
        self._trace("write", value, ack)

        def done() -> None:
            self.i2c.complete_write(ack)
            if not ack:
                self.i2c.int_raw |= _TX_EMPTY
                self.i2c.check_interrupts()

        self._later(9, done)

    def _on_read(self, ack: bool) -> None:
        value = 0xFF if self._current is None else self._current.get()
        self._trace("read", value, bool(ack))
        self._later(9, lambda: self.i2c.complete_read(value))

    def _on_stop(self) -> None:
        self._trace("stop", 0, True)
        if self._current is not None:
            self._current.stop()
        self._current = None
        self._later(1, self.i2c.complete_stop)


class _BitSlave:
    """The bus at the level of its two wires (open drain, pulled up)."""

    def __init__(self, bus: I2cBus, sda: Any, scl: Any) -> None:
        self.bus, self.sda, self.scl = bus, sda, scl
        self.reset()
        sda.add_listener(self._edge)
        scl.add_listener(self._edge)
        sda.set_input_value(not bus.stuck)
        scl.set_input_value(True)

    def reset(self) -> None:
        self.state = "idle"
        self.count = self.shift = self.out = 0
        self.pull = self.reading = self.ack = False
        self.was_scl = self.was_sda = True

    def _edge(self, _now: Any, _old: Any) -> None:
        low = GPIOPinState.LOW
        scl, sda = self.scl.value != low, self.sda.value != low
        if scl and self.was_scl and sda != self.was_sda:  # start and stop conditions
            if sda and self.state != "idle" and self.bus._current is not None:
                self.bus._current.stop()
            self.state = "idle" if sda else "address"
            self.count = self.shift = 0
            self.pull = False
        elif scl and not self.was_scl and self.state != "idle":  # rising clock: sample
            if self.count < 8:
                self.shift = self.shift << 1 | sda
            else:
                self.ack = not sda
            self.count += 1
        elif not scl and self.was_scl and self.state != "idle":  # falling clock: drive
            self._drive()
        self.was_scl, self.was_sda = scl, sda
        self.sda.set_input_value(sda and not self.pull and not self.bus.stuck)
        self.scl.set_input_value(scl)

    def _drive(self) -> None:
        bus = self.bus
        if self.count == 8:
            if self.state == "address":
                self.reading = bool(self.shift & 1)
                self.pull = bus.select(self.shift >> 1, self.reading)
            elif self.state == "write":
                self.pull = bus._current is not None and bus._current.put(self.shift & 0xFF)
            else:
                self.pull = False  # the master acknowledges
        elif self.count >= 9:
            ended = bus._current is None or (self.state == "read" and not self.ack)
            self.state = "idle" if ended else "read" if self.reading else "write"
            self.count = self.shift = 0
            self.pull = False
            if self.state == "read":
                assert bus._current is not None
                self.out = bus._current.get()
        if self.state == "read" and self.count < 8:
            self.pull = not self.out >> (7 - self.count) & 1
