"""Repair of slips: a frame that lost or gained bytes on the line, between two markers that show how many.

A wrong guess of the place shifts the bytes between guess and truth by the slip; interleaving spreads them over the codewords, so a guess that
is off by less than depth * t bytes is still corrected. Guesses a half of that apart leave the other half for the line's own errors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import reedsolomon, tm
from .profiles import Profile

Bytes = NDArray[np.uint8]
MOST_GUESSES = 1200  # pairs of places included; bounds the work on one frame


def _realign(line: Bytes, places: NDArray[np.intp], count: int, length: int) -> Bytes:
    """(guesses, length): ``count`` bytes put in (count > 0) or taken out at each place. What is put in is 0: an error like any other."""
    index = np.arange(length)
    if count > 0:
        source = index[None, :] - count * (index[None, :] >= places[:, None] + count)
        hole = (index[None, :] >= places[:, None]) & (index[None, :] < places[:, None] + count)
        out = line[np.clip(source, 0, line.size - 1)]
        out[hole] = 0
        return out
    source = index[None, :] - count * (index[None, :] >= places[:, None])
    return line[np.clip(source, 0, line.size - 1)]


def _accept(lines: Bytes, profile: Profile, pn: Bytes) -> tuple[bytes, int] | None:
    """The first of the realigned lines that is a frame."""
    n = lines.shape[0]
    blocks = lines[:, 4:] ^ pn[: profile.codeblock_length]
    words = blocks.reshape(n, profile.symbols, profile.depth)
    first = np.ascontiguousarray(words[:, :, 0])
    counts = reedsolomon.correct(first, profile.t)
    hopeful = np.flatnonzero(counts >= 0)
    hopeful = hopeful[np.argsort(counts[hopeful], kind="stable")]
    for start in range(0, hopeful.size, 16):
        some = hopeful[start : start + 16]
        group = np.ascontiguousarray(words[some].transpose(0, 2, 1)).reshape(-1, profile.symbols)
        fixed = reedsolomon.correct(group, profile.t).reshape(-1, profile.depth)
        frames = group.reshape(some.size, profile.depth, profile.symbols).transpose(0, 2, 1).reshape(some.size, -1)
        for i in np.flatnonzero((fixed >= 0).all(axis=1)):
            frame = frames[i, : profile.frame_length].tobytes()
            if tm.check(frame) is not None:
                return frame, int(fixed[i].sum())
    return None


def repair(line: Bytes, profile: Profile, pn: Bytes) -> tuple[bytes, int] | None:
    """(frame, corrected bytes) of a frame whose line bytes are too few or too many, or None."""
    length = profile.line_length
    missing = length - line.size
    if not missing or not profile.t:
        return None
    step = max(1, profile.t * profile.depth)
    places = np.arange(0, length, step, dtype=np.intp)
    got = _accept(_realign(line, places, missing, length), profile, pn)
    if got or abs(missing) != 2:
        return got
    # Two slips at two places: pairs of coarser guesses.
    step = max(step, int(length / (2 * MOST_GUESSES) ** 0.5))
    places = np.arange(0, length, step, dtype=np.intp)
    sign = 1 if missing > 0 else -1
    once = _realign(line, places, sign, length - sign)
    for i, place in enumerate(places):
        rest = places[places > place]
        if rest.size:
            got = _accept(_realign(once[i], rest, sign, length), profile, pn)
            if got:
                return got
    return None
