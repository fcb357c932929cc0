"""Pictures as slots (slots.py) in layers, made in one pass over the rows:
0  thumbnail (thumbnail.py);  1  base;  2, 3  refinements: the same bit streams carried on, to plane 2 and to lossless.

A base or refinement body is a list of runs: [COUNTED: blocks u8], length u8 (0 = to the end of the slot), [refinements:
position u16 in the run's stream], bytes, blocks u8 to the next run's first block, next run. A run's stream is a CCSDS 122
segment: BitDepthDC (5 bits), BitDepthAC (5), then section 4.3 on. All of one run lies in one strip of blocks.

How a slot is filled: blocks are taken until their estimated cost at the asked quality fills it, and then coded until it is
full, so no byte is wasted, and quality varies little. Quality: 16ths of a bit plane (48 = plane 3). With a bit budget the
quality follows the budget (budget.py); the estimate corrects itself by where the coder stood when the slot was full.

A region of interest is coded finer, and its base slots are a part of their own, which can be sent before the rest.
"""

from array import array

from micropython import const

from rover.imaging.bitplanes import Coder, estimate, state_bytes, take
from rover.imaging.slots import COUNTED, HEAD, SEGMENTS, begin, seal
from rover.imaging.wavelet import Wavelet

_LEAST = const(16)  # blocks per slot, up to 1.4 bits per pixel
_TAIL = const(24)  # bytes of a slot not worth another run
_PARTS = const(5)  # thumbnail, base, two refinements, base of the region of interest
_BASE = const(1)
_REGION = const(4)

LOSSLESS = const(0)


