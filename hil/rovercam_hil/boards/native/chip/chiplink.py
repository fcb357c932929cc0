"""The pipe between the firmware, here, and the chip that it believes to run on (rovercam_hil.boards.native.board).

Request: length of the payload u32, operation u8, this side's time u64, payload. Answer: length u32, time u64, horizon u64, bytes at the UART
u16, number of pins with an interrupt u8, then those pins, then the payload. Little endian, times in microseconds.
"""

import struct

WAIT, PIN, PIN_READ, PIN_IRQ, I2C, SPI, UART, UART_WRITE, UART_READ, PWM, ADC, WDT, SCRATCH, FLASH, RESET = range(15)
_HEAD = "<IQQHB"


class Link:
    """now: microseconds. Nothing happens to the chip before the horizon but what this side asks for: up to there a wait is over at
    once, without a request. received: bytes that lie at the UART."""

    def __init__(self):
        self.now = 0
        self.horizon = 0
        self.received = 0
        self.handlers: dict = {}  # pin number: (handler, Pin)
        self._head = bytearray(struct.calcsize(_HEAD))

    def connect(self, fd_in, fd_out):
        self._in = open(fd_in, "rb")  # noqa: SIM115 - for good
        self._out = open(fd_out, "wb")  # noqa: SIM115

    def _fill(self, buf):
        view = memoryview(buf)
        at = 0
        while at < len(buf):
            n = self._in.readinto(view[at:])
            if not n:
                raise SystemExit  # the board was switched off
            at += n

    def call(self, operation, payload=b""):
        """The answer's payload. Interrupts that came meanwhile are served before it returns."""
        self._out.write(struct.pack("<IBQ", len(payload), operation, self.now) + payload)
        self._fill(self._head)
        length, self.now, self.horizon, self.received, interrupts = struct.unpack(_HEAD, self._head)
        rest = bytearray(interrupts + length)
        self._fill(rest)
        for i in range(interrupts):
            handler, pin = self.handlers[rest[i]]
            handler(pin)
        return rest[interrupts:] if interrupts else rest

    def look(self):
        """Time now; looking takes a microsecond, so that a loop that looks for nothing else ends."""
        self.now += 1
        if self.now > self.horizon:
            self.call(WAIT, struct.pack("<QB", self.now, 0))
        return self.now

    def wait(self, until, for_input=False):
        """Until so many microseconds, or until bytes come."""
        while self.now < until and not (for_input and self.received):
            if until <= self.horizon:
                self.now = until
                return
            self.call(WAIT, struct.pack("<QB", until, for_input))

    def sleep(self, us):
        """Blocking: interrupts are served, nothing else."""
        if us > 0:
            self.wait(self.now + us)


link = Link()
