"""Class 1 erasure repair: blocks, generations and repair packets (the layout is ours, the code is zfec's).

The file is cut into blocks of ``length`` bytes, the last one padded with zeros. Block i belongs to generation
i mod G, G = ceil(blocks / 128), and is number i // G of it, so that neighbours lie in different generations. Repair
block r (k ≤ r ≤ 255) of a generation of k blocks is row r of zfec's systematic Vandermonde code over GF(256). Any k
different blocks of a generation give it back.

Repair packet, after the space packet header: entity u8, transaction u16, file size u32, modular checksum u32,
block length u16, generation u8, index of the first block u8, then whole blocks with consecutive indices.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from .events import CfdpError, PduError
from .ranges import Ranges

MOST = 128  # blocks per generation; from the dictionary
HEADER = struct.Struct(">BHIIHBB")


class RepairUnavailable(CfdpError):
    """The zfec library is missing: repair packets are kept but cannot be used."""


class RepairPacket(NamedTuple):
    source: int
    number: int
    size: int
    checksum: int
    length: int
    generation: int
    first: int  # index of the first block
    data: bytes


def parse(data: bytes) -> RepairPacket:
    """Raises PduError when the fields do not fit together."""
    if len(data) < HEADER.size:
        raise PduError(f"repair packet of {len(data)} bytes, at least {HEADER.size} expected")
    source, number, size, checksum, length, generation, index = HEADER.unpack_from(data)
    blocks = bytes(data[HEADER.size :])
    packet = RepairPacket(source, number, size, checksum, length, generation, index, blocks)
    if not size or not length or len(blocks) % length or not blocks:
        raise PduError(f"repair packet: {len(blocks)} bytes are no whole blocks of {length}")
    shape = Blocks(size, length)
    if generation >= shape.generations or not shape.count(generation) <= index <= 256 - len(blocks) // length:
        raise PduError(f"repair packet: generation {generation} block {index} does not exist for {size} bytes")
    return packet


class Blocks:
    """Repair blocks held of one file."""

    def __init__(self, size: int, length: int) -> None:
        self.size, self.length = size, length
        self.total = -(-size // length)
        self.generations = -(-self.total // MOST)
        self._repair: dict[int, dict[int, bytes]] = {}
        self._held = 0
        self._tries = 0

    def count(self, generation: int) -> int:
        """k: blocks of the file in a generation."""
        return (self.total - generation + self.generations - 1) // self.generations

    def add(self, generation: int, index: int, block: bytes) -> bool:
        """False when it is held already."""
        held = self._repair.setdefault(generation, {})
        if index in held:
            return False
        held[index] = block
        self._held += 1
        return True

    def solve(self, have: Ranges, read: Callable[[int, int], bytes]) -> list[tuple[int, bytes]]:
        """(offset, data) of blocks that can be computed now. Raises RepairUnavailable."""
        self._tries += 1
        if have.total + self._held * self.length < self.size and self._tries % 64:
            return []  # not enough for the whole file; look for single generations now and then
        solved = []
        for generation, held in self._repair.items():
            solved += self._solve(generation, held, have, read)
        return solved

    def _span(self, generation: int, index: int) -> tuple[int, int]:
        start = (generation + index * self.generations) * self.length
        return start, min(start + self.length, self.size)

    def _solve(
        self, generation: int, held: dict[int, bytes], have: Ranges, read: Callable[[int, int], bytes]
    ) -> list[tuple[int, bytes]]:
        k = self.count(generation)
        present = [i for i in range(k) if have.covers(*self._span(generation, i))]
        missing = sorted(set(range(k)) - set(present))
        if not missing or len(present) + len(held) < k:
            return []
        blocks, numbers = [], []
        for i in present:
            start, end = self._span(generation, i)
            blocks.append(read(start, end - start).ljust(self.length, b"\0"))
            numbers.append(i)
        for i in sorted(held)[: len(missing)]:
            blocks.append(held[i])
            numbers.append(i)
        decoded = decode(k, blocks, numbers)
        result = []
        for i in missing:
            start, end = self._span(generation, i)
            result.append((start, decoded[i][: end - start]))
        return result


def decode(k: int, blocks: list[bytes], numbers: list[int]) -> list[bytes]:
    """The k blocks of the file from any k of its code. Raises RepairUnavailable."""
    try:
        import zfec
    except ImportError as error:
        raise RepairUnavailable("erasure repair needs the package zfec: pip install zfec") from error
    if k == 1:
        return blocks[:1]  # a code of one block repeats it
    return [bytes(b) for b in zfec.Decoder(k, 256).decode(blocks, numbers)]
