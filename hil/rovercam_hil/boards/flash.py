"""The serial NOR flash of the emulated Pico: erase and program take their time, and can be torn by a power cut.

``rp2040py`` applies flash commands at once. Here the two flash-writing functions of the RP2040's boot ROM
(``_flash_range_erase`` and ``_flash_range_program``, found through the ROM's own function table, RP2040 data sheet
2.8.3.1) begin with a break point instead of their first instruction. The break point brings us the registers r0-r3 with
the function's arguments, in the state MicroPython calls them in: from RAM, interrupts disabled, XIP off. We then do as
the chip does - one erase or page program after the other, each taking its typical time - while the core stands still
and takes no interrupt, and return to the caller. Everything beside the core goes on meanwhile: bytes arrive in the
UART's FIFO and overrun it, DMA and timers run. All other flash commands (status, identification) stay with rp2040py.

Times: typical values of the Winbond W25Q16JV data sheet fitted on the Pico (table "AC electrical characteristics").
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PAGE = 256
SECTOR = 4096
BLOCK = 65536
SIZE = 2 * 1024 * 1024

SECTOR_ERASE_S = 45e-3
BLOCK_ERASE_S = 150e-3
PAGE_PROGRAM_S = 0.4e-3

_BREAK_ERASE = 0xF1
_BREAK_PROGRAM = 0xF2
_BKPT = 0xBE00
_HARDFAULT = 3  # as the active exception's number it outranks every interrupt, so nothing wakes the stalled core
_SRAM = 0x20000000


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashOp:
    """One completed operation: at ``time`` seconds of the board, ``kind`` is "erase" or "program"; ``offset`` bytes
    from the start of the flash; ``size`` bytes erased or ``data`` programmed (bits can only be cleared)."""

    time: float
    offset: int
    kind: str
    size: int
    data: bytes = b""


def apply(flash: bytearray | memoryview, op: FlashOp) -> None:
    """Do ``op`` on ``flash`` in place."""
    if op.kind == "erase":
        flash[op.offset : op.offset + op.size] = b"\xff" * op.size
    else:
        _program(flash, op.offset, op.data)


def _program(flash: bytearray | memoryview, offset: int, data: bytes) -> None:
    old = int.from_bytes(flash[offset : offset + len(data)], "little")
    flash[offset : offset + len(data)] = (old & int.from_bytes(data, "little")).to_bytes(len(data), "little")


def replay(start: bytes, ops: Sequence[FlashOp], count: int) -> bytearray:
    """The flash as it was after the first ``count`` of ``ops``, from the contents ``start``."""
    flash = bytearray(start)
    for op in ops[:count]:
        apply(flash, op)
    return flash


def patched_bootrom(words: Sequence[int]) -> list[int]:
    """The boot ROM with a break point at the head of its two flash-writing functions."""
    rom = bytearray(struct.pack(f"<{len(words)}I", *(w & 0xFFFFFFFF for w in words)))
    entry = struct.unpack_from("<H", rom, 0x14)[0]
    wanted = {b"RE": _BREAK_ERASE, b"RP": _BREAK_PROGRAM}
    while rom[entry : entry + 2] != b"\0\0":
        code = wanted.pop(bytes(rom[entry : entry + 2]), None)
        if code is not None:
            address = struct.unpack_from("<H", rom, entry + 2)[0] & ~1
            struct.pack_into("<H", rom, address, _BKPT | code)
        entry += 4
    if wanted:
        raise ValueError(f"this boot ROM has no function {sorted(wanted)}")
    return list(struct.unpack(f"<{len(words)}I", rom))


class FlashChip:
    """Flash timing, log and tearing for one powered chip (``mcu`` of rp2040py).

    ``on_op(index)`` is called as each operation begins, with its number since the board's creation; a test uses it to
    cut the power inside (see :meth:`EmulatedPico.cut_power_at_flash_op`). ``timing=False`` writes at once.
    """

    def __init__(self, mcu: Any, now: Callable[[], float], *, timing: bool = True, log: list[FlashOp] | None = None):
        self.mcu = mcu
        self.core = mcu.core
        self.now = now
        self.timing = timing
        self.log = log
        self.operations = 0
        self.busy_seconds = 0.0
        self.erased: dict[int, int] = {}  # sector number -> times erased: wear
        self.on_op: Callable[[int], None] | None = None
        self._todo: list[FlashOp] = []
        self._now_doing: FlashOp | None = None
        self._started = 0.0
        self._resume: tuple[int, bool] | None = None
        self._alarm = mcu.clock.create_alarm(self._operation_done)
        mcu.on_break = self._on_break

    # -- what the firmware asks for ---------------------------------------------------------------------------------

    def _on_break(self, code: int) -> None:
        core = self.core
        r = core.registers
        if code == _BREAK_ERASE:
            self._erase(r[0], r[1], r[2])
        elif code == _BREAK_PROGRAM:
            self._program(r[0], r[1], r[2])
        else:
            raise RuntimeError(f"firmware hit break point {code:#x} at {r[15]:#010x}: a crash of MicroPython itself")
        r[15] = r[14] & ~1  # bx lr

    def _erase(self, offset: int, count: int, block_size: int) -> None:
        # The ROM takes the large erase where a whole aligned block is left, else sector by sector (2.8.3.1.3).
        end = offset + count
        while offset < end:
            size = BLOCK if block_size == BLOCK and offset % BLOCK == 0 and end - offset >= BLOCK else SECTOR
            self._todo.append(FlashOp(time=0.0, offset=offset, kind="erase", size=size))
            offset += size
        self._stall()

    def _program(self, offset: int, source: int, count: int) -> None:
        if not _SRAM <= source < _SRAM + len(self.mcu.sram):
            raise RuntimeError(f"flash programmed from {source:#010x}, which is not RAM")
        start = source - _SRAM
        data = bytes(self.mcu.sram[start : start + count])
        for at in range(0, count, PAGE):
            page = data[at : at + PAGE]
            self._todo.append(FlashOp(time=0.0, offset=offset + at, kind="program", size=len(page), data=page))
        self._stall()

    # -- time passing ------------------------------------------------------------------------------------------------

    def _stall(self) -> None:
        if not self._todo:
            return
        if not self.timing:
            while self._todo:
                self._begin()
                self._finish()
            return
        core = self.core
        self._resume = (core.ipsr, core.pm)
        core.ipsr = _HARDFAULT
        core.pm = True
        core.waiting = True
        self._begin()
        self._alarm.schedule(self._duration() * 1e9)

    def _duration(self) -> float:
        assert self._now_doing is not None
        if self._now_doing.kind == "program":
            return PAGE_PROGRAM_S
        return BLOCK_ERASE_S if self._now_doing.size == BLOCK else SECTOR_ERASE_S

    def _begin(self) -> None:
        self._now_doing = self._todo.pop(0)
        self._started = self.now()
        if self.on_op is not None:
            self.on_op(self.operations)

    def _finish(self) -> None:
        op = self._now_doing
        if op is None:
            return
        self._now_doing = None
        self.operations += 1
        op = FlashOp(time=self.now(), offset=op.offset, kind=op.kind, size=op.size, data=op.data)
        apply(self.mcu.flash, op)
        if op.kind == "erase":
            for sector in range(op.offset // SECTOR, (op.offset + op.size) // SECTOR):
                self.erased[sector] = self.erased.get(sector, 0) + 1
        if self.log is not None:
            self.log.append(op)

    def _operation_done(self) -> None:
        self.busy_seconds += self._duration()
        self._finish()
        if self._todo:
            self._begin()
            self._alarm.schedule(self._duration() * 1e9)
            return
        core = self.core
        assert self._resume is not None
        core.ipsr, core.pm = self._resume
        self._resume = None
        core.waiting = False
        core.interrupts_updated = True

    @property
    def busy(self) -> bool:
        """Whether an erase or program is under way."""
        return self._now_doing is not None

    # -- the end -----------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """The chip was reset: the flash finishes what it has begun by itself, the rest of the request is gone."""
        self._finish()
        self._todo.clear()
        self._alarm.cancel()
        self._resume = None

    def tear(self, rng: random.Random) -> None:
        """The supply went away: what was under way stays half done.

        An erase leaves each bit set with the fraction of its time that had passed; a program has cleared its bits up to
        there, and some of the bits of the byte it was at.
        """
        op, self._now_doing = self._now_doing, None
        self._todo.clear()
        self._alarm.cancel()
        if op is None:
            return
        total = {"program": PAGE_PROGRAM_S}.get(op.kind, BLOCK_ERASE_S if op.size == BLOCK else SECTOR_ERASE_S)
        fraction = min(1.0, max(0.0, (self.now() - self._started) / total))
        flash = self.mcu.flash
        if op.kind == "erase":
            bits = op.size * 8
            mask = 0
            for weight in range(8):  # each bit of the mask is one with probability `fraction`, built from 8 coin tosses
                coin = rng.getrandbits(bits)
                mask = mask | coin if int(fraction * 256) >> weight & 1 else mask & coin
            if fraction >= 1.0:
                mask = (1 << bits) - 1
            old = int.from_bytes(flash[op.offset : op.offset + op.size], "little")
            flash[op.offset : op.offset + op.size] = (old | mask).to_bytes(op.size, "little")
        else:
            done = int(len(op.data) * fraction)
            part = bytearray(op.data[:done])
            if done < len(op.data):
                part.append(op.data[done] | rng.getrandbits(8))
            _program(flash, op.offset, bytes(part))
