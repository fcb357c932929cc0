"""Pictures as slots (slots.py) in layers, made in one pass over the rows:
0  thumbnail (thumbnail.py);  1  base, with a coarse copy of its parents (parents.py) between;  2, 3  refinements, to plane 2 and to lossless.

Body of a base slot: quality u8 (steps.py) of its first block; kind u8: bits 0-1 last unit coded of the last block, 2-3 first unit
of the first block, 4 fine (else whole) steps, 5 blocks may be left out; then bits (blocks.py). Where a strip of blocks begins
within the slot, "quality changes" and if so 8 plain bits come before its first block. With bit 5, before every block but the
first, "blocks are left out" and if so their number - 1 in 8 plain bits; behind a gap the quality may change too. Refinement: u16 =
blocks (12 bits), first unit (2), last unit (2); then bits; what is known already the base slots and the layer before say.

With a bit budget the quality follows it (budget.py). A picture that is never refined has fine steps, one that can be has whole
ones, so its qualities are multiples of 16. A region of interest is coded finer, and its base slots are a part of their own, which
can be sent before the rest.
"""

from array import array

from micropython import const

from rover.imaging import steps
from rover.imaging.blocks import (
    ALONE,
    BLOCK,
    COUNT,
    DC,
    DONE,
    ENTRIES,
    KNOWN,
    LIMIT,
    LOW,
    ORPHAN,
    PLAIN,
    PLANE,
    POS,
    SCALE,
    TABLES,
    UNIT,
    WORDS,
    bands,
    code,
    estimate,
    mean,
    put,
    quantise,
    restart,
    several,
    shifted,
    spread,
    tables,
)
from rover.imaging.slots import BLOCKS, HEAD, HEAD_REFINE, PARENTS, begin, seal
from rover.imaging.wavelet import Wavelet

_PARTS = const(6)  # thumbnail, base, two refinements, base of the region of interest, copy of the parents
_BASE = const(1)
_REGION = const(4)
_COPY = const(5)
_MOST = const(4000)  # blocks of a slot
_STEP = const(16)  # blocks coded in one step
_SMALL = const(1200)  # blocks; with fewer one slot of a copy would be a large part of them
_LONG = const(3)  # a refinement is of no use without the base, so it is cut less fine: 3 % fewer bytes to lossless

LOSSLESS = const(0)


def startup():
    """What the contexts start with, by kind of slot (startup.py). The module is let go: a part needs one of its tables."""
    import sys

    from rover import imaging
    from rover.imaging.startup import STARTUP

    del imaging.startup, sys.modules["rover.imaging.startup"]
    return STARTUP


class _Part:
    """One row of slots and the coder's state in the open one."""

    def __init__(self, number, owner, tables):
        self.number = number
        self.layer = _BASE if number >= _REGION else number
        self.owner = owner
        self.buf = owner.room(owner.slot if self.layer == _BASE else _LONG * owner.slot)
        self.start = tables[3 if number == _COPY else self.layer - 1]
        self.w = array("I", [0] * (WORDS + len(self.start)))
        self.head = (HEAD if self.layer == _BASE else HEAD_REFINE) + 2
        self.body = self.buf[self.head :]
        self.w[LIMIT] = len(self.body) - 1
        self.open = False
        self.last = 0  # block coded last
        self.unit = 0  # its last unit
        self.quality = -1
        self.slots = 0

    def fresh(self, block, unit):
        """Begin a slot with this unit of this block (numbered over the picture)."""
        owner = self.owner
        w = self.w
        begin(self.buf, owner.picture, owner.plane, self.layer, PARENTS if self.number == _COPY else BLOCKS, block)
        self.first = block
        self.kind = unit << 2
        restart(w, self.start, len(self.start))
        w[UNIT] = self.begun = unit
        w[ALONE] = 4
        w[ORPHAN] = unit > 0
        self.open = self.plain = True

    def close(self):
        """Put the open slot out."""
        if not self.open:
            return
        self.open = False
        owner = self.owner
        b = self.buf
        w = self.w
        pos = w[POS]
        # the shortest end: bytes that are not there are zeros to the decoder
        v = (w[LOW] + 0x3FFFFF) >> 22
        if v > 255:
            k = pos - 1
            while self.body[k] == 255:
                self.body[k] = 0
                k -= 1
            self.body[k] += 1
        self.body[pos] = v & 255
        kind = self.kind | self.unit
        n = self.last + 1 - self.first
        if self.layer == _BASE:
            b[self.head - 1] = kind | owner.kind
        else:
            b[self.head - 2] = n >> 4
            b[self.head - 1] = (n & 15) << 4 | kind
        seal(b, self.head + pos + 1, owner.wide, owner.depth, self.last + 1)
        self.slots += 1
        owner.sink(_BASE if self.number == _COPY else self.number, b)


