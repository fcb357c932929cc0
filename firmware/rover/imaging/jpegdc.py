"""The DC terms of a baseline JPEG (ITU-T T.81), which are the means of its blocks: a picture at an eighth of the size.

Only the first component is kept. The entropy-coded data are walked through once; AC terms are read and dropped. Any bytes
end in a ValueError at worst.
"""

from array import array

import micropython
from micropython import const

_TABLE = const(
    34
)  # words per Huffman table: by code length, limit (largest code + 1, 0 = none) and place of its values
_AHEAD = const(4096)  # no MCU is longer


@micropython.viper
def _block(buf: ptr8, st: ptr32, huff: ptr32, values: ptr8, dc: int, ac: int) -> int:
    # one block: returns the difference of its DC term + 65536, or 0 when its codes are not valid
    # st: 0 position, 1 byte at hand, 2 its bits left
    pos = st[0]
    acc = st[1]
    n = st[2]
    k = 0
    out = 0
    table = dc
    while k < 64:
        code = 0
        length = 0
        symbol = -1
        extra = 0
        v = 0
        while symbol < 0 or extra > 0:
            if n == 0:
                acc = buf[pos]
                if acc != 255:
                    pos += 1
                elif buf[pos + 1] == 0:
                    pos += 2
                else:
                    acc = 0  # a marker: zeros until somebody looks
                n = 8
            n -= 1
            bit = (acc >> n) & 1
            if symbol >= 0:
                v = (v << 1) | bit
                extra -= 1
            else:
                code = (code << 1) | bit
                length += 1
                if length > 16:
                    return 0
                if code < int(huff[table * _TABLE + length]):
                    symbol = values[(table << 8) + ((int(huff[table * _TABLE + 17 + length]) + code) & 255)]
                    extra = symbol & 15
        if k == 0:
            s = symbol & 15
            if s and v < (1 << (s - 1)):
                v -= (1 << s) - 1
            out = v + 65536
            k = 1
            table = ac
        elif symbol == 0:
            k = 64
        else:
            k += (symbol >> 4) + 1
    st[0] = pos
    st[1] = acc
    st[2] = n
    return out


