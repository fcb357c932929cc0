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
_LEAST = const(512)  # and no block longer than this
_FAR = const(1 << 20)  # a DC term has at most 15 bits: farther is nonsense
# words of the state: what _mcus has to know and where it stands
_POS = const(0)  # of the next byte in the buffer
_ACC = const(1)  # bits at hand
_BITS = const(2)  # how many, + _OWED: a term's bits may be owed when its block ends
_END = const(3)  # of the bytes in the buffer
_GO = const(4)  # an MCU may begin before this
_COLUMN = const(5)  # of the MCU in its row
_BLOCKS = const(6)  # of an MCU
_Q = const(7)  # quantisation of the DC term
_DC = const(8)  # last DC term of each component, biased by _FAR
_WORDS = const(11)
_OWED = const(64)
_UNSEEN = const(0xFFFF)  # this block's mean is not wanted


@micropython.viper
def _mcus(buf: ptr8, st: ptr32, short: ptr16, huff: ptr32, values: ptr8, plan: ptr16, out: ptr16, count: int) -> int:
    """Read up to `count` MCUs; returns how many, or -1: no valid code, -2: the data end.

    short: per table 256 short codes (length, symbol; 0 = longer); huff, values: the tables.
    plan: per block of an MCU: component, DC table, AC table, place of its mean in out, step of that place per column."""
    pos = st[_POS]
    acc = st[_ACC]
    n = st[_BITS] - _OWED
    end = st[_END]
    go = st[_GO]
    column = st[_COLUMN]
    blocks = st[_BLOCKS]
    q = st[_Q]
    done = 0
    while done < count and pos < go:
        b = 0
        while b < blocks:
            if pos + _LEAST > end:
                return -2
            k = 0
            drop = 0  # bits of an AC term, dropped when the next code is wanted
            table = plan[5 * b + 1]
            while k < 64:
                while n < 16 + drop:
                    v = buf[pos]
                    if v != 255:
                        pos += 1
                    elif buf[pos + 1] == 0:
                        pos += 2
                    else:
                        v = 0  # a marker: zeros until somebody looks
                    acc = ((acc & 0xFFFF) << 8) | v
                    n += 8
                n -= drop
                drop = 0
                v = short[(table << 8) + ((acc >> (n - 8)) & 255)]
                if v:
                    n -= v >> 8
                    v &= 255
                else:
                    length = 9
                    code = 0
                    t = table * _TABLE
                    while length <= 16:
                        code = (acc >> (n - length)) & ((1 << length) - 1)
                        if code < int(huff[t + length]):
                            v = values[(table << 8) + ((int(huff[t + 17 + length]) + code) & 255)]
                            break
                        length += 1
                    if length > 16:
                        return -1
                    n -= length
                # v: symbol
                extra = v & 15
                if k == 0:
                    while n < 16:
                        x = buf[pos]
                        if x != 255:
                            pos += 1
                        elif buf[pos + 1] == 0:
                            pos += 2
                        else:
                            x = 0
                        acc = ((acc & 0xFFFF) << 8) | x
                        n += 8
                    n -= extra
                    x = (acc >> n) & ((1 << extra) - 1)
                    if extra and x < (1 << (extra - 1)):
                        x -= (1 << extra) - 1
                    i = plan[5 * b]
                    x += st[_DC + i]
                    if x < 0 or x > 2 * _FAR:
                        return -1
                    st[_DC + i] = x
                    i = plan[5 * b + 3]
                    if i != _UNSEEN:
                        x = (((x - _FAR) * q) >> 3) + 128
                        if x < 0:
                            x = 0
                        elif x > 255:
                            x = 255
                        out[i + column * plan[5 * b + 4]] = 0x8000 + x
                    k = 1
                    table = plan[5 * b + 2]
                elif v == 0:
                    k = 64
                else:
                    drop = extra
                    k += (v >> 4) + 1
            n -= drop
            b += 1
        column += 1
        done += 1
    st[_POS] = pos
    st[_ACC] = acc
    st[_BITS] = n + _OWED
    st[_COLUMN] = column
    return done


class DcReader:
    """width, height in pixels; then rows() of blocks. f: file, buf: memoryview of at least 8 KB (work space)."""

    def __init__(self, f, buf):
        self._f = f
        self._buf = buf
        self._huff = array("I", [0] * (4 * _TABLE))
        self._values = bytearray(1024)
        self._short = array("H", [0] * 1024)
        self._st = array("I", [0] * _WORDS)
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
            for j in range(t << 8, (t + 1) << 8):
                self._short[j] = 0
            code = place = 0
            for length in range(1, 17):
                n = b[at + length]
                code <<= 1
                if length <= 8:
                    # all codes of 8 bits that begin with one of these
                    for i in range(n):
                        e = length << 8 | (b[at + 17 + place + i] if at + 17 + place + i < len(b) else 0)
                        first = (t << 8) + (code + i << 8 - length)
                        for j in range(first, min(first + (1 << 8 - length), (t + 1) << 8)):
                            self._short[j] = e
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
        st = self._st
        left = st[_END] - st[_POS]
        buf[:left] = bytes(buf[st[_POS] : st[_END]])
        n = self._f.readinto(buf[left:])
        end = left + n
        st[_POS] = 0
        self._last = n < len(buf) - left
        if self._last:
            last = min(len(buf), end + _AHEAD)
            for i in range(end, last):
                buf[i] = 0
            end = last
        st[_END] = end
        st[_GO] = end if self._last else end - _AHEAD

    def rows(self):
        """Yield rows of blocks from the top: 16-bit means, 0 to 255, biased by 0x8000, in memory that is used again."""
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
        means = array("H", [0] * (columns * h * v))
        lines = [memoryview(means)[k * columns * h : (k + 1) * columns * h] for k in range(v)]
        plan = array("H")
        for i, part in enumerate(parts):
            t = scan[2 * i + 1]
            for k in range(1 if single else (part[1] >> 4) * (part[1] & 15)):
                place = _UNSEEN if i else (k // h) * columns * h + k % h
                for x in (i, t >> 4 & 1, 2 + (t & 1), place, h):
                    plan.append(x)
        st[_BLOCKS] = len(plan) // 5
        st[_Q] = self._q[parts[0][2] & 3]
        blocks = (self.height + 7) >> 3
        st[_POS] = st[_END] = st[_GO] = 0
        self._last = False
        self._begin()
        until = self._interval or columns * blocks  # MCUs before the next restart marker
        for row in range(-(-blocks // v)):
            st[_COLUMN] = 0
            while st[_COLUMN] < columns:
                if not until:
                    self._restart()
                    until = self._interval
                if st[_POS] >= st[_GO] and not self._last:
                    self._fill()
                n = _mcus(
                    self._buf, st, self._short, self._huff, self._values, plan, means, min(until, columns - st[_COLUMN])
                )
                if n <= 0 and (n or self._last):
                    raise ValueError("JPEG code" if n == -1 else "JPEG ends too soon")
                until -= n
            for k in range(min(v, blocks - row * v)):
                yield lines[k]

    def _begin(self):
        st = self._st
        st[_BITS] = _OWED
        for i in range(_DC, _WORDS):
            st[i] = _FAR

    def _restart(self):
        st = self._st
        buf = self._buf
        self._begin()
        if st[_POS] >= st[_GO] and not self._last:
            self._fill()
        while st[_POS] + 2 < st[_END]:
            if buf[st[_POS]] == 255 and 0xD0 <= buf[st[_POS] + 1] <= 0xD7:
                st[_POS] += 2
                return
            st[_POS] += 1
        raise ValueError("JPEG restart marker")
