"""machine as the Pico has it, for what the firmware uses of it: every call goes to the chip's models."""

import struct

import chiplink
from chiplink import link

PWRON_RESET = 1
WDT_RESET = 3
_WATCHDOG = 0x40058000  # registers, RP2040 data sheet 4.7.6
_SCRATCH0 = _WATCHDOG + 0x0C
_STOP = _WATCHDOG + 0x3000  # alias that clears bits
_cause = PWRON_RESET


def reset_cause():
    return _cause


def reset():
    link.call(chiplink.RESET)


class Pin:
    IN = 0
    OUT = 1
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_FALLING = 4
    IRQ_RISING = 8

    def __init__(self, number, mode=-1, pull=-1, value=None):
        if not 0 <= number < 30:
            raise ValueError("invalid pin")
        self.number = number
        self.init(mode, pull, value)

    def init(self, mode=-1, pull=-1, value=None):
        if mode is None:
            pull = 0
        if mode != -1 or value is not None:
            mode = 0xFF if mode == -1 else mode
            level = 0xFF if value is None else 1 if value else 0
            link.call(chiplink.PIN, bytes((self.number, mode, max(0, pull or 0), level)))

    def value(self, level=None):
        if level is None:
            return link.call(chiplink.PIN_READ, bytes((self.number,)))[0]
        link.call(chiplink.PIN, bytes((self.number, 0xFF, 0, 1 if level else 0)))

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=IRQ_FALLING | IRQ_RISING, hard=False):
        if handler is None:
            link.handlers.pop(self.number, None)
            trigger = 0
        else:
            link.handlers[self.number] = (handler, self)
        link.call(chiplink.PIN_IRQ, bytes((self.number, trigger)))


class I2C:
    def __init__(self, bus, scl=None, sda=None, freq=400000, timeout=50000):
        self._head = struct.pack("<BII", bus, freq, timeout)

    def _transfer(self, address, data, count):
        answer = link.call(chiplink.I2C, self._head + struct.pack("<BHH", address, len(data), count) + data)
        if answer[0]:
            raise OSError(answer[0])
        return answer[1:]

    def readfrom_mem(self, address, register, count):
        return bytes(self._transfer(address, bytes((register,)), count))

    def readfrom_mem_into(self, address, register, buf):
        buf[:] = self._transfer(address, bytes((register,)), len(buf))

    def writeto_mem(self, address, register, buf):
        self._transfer(address, bytes((register,)) + bytes(buf), 0)

    def readfrom(self, address, count):
        return bytes(self._transfer(address, b"", count))

    def readfrom_into(self, address, buf):
        buf[:] = self._transfer(address, b"", len(buf))

    def writeto(self, address, buf):
        self._transfer(address, bytes(buf), 0)
        return len(buf)

    def scan(self):
        found = []
        for address in range(8, 0x78):
            try:
                self._transfer(address, b"", 0)
            except OSError:
                continue
            found.append(address)
        return found


class SPI:
    def __init__(self, bus, baudrate=1000000, sck=None, mosi=None, miso=None):
        self._bus = bus
        self._rate = baudrate

    def _exchange(self, wanted, count, fill, data):
        return link.call(chiplink.SPI, struct.pack("<BIBIB", self._bus, self._rate, wanted, count, fill) + bytes(data))

    def write(self, buf):
        self._exchange(0, 0, 0, buf)

    def readinto(self, buf, write=0):
        buf[:] = self._exchange(1, len(buf), write, b"")

    def read(self, count, write=0):
        return bytes(self._exchange(1, count, write, b""))

    def write_readinto(self, out, into):
        into[:] = self._exchange(1, 0, 0, out)


class UART:
    def __init__(self, number, baudrate=115200, tx=None, rx=None, txbuf=256, rxbuf=256, timeout=0):
        link.call(chiplink.UART, struct.pack("<III", baudrate, txbuf, rxbuf))

    def any(self):
        return link.received

    def write(self, buf):
        return struct.unpack("<I", link.call(chiplink.UART_WRITE, bytes(buf)))[0] or None

    def readinto(self, buf, count=None):
        data = link.call(chiplink.UART_READ, struct.pack("<I", len(buf) if count is None else count))
        buf[: len(data)] = data
        return len(data) or None


class PWM:
    def __init__(self, pin, freq=0, duty_u16=None, duty_ns=None):
        self._pin = pin.number
        self._freq = freq
        self._ns = 0
        if duty_u16 is not None:
            self.duty_u16(duty_u16)
        elif duty_ns is not None:
            self.duty_ns(duty_ns)

    def freq(self, value):
        duty = self._ns * self._freq  # it stays, not the pulse's length
        self._freq = value
        self.duty_ns(duty // value)

    def duty_u16(self, value):
        self.duty_ns((value * 1000000000 // 65535) // self._freq if self._freq else 0)

    def duty_ns(self, value):
        self._ns = value
        link.call(chiplink.PWM, struct.pack("<BIQ", self._pin, self._freq, value))

    def deinit(self):
        self.duty_ns(0)


class ADC:
    def __init__(self, channel):
        self._channel = channel

    def read_u16(self):
        raw = struct.unpack("<H", link.call(chiplink.ADC, bytes((self._channel,))))[0]
        return raw << 4 | raw >> 8


class WDT:
    def __init__(self, timeout=5000):
        self._timeout = timeout
        self.feed()

    def feed(self):
        link.call(chiplink.WDT, struct.pack("<I", self._timeout))


class _Memory:
    """mem32, of the watchdog alone: its scratch registers are what firmware keeps the time in. Signed, as on a 32-bit port."""

    scratch = [0, 0]

    def __getitem__(self, address):
        value = self.scratch[(address - _SCRATCH0) >> 2]
        return value - (1 << 32) if value >> 31 else value

    def __setitem__(self, address, value):
        if address == _STOP:
            link.call(chiplink.WDT, struct.pack("<I", 0))
            return
        at = (address - _SCRATCH0) >> 2
        self.scratch[at] = value & 0xFFFFFFFF
        link.call(chiplink.SCRATCH, struct.pack("<BI", at, self.scratch[at]))


mem32 = _Memory()
