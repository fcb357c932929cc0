"""One codeblock: the randomiser undone, Reed-Solomon codewords put right, the frame in it checked (131.0-B)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import reedsolomon, tm
from .profiles import LONGEST, TABLE, Profile

Bytes = NDArray[np.uint8]


def pseudo_random(length: int) -> Bytes:
    """The randomiser's sequence (131.0-B 10.4), which repeats after 255 bytes."""
    state, bits = 0xFF, []
    for _ in range(255 * 8):
        bits.append(state >> 7)
        state = (state << 1 | ((state >> 7 ^ state >> 4 ^ state >> 2 ^ state) & 1)) & 0xFF
    return np.resize(np.packbits(np.array(bits, np.uint8)), length)


PN = pseudo_random(LONGEST)


class Found(NamedTuple):
    """A frame with what its way cost it. corrected: wrong bytes; marker_errors: wrong bits; slip: bytes put in (-) or taken out (+)."""

    profile: Profile
    frame: bytes
    header: tm.Header
    corrected: int = 0
    marker_errors: int = 0
    slip: int = 0


def decode_blocks(blocks: Bytes, profile: Profile) -> tuple[Bytes, NDArray[np.int16]]:
    """(n, codeblock) derandomised -> (n, frame) corrected and wrong bytes per block, -1 where a codeword failed."""
    n = blocks.shape[0]
    if not profile.t:
        return blocks, np.zeros(n, np.int16)
    words = blocks.reshape(n, profile.symbols, profile.depth).transpose(0, 2, 1).reshape(-1, profile.symbols)
    words = np.ascontiguousarray(words)
    counts: NDArray[np.int16] = np.zeros(words.shape[0], np.int16)
    dirty = reedsolomon.suspects(words, profile.t)
    if dirty.size:
        fixed = words[dirty]
        counts[dirty] = reedsolomon.correct(fixed, profile.t)
        words[dirty] = fixed
        blocks = words.reshape(n, profile.depth, profile.symbols).transpose(0, 2, 1).reshape(n, -1)
    counts = counts.reshape(n, profile.depth)
    total = np.where((counts < 0).any(axis=1), -1, counts.sum(axis=1)).astype(np.int16)
    return np.ascontiguousarray(blocks[:, : profile.frame_length]), total


def decode_any(block: Bytes, shape: tuple[int, int], likely: Profile | None, *, correct: bool) -> Found | None:
    """Every t of the table for one codeblock; clean ones first, the largest t first (the roots nest)."""
    profiles = sorted((p for p in TABLE if (p.symbols, p.depth) == shape), key=lambda p: -p.t)
    words = np.ascontiguousarray(block.reshape(shape).T)
    largest = profiles[0].t
    syndromes = reedsolomon.syndromes(words, largest) if largest else np.zeros((shape[1], 0), np.uint8)
    for profile in profiles:
        if not reedsolomon.nested(syndromes, profile.t).any():
            frame = block[: profile.frame_length].tobytes()
            header = tm.check(frame)
            if header:
                return Found(profile, frame, header)
    if not correct:
        return None
    if likely in profiles:
        profiles.sort(key=lambda p: p is not likely)
    for profile in profiles:
        if not profile.t:
            continue
        fixed = words.copy()
        counts = reedsolomon.correct(fixed, profile.t, reedsolomon.nested(syndromes, profile.t))
        if (counts < 0).any():
            continue
        frame = fixed.T.reshape(-1)[: profile.frame_length].tobytes()
        header = tm.check(frame)
        if header:
            return Found(profile, frame, header, int(counts.sum()))
    return None
