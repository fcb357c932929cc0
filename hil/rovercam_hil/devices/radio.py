"""The short-range radio beside the rover unit: an SC16IS760 (SPI to UART, NXP data sheet rev. 7) with a modem at its UART.

The modem holds back what the bridge's RTS does not let through, up to its buffer; what comes beyond that is lost, and
counted. At the modem's other end is the air: bytes with times, taken and given by the session (clock/session.py).
State between two accesses of the chip is computed when the chip is accessed; no alarm is needed.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from rovercam_hil.devices.spi import IDLE, SpiDevice

FIFO = 64
CRYSTAL = 14_745_600
BUFFER = 4096
"""Bytes the modem holds back."""

_RHR, _DLH, _FCR, _LCR, _MCR, _TCR, _SPR, _TXLVL, _RXLVL = 0, 1, 2, 3, 4, 6, 7, 8, 9
_SELECT_ENHANCED = 0xBF


class RadioBridge(SpiDevice):
    """Registers as far as a UART with automatic RTS needs them; others read 0. ``overflows``: bytes the modem had no room for."""

    KNOWN: ClassVar[dict[str, str]] = {"absent": "nothing answers"}

    def __init__(self, buffer: int = BUFFER) -> None:
        super().__init__()
        self.buffer = buffer
        self.overflows = self.received = self.sent = 0
        self._powered = False
        self._air: deque[tuple[int, float]] = deque()  # held by the modem: byte, when it came
        self._out = bytearray()
        self._out_times: list[float] = []
        self._reset()

    def power_on(self) -> None:
        self._powered = True
        self._reset()

    def power_off(self) -> None:
        self._powered = False
        self._reset()

    def _reset(self) -> None:
        self._rx: deque[int] = deque()
        self._registers = bytearray(16)
        self._registers[_LCR] = 0x1D
        self._divisor = 0
        self._efr = 0
        self._tcr = 0
        self._rts = True
        self._rx_free = self._tx_free = 0.0
        self._address: int | None = None
        self._air.clear()

    # -- the air -----------------------------------------------------------------------------------------------------

    def give(self, data: bytes, times: list[float]) -> None:
        """Bytes from the other unit, with the board times at which they came to the modem; without power they are lost."""
        if not self._powered:
            return
        self._advance()
        for byte, time in zip(data, times, strict=True):
            if len(self._air) >= self.buffer:
                self.overflows += 1
            else:
                self._air.append((byte, time))

    def take(self) -> tuple[bytes, list[float]]:
        """Bytes for the other unit, with the times at which their stop bits were over."""
        data, times = bytes(self._out), self._out_times
        self._out, self._out_times = bytearray(), []
        return data, times

    @property
    def held(self) -> int:
        """Bytes that wait in the modem."""
        return len(self._air)

    @property
    def byte_time(self) -> float:
        return 10 * 16 * max(1, self._divisor) / CRYSTAL

    def _advance(self) -> None:
        """Bring the receive FIFO up to now: one byte per byte time while RTS is given."""
        if not self._divisor:
            return
        now, step = self.board.time, self.byte_time
        halt, resume = 4 * (self._tcr & 15) or FIFO, 4 * (self._tcr >> 4)
        automatic = self._efr & 0x40
        while self._air:
            if automatic and not self._rts:
                if len(self._rx) > resume:
                    return
                self._rts = True
                self._rx_free = max(self._rx_free, now)  # it is read at this moment: that is when RTS comes back
            end = max(self._rx_free, self._air[0][1]) + step
            if end > now:
                return
            self._rx_free = end
            byte = self._air.popleft()[0]
            if len(self._rx) < FIFO:
                self._rx.append(byte)
                self.received += 1
            else:
                self.overflows += 1
            if automatic and len(self._rx) >= halt:
                self._rts = False

    # -- SPI -----------------------------------------------------------------------------------------------------------

    def selected(self) -> None:
        self._address = None

    def exchange(self, value: int) -> int:
        if "absent" in self.faults:
            return IDLE
        if self._address is None:
            self._address = value
            self._advance()
            return IDLE
        register = self._address >> 3 & 15
        if self._address & 0x80:
            return self._read(register)
        self._write(register, value)
        return IDLE

    def _read(self, register: int) -> int:
        if register == _RHR:
            if not self._rx:
                return 0
            byte = self._rx.popleft()
            self._advance()
            return byte
        if register == _RXLVL:
            return len(self._rx)
        if register == _TXLVL:
            waiting = max(0.0, self._tx_free - self.board.time) / self.byte_time
            return max(0, FIFO - int(waiting + 0.999))
        return self._registers[register]

    def _write(self, register: int, value: int) -> None:
        lcr = self._registers[_LCR]
        if lcr == _SELECT_ENHANCED and register != _LCR:
            if register == _FCR:
                self._efr = value
        elif lcr & 0x80 and register in (_RHR, _DLH):
            shift = 8 * register
            self._divisor = self._divisor & ~(0xFF << shift) | value << shift
        elif register == _RHR:
            self._tx_free = max(self._tx_free, self.board.time) + self.byte_time
            self._out.append(value)
            self._out_times.append(self._tx_free)
            self.sent += 1
        elif register == _FCR:
            if value & 2:
                self._rx.clear()
        elif register == _TCR and self._efr & 0x10 and self._registers[_MCR] & 4:
            self._tcr = value
        elif register < 16:
            self._registers[register] = value
