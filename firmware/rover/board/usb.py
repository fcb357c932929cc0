"""The board's own USB port as the line; loaded only where the line is USB."""

import asyncio
import select
import sys

import micropython

from rover.board.base import Line


class UsbLine(Line):
    """The Pico's own USB port. Control-C must not stop the application: 0x03 is a byte like any other here."""

    bulk_baud = 0

    def __init__(self):
        micropython.kbd_intr(-1)
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._poll_in = select.poll()
        self._poll_in.register(sys.stdin, select.POLLIN)
        self._poll_out = select.poll()
        self._poll_out.register(sys.stdout, select.POLLOUT)

    def write(self, buf):
        if not self._poll_out.poll(0):
            return 0
        n = min(len(buf), 64)
        self._out.write(buf[:n])
        return n

    async def wait_input(self):
        while not self._poll_in.poll(0):
            await asyncio.sleep_ms(2)

    def readinto(self, buf):
        n = 0
        while n < len(buf) and self._poll_in.poll(0):
            buf[n] = self._in.read(1)[0]
            n += 1
        return n
