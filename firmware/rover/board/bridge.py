"""SC16IS760 (NXP data sheet rev. 7): a UART with 64-byte FIFOs and its own hardware flow control, on SPI; here towards the radio modem.

All UARTs of the Pico whose pins are free are taken, and a UART of the chip would lose bytes while the flash is written: this one holds RTS
back by itself until its FIFO is read. Register numbers are the data sheet's section 8; the crystal is 14.7456 MHz, as on the usual modules.
"""

from micropython import const

_CRYSTAL = const(14745600)
FIFO = const(64)

_RHR = const(0x00)  # read: receive, write: transmit; divisor latch low while LCR selects it
_DLH = const(0x01)
_FCR = const(0x02)  # with LCR = 0xBF: EFR
_LCR = const(0x03)
_MCR = const(0x04)
_TCR = const(0x06)  # while EFR bit 4 and MCR bit 2 are set
_SPR = const(0x07)
_TXLVL = const(0x08)
_RXLVL = const(0x09)
_READ = const(0x80)


class Bridge:
    """spi: machine.SPI, mode 0; cs: Pin, high when idle. begin() first; OSError when nothing answers."""

    def __init__(self, spi, cs):
        self._spi = spi
        self._cs = cs
        self._out = bytearray(2)
        self._in = bytearray(2)
        self._first = memoryview(self._out)[:1]
        cs(1)

    def begin(self, baud):
        """8N1 at so many baud, FIFOs on and empty, automatic RTS (stop at 60 bytes, go on at 24) and CTS."""
        self._set(_LCR, 0x03)
        self._set(_SPR, 0x5A)
        if self._get(_SPR) != 0x5A:
            raise OSError(19)  # ENODEV
        divisor = _CRYSTAL // (16 * baud)
        self._set(_LCR, 0x83)
        self._set(_RHR, divisor & 0xFF)
        self._set(_DLH, divisor >> 8)
        self._set(_LCR, 0xBF)
        self._set(_FCR, 0xD0)  # EFR: auto CTS, auto RTS, enhanced functions
        self._set(_LCR, 0x03)
        self._set(_MCR, 0x04)
        self._set(_TCR, 0x6F)
        self._set(_MCR, 0x02)
        self._set(_FCR, 0x07)

    def _get(self, register):
        self._out[0] = register << 3 | _READ
        self._cs(0)
        try:
            self._spi.write_readinto(self._out, self._in)
        finally:
            self._cs(1)
        return self._in[1]

    def _set(self, register, value):
        self._out[0] = register << 3
        self._out[1] = value
        self._cs(0)
        try:
            self._spi.write(self._out)
        finally:
            self._cs(1)

    def readinto(self, buf, at, limit):
        """Bytes that have come, at most up to buf[limit], into buf[at:]; returns their number."""
        n = min(self._get(_RXLVL), limit - at, FIFO)
        if n > 0:
            self._out[0] = _RHR << 3 | _READ
            self._cs(0)
            try:
                self._spi.write(self._first)
                self._spi.readinto(memoryview(buf)[at : at + n])
            finally:
                self._cs(1)
        return n

    def write(self, buf):
        """Take as many bytes as fit now; returns their number."""
        n = min(self._get(_TXLVL), len(buf), FIFO)
        if n > 0:
            self._out[0] = _RHR << 3
            self._cs(0)
            try:
                self._spi.write(self._first)
                self._spi.write(buf[:n])
            finally:
                self._cs(1)
        return n
