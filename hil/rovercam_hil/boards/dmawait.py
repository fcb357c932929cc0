"""Skips the emulation of a core that spins until a DMA transfer is over.

MicroPython's SPI reads a buffer by DMA and meanwhile polls the channel's busy bit. Emulating millions of turns of that
loop is most of the cost of reading a picture. While the loop runs we let the core sleep as if it had met WFI: DMA, SPI
and every other block go on, an interrupt wakes the core and is served, and just before the transfer ends the core goes
on polling by itself. What the firmware sees differs from full emulation by less than a turn of the loop.

The loop is recognised by the same place in the program seen twice, 10 µs apart, with interrupts enabled, in thread mode,
a register pointing into the DMA block, and the receive channel busy.
"""

from __future__ import annotations

from typing import Any

_DMA = 0x50000000
_CHANNELS = 12
_BUSY = 1 << 24
_DREQ_RX = {0: 17, 1: 19}  # RP2040 data sheet, table 120: DREQ_SPIn_RX
_LOOK_NS = 10e3
_AGAIN_NS = 100e3
_EARLY = 6  # words before the end at which the core polls again


class DmaWait:
    """For SPI block ``number`` of ``mcu``; ``watch`` when a long read begins, ``stop`` when it is over."""

    def __init__(self, mcu: Any, number: int) -> None:
        self._mcu = mcu
        self._core = mcu.core
        self._dreq = _DREQ_RX[number]
        self._alarm = mcu.clock.create_alarm(self._look)
        self._wake = mcu.clock.create_alarm(self._go_on)
        self._seen = -1
        self._asleep = False
        self._watching = False

    def watch(self) -> None:
        self._watching = True
        self._seen = -1
        self._alarm.schedule(_LOOK_NS)

    def stop(self) -> None:
        self._watching = False
        self._alarm.cancel()
        self._wake.cancel()
        self._go_on()

    def _go_on(self) -> None:
        if self._asleep:
            self._asleep = False
            self._core.waiting = False

    def _remaining(self) -> int:
        """Words left on the channel that empties this SPI's receive FIFO; 0 = none is busy."""
        read = self._mcu.dma.read_uint32
        for channel in range(_CHANNELS):
            control = read(channel * 0x40 + 0x10)
            if control & _BUSY and control >> 15 & 0x3F == self._dreq:
                return int(read(channel * 0x40 + 0x08))
        return 0

    def _look(self) -> None:
        if not self._watching:
            return
        core = self._core
        wait = _LOOK_NS
        if core.waiting:
            wait = _AGAIN_NS
        else:
            self._asleep = False  # an interrupt has woken it
            place = core.registers[15] & ~31
            if place == self._seen and not core.pm and core.ipsr == 0 and not self._mcu.core1_running:
                self._sleep()
                wait = _AGAIN_NS
            self._seen = place
        self._alarm.schedule(wait)

    def _sleep(self) -> None:
        core = self._core
        if not any(_DMA <= core.registers[k] < _DMA + 0x1000 for k in range(8)):
            return
        left = self._remaining() - _EARLY
        if left < 4 * _EARLY:
            return
        word_ns = 8e9 / max(1.0, self._mcu.spi[0 if self._dreq == _DREQ_RX[0] else 1].clock_frequency)
        core.waiting = True
        self._asleep = True
        self._wake.schedule(left * word_ns)