class Encoder:
    """Rows in, slots out.

    width, height 8..2048; depth 8..12; arena: bytearray (48 KB are enough up to 640 pixels wide at 8 bits);
    sink(part, slot): slot is valid during the call only; parts 0..3 are the layers, 4 the base of the region of interest;
    quality: 16ths of a bit plane for the base layer (0 = lossless, 48 = good, 80 = coarse), or None with
    budget: bytes for thumbnail and base together; shares: where the budget goes, a weight per strip of 8 rows (None: unknown);
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
        shares=None,
        refine=0,
        roi=None,
        roi_gain=32,
        slot=200,
        thumbnail=True,
        table=None,
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
        self.depth = depth
        self.refine = refine
        self.roi = roi
        self.roi_gain = roi_gain
        at = w.end
        size = min(48, wide)
        while size > 8 and state_bytes(size) > len(arena) - at:
            size -= 1
        self.coder = Coder(w, at, size, self._bits, table)
        self._depths = memoryview(bytearray(wide))
        self.cost = array("I", [0] * wide)
        # by part; the thumbnail has its own
        needed = (0, 1, refine > 0, refine > 1, roi)
        self._buf = [memoryview(bytearray(slot)) if n else None for n in needed]
        self._pos = array("H", [0] * _PARTS)  # next byte of each open slot; 0 = none open
        self._mark = array("H", [0] * _PARTS)  # where the open run's length stands; 0 = no run open
        self._from = array("H", [0] * _PARTS)  # first block of the last run in the slot
        self._ends = array("I", [0] * _PARTS)  # block behind the last one in the open slot
        self.slots = array("I", [0] * _PARTS)  # made so far, per part
        self._picture = picture & 255
        self._plane = plane & 3
        self._part = _BASE  # where base runs go now
        self._codec = COUNTED if roi else SEGMENTS
        self.gain = 256  # bits really used per estimated one, 8 bit fraction
        self._work = None  # what is left to do of a strip
        self.thumbnail = None
        if thumbnail:
            from rover.imaging.thumbnail import Thumbnail

            self.thumbnail = Thumbnail(width, height, depth, self._picture, self._plane, slot, sink)
        self.quality = quality
        self._budget = None
        self._least = _LEAST
        if budget:
            from rover.imaging.budget import Budget

            self._budget = Budget(self, budget // slot, w.high >> 3, shares)
            rate = 8 * budget // (wide * (w.high >> 3))  # bits per block
            if rate > 90:
                self._least = max(4, _LEAST * 90 // rate)
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
        if self.thumbnail:
            self.thumbnail.finish()
        for part in range(1, _PARTS):
            self._end_run(part)
            self._close(part)

    def used(self):
        """Slots that count against the budget, the open one included."""
        n = self.slots[_BASE] + self.slots[_REGION] + (1 if self._pos[_BASE] else 0)
        return n + self.thumbnail.slots if self.thumbnail else n

    # -- slots

    def _open(self, part, first):
        layer = _BASE if part == _REGION else part
        codec = self._codec if layer == _BASE else SEGMENTS
        self._mark[part] = 0
        self._pos[part] = begin(self._buf[part], self._picture, self._plane, layer, codec, first)

    def _close(self, part):
        pos = self._pos[part]
        if pos:
            self._pos[part] = 0
            b = self._buf[part]
            seal(b, pos, self.wide, self.depth, self._ends[part])
            self.slots[part] += 1
            self.sink(part, b)

    # -- the coder's bits: base slot first, then the refinement of the plane at hand

    def _bits(self, data):
        n = len(data)
        i = 0
        while i < n:
            left = self._run_limit - self._run_pos
            if left > 0:
                k = min(left, n - i)
                part = self._part
                at = self._pos[part]
                self._buf[part][at : at + k] = data[i : i + k]
                self._pos[part] = at + k
            else:
                if not self.refine:
                    break
                part = 2
                if self.refine > 1 and self.coder.c[4] < 2:
                    part = 3
                k = self._more(part, data[i:n])
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

    def _more(self, part, data):
        # bytes of a run's stream into a refinement slot; returns how many were taken
        b = self._buf[part]
        pos = self._pos[part]
        if pos and (self._from[part] != self._run_first or not self._mark[part]):
            # another run's bytes end here
            step = self._run_first - self._from[part]
            self._end_run(part)
            if pos + 12 > self.slot or step > 255:
                self._close(part)
                pos = 0
            else:
                b[pos] = step
                pos += 1
                self._pos[part] = pos
        if not pos:
            self._open(part, self._run_first)
            pos = self._pos[part]
        if not self._mark[part]:
            self._mark[part] = pos
            self._from[part] = self._run_first
            b[pos + 1] = self._run_pos >> 8
            b[pos + 2] = self._run_pos & 255
            pos += 3
        k = min(len(data), self.slot - pos)
        b[pos : pos + k] = data[:k]
        pos += k
        self._pos[part] = pos
        if pos == self.slot:
            b[self._mark[part]] = 0
            self._mark[part] = 0
            self._close(part)
        return k

    def _end_run(self, part):
        m = self._mark[part]
        if m:
            self._buf[part][m] = self._pos[part] - m - (3 if 1 < part < _REGION else 1)
            self._mark[part] = 0

    # -- one strip

    def _strip(self, strip):
        wide = self.wide
        coder = self.coder
        first = strip * wide
        if self.thumbnail:
            dc = self.w.rows_of(strip, 0, coder._rows, 1)
            self.thumbnail.row(self.w.arena, dc, strip)
        coder.convert(strip, self._depths)
        self._estimated = -1
        if self._budget:
            self._budget.steer(self, strip)
        q = self.quality
        roi = self.roi
        inside = roi and roi[1] < 8 * strip + 8 and roi[1] + roi[3] > 8 * strip
        left = roi[0] >> 3 if inside else wide
        right = min(wide, (roi[0] + roi[2] + 7) >> 3) if inside else wide
        for part, start, end in ((_BASE, 0, left), (_REGION, left, right), (_BASE, right, wide)):
            if start < end:
                self._part = part
                n = max(0, q - self.roi_gain) if part == _REGION else q
                if n >> 4 != self._estimated:
                    self.estimate(strip, n >> 4)
                yield from self._runs(first, start, end, n)

    def estimate(self, strip, plane):
        """Fill `cost`: a word per block, bits at `plane` in its lower half, at the plane above in its upper one."""
        self._estimated = plane
        rows = self.coder._rows
        self.w.rows_of(strip, 0, rows, 1)
        rows[0] = self.wide
        estimate(self.w.arena, rows, self.cost, plane)

    def _runs(self, first, i, end, q):
        coder = self.coder
        put = coder.put
        part = self._part
        b = self._buf[part]
        v = self._take
        while i < end:
            pos = self._pos[part]
            if pos and first + i - self._from[part] > 255:
                self._close(part)
                pos = 0
            if not pos:
                self._open(part, first + i)
                pos = HEAD
            else:
                b[pos] = first + i - self._from[part]
                pos += 1
            counted = pos
            if self._codec == COUNTED:
                pos += 1
            room = (self.slot - pos - 1) * 8
            have = first + i - (b[2] << 8 | b[3])  # blocks in the slot already
            v[0] = i
            v[1] = min(coder.size, end - i)
            v[2] = q & 15
            v[3] = self.gain
            v[4] = room
            v[5] = max(0, self._least - have)  # the unix port zero-extends words
            v[6] = 10
            n = take(self.cost, v)
            bits = v[6]
            full = bits >= room
            limit = room >> 3
            if not full:
                limit = min(
                    limit, max((bits + 7) >> 3, 5 + (5 * n >> 3))
                )  # DC, which is not in the estimate, wants its part
                if (room >> 3) - limit < _TAIL:
                    limit = room >> 3
            coder.load(first + i, n, self._depths[i:])
            coder.restart()
            coder.c[16] = min(limit, 200)
            b[counted] = n
            self._mark[part] = pos
            self._from[part] = first + i
            self._pos[part] = pos + 1
            self._run_first = first + i
            self._run_pos = 0
            self._run_limit = limit
            self._stopped = None
            put(coder.bit_depth_dc, 5)
            put(coder.bit_depth_ac, 5)
            coder.encode()
            if self._stopped is not None and q:
                # stopped above the asked plane: blocks cost more than estimated
                self.gain = max(64, min(1024, self.gain + self.gain * max(-16, min(16, self._stopped - q)) // 128))
            i += n
            self._ends[part] = first + i
            if self._pos[part] + _TAIL >= self.slot:
                if self._pos[part] == self.slot:
                    b[pos] = 0
                    self._mark[part] = 0
                self._end_run(part)
                self._close(part)
            else:
                self._end_run(part)
            yield
