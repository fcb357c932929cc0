"""What is right in frames that are lost: the unit is asked for short checksums of a gap before its bytes are asked for again.

A digest request names places in sending order and a block length; the answer is the low 24 bits of each block's CRC-32. Every window of the
fragments that lay in the gap (stretch.py) is compared; blocks that are found are taken, and only the others are asked for again. So a burst of
600 bytes in a frame of 2,000 costs some 750 bytes instead of 2,000, and an outage costs hardly more than its length. It takes one round trip more,
which is spent only while the file is still being sent.

Digest request, on the unit's repair APID: transaction u16, first place u32, end u32, block length u8.
Digest, on the same: 0 u8 (a repair packet begins with an entity's number), transaction u16, first place u32, end u32, block length u8, then three
bytes for each block from first to end; the last block may be shorter. The layout is ours.
"""

from __future__ import annotations

import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..events import Fragment
from .events import PduError
from .ranges import SendingOrder

BLOCK = 64  # bytes of a block in files without runs
REQUEST = struct.Struct(">HIIB")
HEADER = struct.Struct(">BHIIB")
CHECK = 3  # bytes per block
MOST_BLOCKS = 128  # in one request
_HELD = 8  # gaps held back at a time
_LEAST = 3  # blocks that a gap must have to be worth a question
_SPENT = 64  # bytes of a frame that hold no file data, at most


class Digest(NamedTuple):
    number: int
    first: int
    end: int
    block: int
    checks: list[int]


def parse(data: bytes) -> Digest:
    """Raises PduError when the fields do not fit together."""
    if len(data) < HEADER.size:
        raise PduError(f"digest of {len(data)} bytes, at least {HEADER.size} expected")
    _, number, first, end, block = HEADER.unpack_from(data)
    checks = data[HEADER.size :]
    if not block or end <= first or len(checks) != -(-(end - first) // block) * CHECK:
        raise PduError(f"digest of {len(checks)} bytes for the places {first} to {end} in blocks of {block}")
    return Digest(
        number, first, end, block, [int.from_bytes(checks[i : i + CHECK], "big") for i in range(0, len(checks), CHECK)]
    )


@dataclass(slots=True)
class _Held:
    """A gap in places of the sending order, and what lay in it. Until then its bytes are not asked for."""

    first: int
    end: int
    fragments: tuple[bytes, ...]
    until: float


class Salvage:
    """The gaps of one file that wait for digests. ``want(first, end)`` takes places that have to be sent again."""

    def __init__(self, number: int, want: Callable[[int, int], None]) -> None:
        self._number = number
        self._want = want
        self._held: list[_Held] = []
        self.requests: list[bytes] = []

    @property
    def deadline(self) -> float:
        return min((h.until for h in self._held), default=float("inf"))

    def gap(
        self, order: SendingOrder, first: int, end: int, fragments: Sequence[Fragment], now: float, wait: float
    ) -> None:
        """A gap that is new. What its fragments may fill is asked about, the rest wanted at once."""
        block = order.run or BLOCK
        for a, b, useful in _parts(first, end, fragments):
            # Blocks are whole runs: what a run's end is in this gap is asked for as it is.
            whole = min(-(-a // block) * block, b) if order.run else a
            blocks = -(-(b - whole) // block)
            if useful and _LEAST <= blocks <= MOST_BLOCKS and block < 256 and len(self._held) < _HELD:
                if a < whole:
                    self._want(a, whole)
                self._held.append(_Held(whole, b, useful, now + wait))
                self.requests.append(REQUEST.pack(self._number, whole, b, block))
            else:
                self._want(a, b)

    def poll(self, now: float) -> None:
        """Gaps whose digest did not come are asked for whole."""
        for held in [h for h in self._held if h.until <= now]:
            self._held.remove(held)
            self._want(held.first, held.end)

    def release(self) -> None:
        """No digests are waited for any more."""
        self.requests.clear()
        self.poll(float("inf"))

    def clear(self) -> None:
        """The file needs nothing any more."""
        self._held.clear()
        self.requests.clear()

    def answer(self, order: SendingOrder, digest: Digest) -> list[tuple[int, bytes]]:
        """(file offset, bytes) that were found. The rest of the digest's gap is wanted."""
        found: list[tuple[int, bytes]] = []
        for held in [h for h in self._held if h.first < digest.end and digest.first < h.end]:
            self._held.remove(held)
            first, end = max(held.first, digest.first), min(held.end, digest.end)
            if end < held.end:  # the unit says the rest in the next packet
                self._held.append(_Held(end, held.end, held.fragments, held.until))
            if held.first < first:
                self._want(held.first, first)
            at = first
            for place, data in sorted(_search(order, digest, held.fragments).items()):
                if not at <= place < place + len(data) <= end:
                    continue
                if at < place:
                    self._want(at, place)
                at = place + len(data)
                found += ((offset, data[a - place : b - place]) for offset, a, b in _spans(order, place, at))
            if at < end:
                self._want(at, end)
        return found


def _spans(order: SendingOrder, first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(file offset, first place, end) of the pieces that are whole in the file."""
    for offset, stop in order.offsets(first, end):
        yield offset, first, first + stop - offset
        first += stop - offset


def _parts(first: int, end: int, fragments: Sequence[Fragment]) -> list[tuple[int, int, tuple[bytes, ...]]]:
    """The gap cut into places that fragments may hold, and those in between (an outage) that none can."""
    if not fragments:
        return [(first, end, ())]
    everything = tuple(f.data for f in fragments)
    heads = tuple(f.data for f in fragments if not f.tail)
    tails = tuple(f.data for f in fragments if f.tail)
    known_head, known_tail = sum(map(len, heads)), sum(map(len, tails))
    if end - first <= max(known_head, known_tail) + _SPENT or end - first <= known_head + known_tail:
        return [(first, end, everything)]
    low, high = first + known_head, end - known_tail
    return [(a, b, f) for a, b, f in ((first, low, heads), (low, high, ()), (high, end, tails)) if a < b]


def _search(order: SendingOrder, digest: Digest, fragments: Sequence[bytes]) -> dict[int, bytes]:
    """Place → bytes of the blocks found. In one fragment a single block at its distance is chance; two are not.

    In files with runs every PDU holds one run, and its offset stands in front of it.
    """
    wanted: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))  # length → check → places
    named: dict[int, bytes] = {}  # place → its offset, as a PDU has it
    for k, check in enumerate(digest.checks):
        place = digest.first + k * digest.block
        wanted[min(digest.block, digest.end - place)][check].append(place)
        named[place] = next(order.offsets(place, place + 1))[0].to_bytes(4, "big")
    found: dict[int, bytes] = {}
    for fragment in fragments:
        votes: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for length, places in wanted.items():
            for at in range(len(fragment) - length + 1):
                for place in places.get(zlib.crc32(fragment[at : at + length]) & 0xFFFFFF, ()):
                    votes[place - at].append((place, at, length))
        for hits in votes.values():
            sure = len(hits) > 1 and not order.run
            for place, at, length in hits:
                if place not in found and (sure or fragment[max(at - 4, 0) : at] == named[place]):
                    found[place] = fragment[at : at + length]
    return found
