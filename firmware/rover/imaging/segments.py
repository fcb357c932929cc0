"""Pictures as slots: self-contained segments of fixed size in layers, made in one pass over the rows.

Every slot (default 200 bytes): picture u8, layer (3 bits) plane (2) codec (3), first block u16, then for layers 0 and 1 width
in blocks - 1 u8 and depth - 8 (3 bits) with block count (13), CRC-16 u16 over the slot with this field zero; body. Layers:
0  thumbnail (thumbnail.py);  1  base;  2, 3  refinements: the same bit streams carried on, to plane 2 and to lossless.
A base or refinement body is a list of runs: length u8 (0 = to the end of the slot), [refinements: position u16 in the run's
stream], bytes, blocks u8 to the next run's first block, next run. A run's stream is a CCSDS 122 segment: BitDepthDC (5 bits),
BitDepthAC (5), then section 4.3 on. All of one run lies in one strip of blocks.

How a slot is filled: blocks are taken until their estimated cost at the asked quality fills it, and then coded until it is
full, so no byte is wasted, and quality varies little. Quality: 16ths of a bit plane (48 = plane 3). With a bit budget the
quality follows the budget, slowly; the estimate corrects itself by where the coder stood when the slot was full.
"""

from array import array
from math import log

from micropython import const

from rover.imaging.bitplanes import Coder, estimate, state_bytes, take, total
from rover.imaging.thumbnail import code_row
from rover.imaging.wavelet import Wavelet
from rover.link.coding import crc16

RAW = const(0)
SEGMENTS = const(1)
THUMBNAIL = const(2)

_HEAD = const(9)
_HEAD_REFINE = const(6)
_LEAST = const(16)  # blocks per slot
_TAIL = const(24)  # bytes of a slot not worth another run
_LAYERS = const(4)

LOSSLESS = const(0)