class DcReader:
    """width, height in pixels; then rows() of blocks. f: file, buf: memoryview of at least 8 KB (work space)."""

    def __init__(self, f, buf):
        self._f = f
        self._buf = buf
        self._huff = array("I", [0] * (4 * _TABLE))
        self._values = bytearray(1024)
        self._st = array("I", [0] * 3)
        self._interval = 0
        self._q = bytearray(4)
        self._parts = None
        self._seen = 0
        if f.read(2) != b"\xff\xd8":
            raise ValueError("no JPEG")
        while True:
            head = f.read(4)
            if len(head) < 4 or head[0] != 255:
                raise ValueError("no JPEG marker")
            n = (head[2] << 8 | head[3]) - 2
            if not 0 <= n <= len(buf):
                raise ValueError("JPEG segment of %d bytes" % n)
            part = buf[:n]
            if f.readinto(part) != n:
                raise ValueError("JPEG ends in a segment")
            try:
                if self._segment(head[1], part):
                    return
            except IndexError:
                raise ValueError("JPEG segment %d" % head[1]) from None

    def _segment(self, marker, b):
        if marker == 0xDB:  # quantisation: of each table only the first entry is needed
            at = 0
            while at < len(b):
                wide = b[at] >> 4
                self._q[b[at] & 3] = b[at + 1 + wide] if not wide or not b[at + 1] else 255
                at += 1 + (64 << (1 if wide else 0))
        elif marker == 0xC4:
            self._tables(b)
        elif marker == 0xDD:
            self._interval = b[0] << 8 | b[1]
        elif marker in (0xC0, 0xC1):
            self.height = b[1] << 8 | b[2]
            self.width = b[3] << 8 | b[4]
            self._parts = [bytes(b[6 + 3 * i : 9 + 3 * i]) for i in range(b[5])]  # id, sampling, table
            if b[0] != 8 or not self.width or not self.height or not 1 <= b[5] <= 3:
                raise ValueError("JPEG of %d bits" % b[0])
        elif 0xC2 <= marker <= 0xCF:
            raise ValueError("JPEG coding %d" % marker)  # progressive, arithmetic, lossless
        elif marker == 0xDA:
            if not self._parts or b[0] != len(self._parts):
                raise ValueError("JPEG scan of %d components" % b[0])
            self._scan = bytes(b[1 : 1 + 2 * b[0]])
            for p in self._parts:
                if not (1 <= p[1] >> 4 <= 2 and 1 <= p[1] & 15 <= 2):
                    raise ValueError("JPEG sampling %d" % p[1])
            return True
        return False

    def _tables(self, b):
        at = 0
        while at < len(b):
            t = (b[at] >> 4 & 1) << 1 | b[at] & 1
            code = place = 0
            for length in range(1, 17):
                n = b[at + length]
                code <<= 1
                # the place is taken modulo 256 with the code added
                self._huff[t * _TABLE + 17 + length] = (place - code) & 255
                code += n
                self._huff[t * _TABLE + length] = code if n else 0
                place += n
            if place > 256:
                raise ValueError("JPEG Huffman table")
            self._values[t << 8 : (t << 8) + place] = b[at + 17 : at + 17 + place]
            at += 17 + place

    def _fill(self):
        # move what is left to the front and read behind it; zeros behind the file's end
        buf = self._buf
        left = self._end - self._st[0]
        buf[:left] = bytes(buf[self._st[0] : self._end])
        n = self._f.readinto(buf[left:])
        self._end = left + n
        self._st[0] = 0
        self._last = n < len(buf) - left
        if self._last:
            end = min(len(buf), self._end + _AHEAD)
            for i in range(self._end, end):
                buf[i] = 0
            self._end = end

    def rows(self):
        """Yield rows of blocks from the top: array('H') of means, 0 to 255, biased by 0x8000; it is used again."""
        parts = self._parts
        scan = self._scan
        st = self._st
        single = len(parts) == 1
        h = 1 if single else parts[0][1] >> 4
        v = 1 if single else parts[0][1] & 15
        wide = 1 if single else max(p[1] >> 4 for p in parts)
        high = 1 if single else max(p[1] & 15 for p in parts)
        if h != wide or v != high:
            raise ValueError("JPEG whose luminance is not the finest component")
        columns = -(-self.width // (8 * wide))
        lines = [array("H", [0] * (columns * h)) for _ in range(v)]
        blocks = (self.height + 7) >> 3
        q = self._q[parts[0][2] & 3]
        st[0] = self._end = 0
        self._last = False
        st[2] = 0
        before = [0] * len(parts)
        mcu = 0
        for row in range(-(-blocks // v)):
            for column in range(columns):
                if self._interval and mcu and mcu % self._interval == 0:
                    self._restart()
                    before = [0] * len(parts)
                mcu += 1
                if self._end - st[0] < _AHEAD and not self._last:
                    self._fill()
                for i, part in enumerate(parts):
                    t = scan[2 * i + 1]
                    for k in range(1 if single else (part[1] >> 4) * (part[1] & 15)):
                        if self._end - st[0] < 512:
                            raise ValueError("JPEG ends too soon")
                        x = _block(self._buf, st, self._huff, self._values, t >> 4 & 1, 2 + (t & 1))
                        if not x:
                            raise ValueError("JPEG code")
                        before[i] += x - 65536
                        if i == 0:
                            mean = (before[0] * q >> 3) + 128
                            lines[k // h][column * h + k % h] = 0x8000 + min(255, max(0, mean))
            for k in range(min(v, blocks - row * v)):
                yield lines[k]

    def _restart(self):
        st = self._st
        buf = self._buf
        st[2] = 0
        if self._end - st[0] < _AHEAD and not self._last:
            self._fill()
        while st[0] + 2 < self._end:
            if buf[st[0]] == 255 and 0xD0 <= buf[st[0] + 1] <= 0xD7:
                st[0] += 2
                return
            st[0] += 1
        raise ValueError("JPEG restart marker")