class Encoder:
    """Rows in, slots out.

    width, height 8..2048; depth 8..12; arena: bytearray (48 KB are enough up to 640 pixels wide at 8 bits);
    sink(part, slot): slot is valid during the call only; parts 0..3 are the layers, 4 the base of the region of interest;
    quality: 16ths of a bit plane for the base layer (0 = lossless, 48 = good, 80 = coarse), or None with
    budget: bytes for thumbnail and base together; shares: where the budget goes, a weight per strip of 8 rows (None: unknown);
    refine: 0 = base only, 1 = to plane 2, 2 = to lossless;
    roi: (x, y, w, h) in pixels, coded roi_gain 16ths of a plane finer;
    copy: with a coarse copy of the parents, unless it is chroma, refined or small;
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
        copy=True,
    ):
        if not (8 <= width <= 2048 and 8 <= height <= 2048 and 8 <= depth <= 12):
            raise ValueError(
                "picture %dx%d of %d bits: 8..2048 pixels a side and 8..12 bits are coded" % (width, height, depth)
            )
        if not 128 <= slot <= 250:
            raise ValueError("slots of %d bytes: 128..250" % slot)
        fine = not refine and (budget > 0 or quality >= steps.finest(depth))
        self.shift = steps.fraction(depth) if fine else 0
        self.w = w = Wavelet(width, height, depth + 8 if self.shift else depth, memoryview(arena))
        w.on_strip = self._begin
        self.wide = w.wide >> 3
        self.row_buffer = w.row_buffer
        if self.shift and depth == 8:
            self.row_buffer = w.row_buffer[width:]
        self.sink = sink
        self.slot = slot
        self.depth = depth
        self.roi = roi
        self.roi_gain = roi_gain
        self.picture = picture & 255
        self.plane = plane & 3
        self.fine = fine
        self.kind = fine << 4 | (roi is not None) << 5
        copy = copy and fine and not plane and self.wide * (w.high >> 3) >= _SMALL
        if copy:
            from rover.imaging.parents import run

            self._copy = run
        needed = (0, 1, refine > 0, refine > 1, roi, copy)
        self._scales = steps.one()
        self._bits = array("I", [0, 0])
        self._rows = array("i", [0] * 22)
        end = w.end + 2 * (TABLES + ENTRIES)
        if end > len(arena):
            raise MemoryError("picture %d wide needs %d bytes of arena, has %d" % (width, end, len(arena)))
        self._list = w.arena[w.end : end]
        tables(self._list)
        self._spare = w.arena[end:]
        starts = startup()
        self.parts = [_Part(n, self, starts) if needed[n] else None for n in range(_PARTS)]
        starts = None
        self._work = None  # what is left to do of a strip
        self.thumbnail = None
        if thumbnail:
            from rover.imaging.thumbnail import Thumbnail

            self.thumbnail = Thumbnail(width, height, depth, self.picture, self.plane, slot, sink, self.shift)
        self.quality = quality
        self._budget = None
        if budget:
            from rover.imaging.budget import Budget

            self._budget = Budget(self, budget // slot, w.high >> 3, shares)
        self._owed = 0  # 16ths of a plane that whole steps were finer than asked

    def room(self, n):
        """n bytes, of the arena as long as it has some."""
        spare = self._spare
        if n > len(spare):
            return memoryview(bytearray(n))
        self._spare = spare[n:]
        return spare[:n]

    def push_row(self):
        """The row in row_buffer (pixels: bytes, or 16-bit little-endian above 8 bits) is complete."""
        self.push()
        while self.step():
            pass

    def push(self):
        """As push_row(), but the work that became possible is left to step(), so that other tasks run in between.

        step() must have returned False before the next row."""
        if self.shift:
            w = self.w
            (spread if self.depth == 8 else shifted)(w.row_buffer, w.width, self.shift)
        self.w.push_row()

    def step(self):
        """Code a few blocks; False when nothing is left to do."""
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
        for part in self.parts:
            if part:
                part.close()

    def used(self):
        """Bytes that count against the budget so far."""
        n = self.thumbnail.slots * self.slot if self.thumbnail else 0
        for part in (self.parts[_BASE], self.parts[_REGION], self.parts[_COPY]):
            if part:
                n += part.slots * self.slot
                if part.open:
                    n += part.head + part.w[POS]
        return n

    # -- one strip

    def _strip(self, strip):
        wide = self.wide
        first = strip * wide
        rows = self._rows
        dc = self.w.rows_of(strip, 0, rows, 1)
        if self.thumbnail:
            self.thumbnail.row(self.w.arena, dc, strip)
        if self._budget:
            self._budget.steer(self, strip)
        q = self.quality
        roi = self.roi
        inside = roi and roi[1] < 8 * strip + 8 and roi[1] + roi[3] > 8 * strip
        left = roi[0] >> 3 if inside else wide
        right = min(wide, (roi[0] + roi[2] + 7) >> 3) if inside else wide
        for number, start, end in ((_BASE, 0, left), (_REGION, left, right), (_BASE, right, wide)):
            if start < end:
                yield from self._run(number, first, start, end, max(0, q - self.roi_gain) if number == _REGION else q)

    def estimate(self, strip, quality):
        """(bits, bits at twice the step) of the strip at this quality, guessed from its coefficients."""
        rows = self._rows
        self.w.rows_of(strip, 0, rows, 1)
        rows[0] = self.wide
        steps.fill(self._scales, quality, self.shift)
        estimate(self.w.arena, rows, self._scales, self._bits)
        return self._bits[0] >> 3, self._bits[1] >> 3

    def _run(self, number, first, start, end, q):
        a = self.w.arena
        rows = self._rows
        part = self.parts[number]
        dc = self.w.rows_of(first // self.wide, start, rows, 1)
        rows[0] = end - start
        scales = self._scales
        if self.fine:
            q = min(255, max(q, steps.finest(self.depth)))
            steps.fill(scales, q, self.shift)
            quantise(a, rows, scales, 0x5555)
            plane = 0
            scale = scales[9]
            plain = self.depth + 8 - (q >> 4)
            if self.parts[_COPY]:
                self._copy(self.parts[_COPY], a, rows, self._list, first + start, end - start, q)
        else:
            if number == _BASE:
                plane = max(0, min(11, (q + self._owed + 8) >> 4))
                self._owed = max(-8, min(8, self._owed + q - 16 * plane))
            else:
                plane = q >> 4
            q = 16 * plane
            quantise(a, rows, steps.one(), 0)
            scale = 0
            plain = self.depth + 4
        todo = [part]
        w = part.w
        w[PLANE] = plane
        w[KNOWN] = 31
        w[SCALE] = scale
        for n in (2, 3):
            if self.parts[n]:
                todo.append(self.parts[n])
                w = self.parts[n].w
                w[PLANE] = to = 2 if n == 2 else 0
                w[KNOWN] = max(plane, to)
                plane = min(plane, to)
        for i in range(start, end, _STEP):
            for p in todo:
                p.w[DC] = dc
                self._blocks(p, first + start, i - start, min(i + _STEP, end) - start, q, plain)
            yield

    def _blocks(self, part, first, i, end, q, plain):
        # blocks first + i .. first + end - 1 of the run that begins at block `first`
        a = self.w.arena
        rows = self._rows
        e = self._list
        w = part.w
        body = part.body
        base = part.layer == _BASE
        gaps = base and self.roi
        while i < end:
            block = first + i
            if part.open and (block - part.first >= _MOST or block - part.last > 256):
                part.close()
            alone = i == 0 if base else block % self.wide == 0
            if part.open and not (alone or part.plain or gaps or block == part.first + 1):
                k = several(a, rows, w, e, body, i, end)
                if k > i:
                    part.last = first + k - 1
                    part.unit = 3
                if k == end:
                    return
                i = k
                block = first + i
                unit = w[DONE]
            else:
                unit = self._one(part, block, i, alone, gaps, q, plain)
            while unit < 4:
                if unit:
                    part.last = block
                    part.unit = unit - 1
                part.close()
                part.fresh(block, unit)
                if base:
                    part.buf[HEAD] = q
                w[COUNT] = 0
                w[PLAIN] = plain
                if unit == 0:
                    mean(a, w, e)
                    part.plain = False
                bands(a, rows, w, e)
                unit += code(w, e, body)
            part.quality = q
            part.last = block
            part.unit = 3
            i += 1

    def _one(self, part, block, i, alone, gaps, q, plain):
        # a block that begins a slot or a run, or has others left out before it; returns how many of its units fitted
        e = self._list
        w = part.w
        base = part.layer == _BASE
        n = 0
        w[UNIT] = w[ORPHAN] = 0
        # what of the block to the left is not in the slot
        w[ALONE] = 4 if alone else part.begun if part.open and block == part.first + 1 else 0
        w[BLOCK] = i
        if not part.open:
            part.fresh(block, 0)
            if base:
                part.buf[HEAD] = q
        elif base:
            gap = block - part.last - 1
            if gaps:
                put(e, TABLES, 193 << 1 | (gap > 0))
                n = 1
                if gap:
                    put(e, TABLES + 1, 8 << 11 | 0x8000 | gap - 1)
                    n = 2
            if alone:
                put(e, TABLES + n, 192 << 1 | (q != part.quality))
                n += 1
                if q != part.quality:
                    put(e, TABLES + n, 8 << 11 | 0x8000 | q)
                    n += 1
        w[COUNT] = n
        w[PLAIN] = plain if part.plain else 0
        a = self.w.arena
        mean(a, w, e)
        part.plain = False
        bands(a, self._rows, w, e)
        return code(w, e, part.body)