class Encoder:
    """Rows in, slots out.

    width, height 8..2048; depth 8..12; arena: bytearray (48 KB are enough up to 640 pixels wide at 8 bits);
    sink(layer, slot): slot is valid during the call only;
    quality: 16ths of a bit plane for the base layer (0 = lossless, 48 = good, 80 = coarse), or None with
    budget: bytes for thumbnail and base together;
    refine: 0 = base only, 1 = to plane 2, 2 = to lossless;
    roi: (x, y, w, h) in pixels, coded roi_gain 16ths of a plane finer;
    picture: id 0..255; plane: 0 luminance, 1 and 2 chroma.
    Raises ValueError (bad arguments, budget too small for the thumbnail) and MemoryError (arena)."""

    def __init__(
        self,
        width,
        height,
        depth,
        arena,
        sink,
        picture=0,
        plane=0,
        quality=48,
        budget=0,
        refine=0,
        roi=None,
        roi_gain=32,
        slot=200,
        thumbnail=True,
    ):
        if not (8 <= width <= 2048 and 8 <= height <= 2048 and 8 <= depth <= 12):
            raise ValueError(
                "picture %dx%d of %d bits: 8..2048 pixels a side and 8..12 bits are coded" % (width, height, depth)
            )
        if not 64 <= slot <= 250:
            raise ValueError("slots of %d bytes: 64..250" % slot)
        self.w = w = Wavelet(width, height, depth, memoryview(arena))
        w.on_strip = self._begin
        self.wide = wide = w.wide >> 3
        self.row_buffer = w.row_buffer
        self._push = w.push_row
        self.sink = sink
        self.slot = slot
        self.height = height
        self.depth = depth
        self.refine = refine
        self.roi = roi
        self.roi_gain = roi_gain
        at = w.end
        size = min(48, wide)
        while size > 8 and state_bytes(size) > len(arena) - at:
            size -= 1
        self.coder = Coder(w, at, size, self._bits)
        self._depths = memoryview(bytearray(wide))
        self._cost = array("I", [0] * wide)
        self._buf = [memoryview(bytearray(slot)) for _ in range(_LAYERS if refine > 1 else 2 + refine)]
        self._pos = array("H", [0] * _LAYERS)  # next byte of each open slot; 0 = none open
        self._mark = array("H", [0] * _LAYERS)  # where the open run's length stands; 0 = no run open
        self._from = array("H", [0] * _LAYERS)  # first block of the last run in the slot
        self._key = bytes((picture & 255,)), plane & 3
        self._open_first = 0  # first block of the open base slot
        self._gain = 256  # bits really used per estimated one, 8 bit fraction
        self._blocks = wide * (w.high >> 3)
        self._thumb_row = array("H", [0] * wide) if thumbnail else None
        self._work = None  # what is left to do of a strip
        self._thumb = array("i", [0] * 12)
        self._ends = array("I", [0] * 2)  # block behind the last one in the open slots of layers 0 and 1
        self.slots = array("I", [0] * _LAYERS)  # made so far, per layer
        self._q = quality
        self._budget = 0
        if budget:
            self._budget = budget // slot
            least = self._blocks // 320 + 2
            if self._budget < least:
                raise ValueError("budget of %d bytes; the thumbnail alone may need %d" % (budget, least * slot))
            self._q = -1
        self._shares = None
        self._estimated = -1
        self._run_first = self._run_pos = self._run_limit = 0
        self._take = array("i", [0] * 7)

    def push_row(self):
        """The row in row_buffer (pixels: bytes, or 16-bit little-endian above 8 bits) is complete."""
        self._push()
        while self.step():
            pass

    def push(self):
        """As push_row(), but the work that became possible is left to step(), so that other tasks run in between.

        step() must have returned False before the next row."""
        self._push()

    def step(self):
        """Code one run of blocks; False when nothing is left to do."""
        if self._work:
            for _ in self._work:
                return True
            self._work = None
        return False

    def _begin(self, strip):
        while self.step():
            pass
        self._work = self._strip(strip)
        if self.w.pushed >= self.w.high:  # the last row completes several strips: their rows do not wait
            while self.step():
                pass

    def finish(self):
        """After the last row: everything out."""
        while self.step() or self.w.finish():
            pass
        for layer in range(len(self._buf)):
            self._end_run(layer)
            self._close(layer)

    # -- slots

    def _open(self, layer, codec, first, plain=True):
        b = self._buf[layer]
        b[0] = self._key[0][0]
        b[1] = layer << 5 | self._key[1] << 3 | codec
        b[2] = first >> 8
        b[3] = first & 255
        self._mark[layer] = 0
        self._pos[layer] = _HEAD if layer < 2 else _HEAD_REFINE

    def _close(self, layer):
        pos = self._pos[layer]
        if not pos:
            return
        b = self._buf[layer]
        self._pos[layer] = 0
        for i in range(pos, self.slot):
            b[i] = 0
        head = _HEAD if layer < 2 else _HEAD_REFINE
        if layer < 2:
            b[4] = self.wide - 1
            n = self._ends[layer] - (b[2] << 8 | b[3])
            b[5] = (self.depth - 8) << 5 | n >> 8
            b[6] = n & 255
        b[head - 2] = b[head - 1] = 0
        c = crc16(b)
        b[head - 2] = c >> 8
        b[head - 1] = c & 255
        self.slots[layer] += 1
        self.sink(layer, b)

    # -- the coder's bits: base slot first, then the refinement of the plane at hand

    def _bits(self, data):
        n = len(data)
        i = 0
        while i < n:
            left = self._run_limit - self._run_pos
            if left > 0:
                k = min(left, n - i)
                at = self._pos[1]
                self._buf[1][at : at + k] = data[i : i + k]
                self._pos[1] = at + k
            else:
                if not self.refine:
                    break
                layer = 2
                if self.refine > 1 and self.coder.c[4] < 2:
                    layer = 3
                k = self._more(layer, data[i:n])
            self._run_pos += k
            i += k
        c = self.coder.c
        left = self._run_limit - self._run_pos
        if left > 0:
            c[16] = min(left, 200)  # so that the coder stops where the slot is full
        else:
            c[16] = 200
            if self._stopped is None:
                # plane and part of it, in 16ths
                self._stopped = (
                    16 * c[4] + 16 - b"\x00\x01\x04\x0b"[c[3]] - b"\x01\x03\x07\x05"[c[3]] * c[5] // max(1, c[6])
                )
            if not self.refine:
                return True
        return False

    def _more(self, layer, data):
        # bytes of a run's stream into a refinement layer; returns how many were taken
        b = self._buf[layer]
        pos = self._pos[layer]
        if pos and (self._from[layer] != self._run_first or not self._mark[layer]):
            # another run's bytes end here
            step = self._run_first - self._from[layer]
            if pos + 12 > self.slot or step > 255:
                self._end_run(layer)
                self._close(layer)
                pos = 0
            else:
                self._end_run(layer)
                b[pos] = step
                pos += 1
                self._pos[layer] = pos
        if not pos:
            self._open(layer, SEGMENTS, self._run_first)
            pos = self._pos[layer]
        if not self._mark[layer]:
            self._mark[layer] = pos
            self._from[layer] = self._run_first
            b[pos + 1] = self._run_pos >> 8
            b[pos + 2] = self._run_pos & 255
            pos += 3
        k = min(len(data), self.slot - pos)
        b[pos : pos + k] = data[:k]
        pos += k
        self._pos[layer] = pos
        if pos == self.slot:
            b[self._mark[layer]] = 0
            self._mark[layer] = 0
            self._close(layer)
        return k

    def _end_run(self, layer):
        m = self._mark[layer]
        if m:
            n = self._pos[layer] - m - (1 if layer == 1 else 3)
            self._buf[layer][m] = n
            self._mark[layer] = 0

    # -- one strip

    def _strip(self, strip):
        wide = self.wide
        coder = self.coder
        first = strip * wide
        if self._thumb_row:
            self._thumbnail(strip, first)
        coder.convert(strip, self._depths)
        self._estimated = -1
        if self._budget:
            self._steer(strip)
        q = self._q
        roi = self.roi
        inside = roi and roi[1] < 8 * strip + 8 and roi[1] + roi[3] > 8 * strip
        left = roi[0] >> 3 if inside else wide
        right = (roi[0] + roi[2] + 7) >> 3 if inside else wide
        for start, end, q in ((0, left, q), (left, right, max(0, q - self.roi_gain)), (right, wide, q)):
            if start < end:
                if q >> 4 != self._estimated:
                    self._estimate(strip, q >> 4)
                yield from self._runs(first, start, end, q)

    def _estimate(self, strip, plane):
        self._estimated = plane
        rows = self.coder._rows
        self.w.rows_of(strip, 0, rows, 1)
        rows[0] = self.wide
        estimate(self.w.arena, rows, self._cost, plane)

    def _runs(self, first, i, end, q):
        coder = self.coder
        put = coder.put
        cost = self._cost
        b = self._buf[1]
        f = q & 15
        v = self._take
        while i < end:
            pos = self._pos[1]
            if not pos:
                self._open(1, SEGMENTS, first + i)
                pos = _HEAD
            else:
                b[pos] = first + i - self._from[1]
                pos += 1
            room = (self.slot - pos - 1) * 8
            have = first + i - (b[2] << 8 | b[3])  # blocks in the slot already
            v[0] = i
            v[1] = min(coder.size, end - i)
            v[2] = f
            v[3] = self._gain
            v[4] = room
            v[5] = max(0, _LEAST - have)  # the unix port zero-extends words
            v[6] = 10
            n = take(cost, v)
            bits = v[6]
            full = bits >= room
            limit = room >> 3
            if not full:
                limit = min(limit, (bits + 7) >> 3)
                if (room >> 3) - limit < _TAIL:
                    limit = room >> 3
            coder.load(first + i, n, self._depths[i:])
            coder.restart()
            coder.c[16] = min(limit, 200)
            self._mark[1] = pos
            self._from[1] = first + i
            self._pos[1] = pos + 1
            self._run_first = first + i
            self._run_pos = 0
            self._run_limit = limit
            self._stopped = None
            put(coder.bit_depth_dc, 5)
            put(coder.bit_depth_ac, 5)
            coder.encode()
            if self._stopped is not None and q:
                # stopped above the asked plane: blocks cost more than estimated
                self._gain = max(64, min(1024, self._gain + self._gain * max(-16, min(16, self._stopped - q)) // 128))
            i += n
            self._ends[1] = first + i
            if self._pos[1] + _TAIL >= self.slot:
                if self._pos[1] == self.slot:
                    b[pos] = 0
                    self._mark[1] = 0
                self._end_run(1)
                self._close(1)
            else:
                self._end_run(1)
            yield

    # -- the bit budget

    def _steer(self, strip):
        # quality for this strip so that what is left of the budget lasts
        rows = self.w.high >> 3
        left = self._budget - self.slots[0] - self.slots[1] - (1 if self._pos[1] else 0)
        todo = rows - strip
        if self._thumb_row:
            left -= (self.slots[0] * todo + strip) // (strip + 1) if strip else self._blocks // 420
        left = max(1, left - 1) * (self.slot - _HEAD - 2) * 8
        shares = self._shares
        allowed = left // todo  # bits for this strip
        if shares:
            rest = 1
            for i in range(strip, rows):
                rest += shares[i]
            allowed = int(left * (shares[strip] / rest)) + 1
        # this strip at the allowed rate: at which quality? Bits grow geometrically from plane to plane
        plane = max(0, min(11, self._q >> 4)) if self._q >= 0 else self.depth - 4
        self._estimate(strip, plane)
        c0 = total(self._cost, self.wide, 0) * self._gain >> 11
        c1 = total(self._cost, self.wide, 16) * self._gain >> 11
        want = 16 * plane + int(16 * log((c0 + 1) / allowed) / log(max(1.2, (c0 + 1) / (c1 + 1))))
        want = max(0, min(176, want))
        if self._q < 0:
            self._q = want
            if not shares:
                # the first strip may be sky: half of what a rover's picture usually takes at this rate
                rate = 100 * left // (self._blocks * 64)
                usual = 16 * (self.depth - 8) + (40 if rate > 160 else 50 if rate > 75 else 60 if rate > 35 else 74)
                self._q = (want + usual) >> 1
        else:
            step = want - self._q
            # slowly, so that quality is even; near the end the budget rules
            n = max(1, min(3 if shares else 4, todo // 3))
            self._q += step // min(n, 2) if step >= 0 else -(-step // n)  # the budget is a limit
        self._q = max(0, self._q)

    def survey(self):
        """Begin a survey: the next `height` rows are only looked at, so that the budget is spread by what the picture needs.

        After the last of them call rewind() and push the rows again (the frame is still in the camera's FIFO)."""
        self._shares = array("I", [0] * (self.w.high >> 3))
        self.w.on_strip = self._look

    def rewind(self):
        """End of a survey."""
        while self.w.finish():
            pass
        self.w.restart()
        self.w.on_strip = self._begin

    def _look(self, strip):
        # every second strip; the other one is like it
        if not strip & 1:
            self.coder.convert(strip, self._depths)
            self._estimate(strip, self.depth - 4)
        self._shares[strip] = (total(self._cost, self.wide, 0) >> 3) + 1

    # -- thumbnail

    def _thumbnail(self, strip, first):
        p = self._thumb
        p[0] = self.w.rows_of(strip, 0, self.coder._rows, 1)
        p[1] = wide = self.wide
        p[2] = 0
        p[9] = first
        b = self._buf[0]
        while True:
            if not self._pos[0]:
                self._open(0, THUMBNAIL, first + p[2])
                for i in range(_HEAD, self.slot):
                    b[i] = 0
                b[9] = self.w.width >> 8
                b[10] = self.w.width & 255
                b[11] = self.height >> 8
                b[12] = self.height & 255
                b[13] = p[7] = self.depth - 6
                p[3] = 14 * 8
                p[4] = self.slot * 8
                p[5] = 4
                p[6] = 1
                p[8] = first + p[2]
            p[2] = code_row(self.w.arena, p, self._thumb_row, b)
            self._ends[0] = first + p[2]
            if p[2] == wide:
                self._pos[0] = (p[3] + 7) >> 3
                return
            self._pos[0] = self.slot
            self._close(0)
