"""A conformant CCSDS 122.0-B-2 bit stream of one picture: headers of section 4.2 around the segments of bitplanes.Coder."""

from rover.imaging.bitplanes import Coder
from rover.imaging.wavelet import Wavelet


class Stream:
    """Rows in, bytes out. sink(memoryview) gets the stream's bytes in order.

    segment: blocks per segment (S); limit: bytes per segment with its header, 0 = none; the other names are the standard's."""

    def __init__(
        self,
        width,
        height,
        depth,
        arena,
        sink,
        segment=64,
        limit=0,
        dc_stop=False,
        plane_stop=0,
        stage_stop=3,
        optimal_dc=True,
        optimal_ac=True,
    ):
        wide = (width + 7) // 8
        self.blocks = wide * ((height + 7) // 8)
        self.segment = segment = min(segment, self.blocks)
        strips = (segment + 2 * wide - 2) // wide  # a segment touches at most so many strips
        self.w = w = Wavelet(width, height, depth, memoryview(arena), strips)
        self.row_buffer = w.row_buffer
        self.push_row = w.push_row
        w.on_strip = self._strip
        self._wide = w.wide >> 3
        self._depths = bytearray(self._wide * (strips + 1))  # of the blocks from _first on
        self._known = 0
        self.coder = Coder(w, w.end, segment, self._part)
        self.sink = sink
        self.height = height
        self.depth = depth
        self.limit = limit
        self._options = (optimal_dc, optimal_ac, dc_stop, plane_stop, stage_stop)
        self._first = 0
        self._count = 0  # segments out

    def finish(self):
        while self.w.finish():
            pass

    def _strip(self, strip):
        ready = (strip + 1) * self._wide
        self.coder.convert(strip, memoryview(self._depths)[self._known :])
        self._known += self._wide
        while self._first < self.blocks and min(self._first + self.segment, self.blocks) <= ready:
            self._one(min(self.segment, self.blocks - self._first))

    def _one(self, count):
        coder = self.coder
        put = coder.put
        first = self._count == 0
        last = self._first + count == self.blocks
        short = first or (last and count != self.segment)  # S changes: part 3 (and its limits, part 2) again
        optimal_dc, optimal_ac, dc_stop, plane_stop, stage_stop = self._options
        coder.load(self._first, count, self._depths)
        coder.restart()
        self._left = self.limit or 1 << 27
        # part 1 (4.2.2)
        put(int(first), 1)
        put(int(last), 1)
        put(self._count & 255, 8)
        put(coder.bit_depth_dc, 5)
        put(coder.bit_depth_ac, 5)
        put(0, 1)
        put(int(short), 1)
        put(int(short), 1)
        put(int(first), 1)
        if last:
            put(-self.height & 7, 3)
            put(0, 5)
        if short:
            # part 2 (4.2.3)
            put(self.limit & 0x7FFFFFF, 27)
            put(int(dc_stop), 1)
            put(plane_stop, 5)
            put(stage_stop, 2)
            put(0, 5)
            # part 3 (4.2.4)
            put(count, 20)
            put(int(optimal_dc), 1)
            put(int(optimal_ac), 1)
            put(0, 2)
        if first:
            # part 4 (4.2.5): integer wavelet, unsigned pixels
            put(8, 4)
            put(self.depth & 15, 4)
            put(self.w.width, 20)
            put(0, 16)
            put(0, 16)
            put(0, 4)
        coder.encode(optimal_dc, optimal_ac, dc_stop, plane_stop, stage_stop)
        self._count += 1
        self._first += count
        self._known -= count
        self._depths[: self._known] = self._depths[count : count + self._known]

    def _part(self, data):
        n = min(len(data), self._left)
        self.sink(data[:n])
        self._left -= n
        return self._left == 0
