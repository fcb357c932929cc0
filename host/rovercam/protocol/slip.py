"""Repair of slips: a frame that lost or gained bytes on the line, between two markers that show how many.

A wrong guess of the place shifts the bytes between guess and truth by the slip; interleaving spreads them over the codewords, so a guess that
is off by less than depth * t bytes is still corrected. Guesses lie half of that apart, which leaves the rest for the line's own errors. The first
codeword of each guess is tried, and only where that can be corrected the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import reedsolomon, tm
from .profiles import Profile

Bytes = NDArray[np.uint8]
Places = NDArray[np.intp]
MOST_GUESSES = 4000  # pairs of places; bounds the work on one frame to some tens of milliseconds
_CHUNK = 1000


def _realign(line: Bytes, places: Places, count: int, columns: Places) -> Bytes:
    """``columns`` of the line (marker included) under each guess: (guesses, columns).

    places: (guesses, slips) in the repaired line. count > 0: that many bytes were lost at each place, and zeros stand in; count < 0: gained.
    """
    at = columns[None, :]
    source = np.broadcast_to(at, (places.shape[0], columns.size)).copy()
    hole = np.zeros(source.shape, bool)
    for k in range(places.shape[1]):
        beyond = at - places[:, k : k + 1]
        if count > 0:
            source -= np.clip(beyond, 0, count)
            hole |= (beyond >= 0) & (beyond < count)
        else:
            source -= count * (beyond >= 0)
    out = line[np.clip(source, 0, line.size - 1)]
    out[hole] = 0
    return out


def _accept(line: Bytes, places: Places, count: int, profile: Profile, pn: Bytes) -> tuple[bytes, int] | None:
    """The first guess that makes a frame."""
    of_first = np.arange(0, profile.codeblock_length, profile.depth)
    everything = np.arange(profile.codeblock_length)
    for start in range(0, places.shape[0], _CHUNK):
        some = places[start : start + _CHUNK]
        first = _realign(line, some, count, of_first + 4) ^ pn[of_first]
        errors = reedsolomon.correct(first, profile.t)
        hopeful = np.flatnonzero(errors >= 0)
        hopeful = hopeful[np.argsort(errors[hopeful], kind="stable")]
        for group in np.array_split(hopeful, -(-hopeful.size // 16)) if hopeful.size else ():
            blocks = _realign(line, some[group], count, everything + 4) ^ pn[: profile.codeblock_length]
            words = blocks.reshape(group.size, profile.symbols, profile.depth).transpose(0, 2, 1)
            flat = np.ascontiguousarray(words).reshape(-1, profile.symbols)
            fixed = reedsolomon.correct(flat, profile.t).reshape(-1, profile.depth)
            frames = flat.reshape(group.size, profile.depth, profile.symbols).transpose(0, 2, 1).reshape(group.size, -1)
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
    places = np.arange(0, length, max(1, profile.t * profile.depth), dtype=np.intp)
    got = _accept(line, places[:, None], missing, profile, pn)
    if got or abs(missing) != 2 or profile.t < 2:
        return got
    # Two slips at two places. Each loss itself costs a wrong byte.
    step = max(1, (profile.t - 1) * profile.depth, int(length / (2 * MOST_GUESSES) ** 0.5))
    places = np.arange(0, length, step, dtype=np.intp)
    a, b = np.triu_indices(places.size, 1)
    pairs = np.stack([places[a], places[b]], axis=1)
    return _accept(line, pairs, missing // 2, profile, pn)
