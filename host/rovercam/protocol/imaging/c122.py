"""Complete decoder of a CCSDS 122.0-B-2 stream (integer wavelet), tolerant of truncation anywhere.

Errors: ImageError when there is not even one header that describes a picture; anything later is taken as truncation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bitplanes import WEIGHTS, decode_segment
from .codewords import TABLE
from .errors import ImageError
from .values import unweighted
from .wavelet import block_places, inverse


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Parts 1-4 of the first segment's header (section 4.2), and what the stream showed."""

    width: int
    height: int
    bits: int
    signed: bool
    segment_blocks: int
    segment_limit: int
    dc_stop: bool
    plane_stop: int
    stage_stop: int
    optimal_dc: bool
    optimal_ac: bool
    segments: int
    complete: bool
    lossless: bool


class _Bits:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0  # bit

    def take(self, n: int) -> int:
        end = self.at + n
        if end > 8 * len(self.data):
            raise EOFError
        first, last = self.at >> 3, (end + 7) >> 3
        v = int.from_bytes(self.data[first:last], "big") >> (8 * last - end)
        self.at = end
        return v & ((1 << n) - 1)


def decode(data: bytes, *, points: bool = True) -> tuple[np.ndarray, Header]:
    """The picture (uint8 or uint16; int16 when signed) and its header. points False: zero-fill reconstruction."""
    bits = _Bits(data)
    stream = np.frombuffer(data, np.uint8)
    limit = dc_stop = plane_stop = optimal_dc = optimal_ac = 0
    stage_stop = 3
    size = first_size = 0
    width = depth = signed = 0
    word = 1
    weights = WEIGHTS
    parts: list[tuple[np.ndarray, ...]] = []
    segments = 0
    complete = False
    pad = None
    while not complete:
        start = bits.at
        try:
            first = bits.take(1)
            last = bits.take(1)
            bits.take(8)
            dc_bits = bits.take(5)
            ac_bits = bits.take(5)
            bits.take(1)
            has2, has3, has4 = bits.take(1), bits.take(1), bits.take(1)
            rows_missing = 0
            if last:
                rows_missing = bits.take(3)
                bits.take(5)
            if has2:
                limit, dc_stop, plane_stop, stage_stop, _fill = (bits.take(n) for n in (27, 1, 5, 2, 1))
                bits.take(4)
            if has3:
                size, optimal_dc, optimal_ac = bits.take(20), bits.take(1), bits.take(1)
                bits.take(2)
                first_size = first_size or size
            if has4:
                integer = bits.take(1)
                bits.take(1)
                extended = bits.take(1)
                signed = bits.take(1)
                depth = bits.take(4)
                width = bits.take(20)
                bits.take(1)
                word = 1 + bits.take(3) % 8
                custom = bits.take(1)
                bits.take(20 + 11)
                depth = (depth or 16) + 16 * extended
                if not integer or custom:
                    raise ImageError("floating-point wavelet or custom weights: only the integer 9/7 is read")
                if not width:
                    raise ImageError("picture width 0 in the header")
        except EOFError:
            break
        if segments == 0 and not (first and has4 and size):
            raise ImageError("no CCSDS 122 stream: the first segment's header lacks parts 3 or 4")
        if not size or size * 8 > (1 << 26):
            break
        state = np.array([bits.at, 8 * len(data)], np.int64)
        if limit:
            state[1] = min(state[1], start + 8 * limit)
        n = size
        dc, dc_low = np.zeros(n, np.int64), np.zeros(n, np.int64)
        mag, neg = np.zeros((n, 63), np.int32), np.zeros((n, 63), np.uint8)
        low = np.zeros((n, 63), np.uint8)
        par = np.array([n, dc_bits, ac_bits, dc_stop, plane_stop, stage_stop], np.int64)
        whole = decode_segment(stream, state, par, TABLE, weights, dc, dc_low, mag, neg, low)
        parts.append((dc, dc_low, mag, neg, low))
        segments += 1
        if not whole and state[1] == 8 * len(data) and not (limit and start + 8 * limit <= 8 * len(data)):
            break
        end = state[0] if whole else state[1]
        unit = 8 * word
        bits.at = start + -(-(int(end) - start) // unit) * unit
        if last:
            complete = True
            pad = rows_missing
    if not parts:
        raise ImageError(f"no CCSDS 122 stream: {len(data)} bytes hold no segment")
    columns = (width + 7) // 8
    dc, dc_low, mag, neg, low = (np.concatenate(x) for x in zip(*parts, strict=True))
    rows = -(-len(dc) // columns)
    values, exact = unweighted(dc, dc_low, mag, neg, low, points)
    values[dc_low == 99, 0] = float(np.mean(values[dc_low != 99, 0])) if (dc_low != 99).any() else 0
    places = block_places(rows, columns)[: len(dc)]
    flat = np.zeros(rows * columns * 64, np.float32)
    flat[places] = values
    nested = flat.reshape(rows * 8, columns * 8)
    everything = complete and bool(exact.all())
    out = inverse(nested.astype(np.int32)) if everything or not points else inverse(nested)
    lowest, highest = (-(1 << (depth - 1)), (1 << (depth - 1)) - 1) if signed else (0, (1 << depth) - 1)
    picture = np.clip(np.rint(out) if out.dtype.kind == "f" else out, lowest, highest)
    height = rows * 8 - (pad or 0)
    picture = picture[:height, :width].astype(np.int16 if signed else np.uint8 if depth <= 8 else np.uint16)
    header = Header(
        width=width,
        height=height,
        bits=depth,
        signed=bool(signed),
        segment_blocks=first_size,
        segment_limit=limit,
        dc_stop=bool(dc_stop),
        plane_stop=plane_stop,
        stage_stop=stage_stop,
        optimal_dc=bool(optimal_dc),
        optimal_ac=bool(optimal_ac),
        segments=segments,
        complete=complete,
        lossless=everything,
    )
    return picture, header
