"""The unit's data pool: the current value of every parameter, packed, and the on-board dictionary on flash.

A parameter is named by its constant d.P_…: type << 12 | offset. Values are raw; the ground applies calibrations.
Layout of dictionary.bin: host/rovercam/dictionary/generate.py.
"""

import struct

import micropython
from micropython import const

from rover import dictionary as d

_FORMATS = (">B", ">H", ">I", ">b", ">h", ">i", ">f")
_LOW = (0, 0, 0, -128, -32768, -0x80000000)
_HIGH = (0xFF, 0xFFFF, 0xFFFFFFFF, 0x7F, 0x7FFF, 0x7FFFFFFF)
_SIZES = b"\x01\x02\x04\x01\x02\x04\x04"
_F32 = const(6)
_STRING = const(8)
_BYTES = const(9)
_VALUE = const(10)
_COMMAND = const(7)


class Pool:
    """values: bytearray in the dictionary's order. Setting clamps, so that a wild sensor cannot stop a task."""

    def __init__(self):
        self.values = bytearray(d.POOL_SIZE)

    def set(self, p, value):
        kind = p >> 12
        if kind != _F32:
            value = int(value)
            if value < _LOW[kind]:
                value = _LOW[kind]
            elif value > _HIGH[kind]:
                value = _HIGH[kind]
        struct.pack_into(_FORMATS[kind], self.values, p & 0xFFF, value)

    def get(self, p):
        return struct.unpack_from(_FORMATS[p >> 12], self.values, p & 0xFFF)[0]

    def add(self, p, n=1):
        """Count; counters stop at the largest value of their type."""
        self.set(p, self.get(p) + n)

    def copy_into(self, p, buf, at):
        """Append the value's bytes at buf[at:]; returns the position after it."""
        n = _SIZES[p >> 12]
        o = p & 0xFFF
        buf[at : at + n] = self.values[o : o + n]
        return at + n

    def gather(self, codes, buf, at):
        """copy_into() of many, codes an array("H"), where the caller knows that buf has room."""
        return _gather(codes, len(codes), self.values, _SIZES, buf, at)


@micropython.viper
def _gather(codes: ptr16, count: int, values: ptr8, sizes: ptr8, buf: ptr8, at: int) -> int:
    i = 0
    while i < count:
        p = int(codes[i])
        n = int(sizes[p >> 12])
        p &= 0xFFF
        while n:
            buf[at] = values[p]
            at += 1
            p += 1
            n -= 1
        i += 1
    return at


class Table:
    """The packed dictionary, read from flash when needed; nothing of it stays in RAM. Parameters and structures: services/parameters.py.

    head: numbers and places of parameters, commands, structures and events; start: of the dictionary in its file.
    """

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            self.start = f.tell()  # it may lie inside a larger file (firmware/slots.py)
            head = f.read(24)
        if head[:3] != b"RD\x01":
            raise ValueError("not a dictionary")
        self.hash = struct.unpack(">I", head[4:8])[0]
        self.head = struct.unpack(">8H", head[8:])

    def open(self, at):
        """The dictionary's file, and the number of entries, at table `at` of the head."""
        f = open(self.path, "rb")  # noqa: SIM115 - the caller's
        f.seek(self.start + self.head[at + 1])
        return f, self.head[at]

    def severity(self, event):
        """1 info … 4 high."""
        f, n = self.open(6)
        with f:
            for _ in range(n):
                r = f.read(2)
                if r[0] == event:
                    return r[1]
        return 1

    def decode(self, key, data):
        """Arguments of the telecommand `key`, checked against the dictionary.

        Returns (failure code, argument index or list of arguments, flags: 1 two steps needed, 2 normal mode only).
        """
        f, n = self.open(2)
        with f:
            for _ in range(n):
                r = f.read(_COMMAND)
                if struct.unpack_from(">I", r)[0] == key:
                    break
            else:
                return d.F_UNKNOWN_COMMAND, 0, 0
            f.seek(self.start + (r[5] << 8 | r[6]))
            count = f.read(1)[0]
            args = []
            at = 0
            for i in range(count):
                kind = f.read(1)[0]
                limits = f.read(8) if kind & 0x40 else None
                many = kind & 0x80
                kind &= 0x3F
                items = f.read(1)[0] if many or kind in (_STRING, _BYTES) else 0
                try:
                    if kind == _VALUE:  # its type is that of the parameter named before it: service 20 decodes it
                        args.append(bytes(data[at:]))
                        at = len(data)
                        continue
                    if kind >= _STRING:
                        n = data[at]
                        if n > items:
                            return d.F_OUT_OF_RANGE, i, 0
                        value = bytes(data[at + 1 : at + 1 + n])
                        if len(value) != n:
                            return d.F_WRONG_LENGTH, i, 0
                        args.append(value if kind == _BYTES else value.decode())
                        at += 1 + n
                        continue
                    n = 1
                    if many:
                        n = data[at]
                        at += 1
                        if n > items:
                            return d.F_OUT_OF_RANGE, i, 0
                    values = []
                    for _ in range(n):
                        v = struct.unpack_from(_FORMATS[kind], data, at)[0]
                        at += _SIZES[kind]
                        if limits:
                            code = ">ff" if kind == _F32 else ">ii" if kind >= 3 else ">II"
                            low, high = struct.unpack(code, limits)
                            if not low <= v <= high:
                                return d.F_OUT_OF_RANGE, i, 0
                        values.append(v)
                    args.append(values if many else values[0])
                except (ValueError, IndexError, UnicodeError):
                    return d.F_WRONG_LENGTH, i, 0
            if at != len(data):
                return d.F_WRONG_LENGTH, count, 0
        return 0, args, r[4]
