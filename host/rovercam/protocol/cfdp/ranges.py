"""Sets of byte ranges, and the order in which the bytes of a file are sent."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


class Ranges:
    """A set of non-negative integers kept as sorted, disjoint, non-touching half-open ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._total = 0
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._starts, self._ends, strict=True))

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def total(self) -> int:
        """How many integers are in the set."""
        return self._total

    @property
    def end(self) -> int:
        """One past the largest, 0 when empty."""
        return self._ends[-1] if self._ends else 0

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        first = bisect_left(self._ends, start)  # ranges that touch or overlap: first … last - 1
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
            self._total -= sum(self._ends[i] - self._starts[i] for i in range(first, last))
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        self._total += end - start

    def clear(self) -> None:
        self._starts, self._ends, self._total = [], [], 0

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of [start, end) that are not in the set."""
        gaps = []
        i = bisect_right(self._ends, start)
        while start < end and i < len(self._starts) and self._starts[i] < end:
            if self._starts[i] > start:
                gaps.append((start, self._starts[i]))
            start = self._ends[i]
            i += 1
        if start < end:
            gaps.append((start, end))
        return gaps

    def covers(self, start: int, end: int) -> bool:
        return not self.missing(start, end)


@dataclass(frozen=True, slots=True)
class SendingOrder:
    """How bytes of a file follow each other on the line.

    run = 0: from first to last. Else runs of ``run`` bytes are sent as k → (k × stride) mod n over the n whole runs,
    then the short rest. A *place* is a byte's index in sending order.
    """

    size: int
    run: int = 0
    stride: int = 0

    @property
    def runs(self) -> int:
        return self.size // self.run if self.run else 0

    def place(self, offset: int) -> int:
        """Place in sending order of the byte at ``offset``."""
        n = self.runs
        if n < 2 or offset >= n * self.run:
            return offset
        index = offset // self.run
        return index * pow(self.stride, -1, n) % n * self.run + offset % self.run

    def offsets(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Ranges of file offsets of the places [first, last), in sending order."""
        n = self.runs
        if n < 2:
            if first < last:
                yield first, last
            return
        whole = n * self.run
        while first < min(last, whole):
            k, within = divmod(first, self.run)
            length = min(self.run - within, last - first)
            offset = k * self.stride % n * self.run + within
            yield offset, offset + length
            first += length
        if first < last:
            yield first, last
