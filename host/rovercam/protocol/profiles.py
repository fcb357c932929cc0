"""Line profiles: the closed, numbered table of frame shapes (docs: host/rovercam/protocol/README.md).  # from the dictionary

A frame on the line is the marker and ``depth`` interleaved codewords of ``symbols`` bytes, each correcting ``t`` wrong bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

MARKER = bytes.fromhex("1acffc1d")  # attached sync marker, 131.0-B 8.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    number: int
    symbols: int  # bytes of one codeword, check bytes included
    depth: int  # interleaving
    t: int  # bytes corrected per codeword

    @property
    def codeblock_length(self) -> int:
        return self.symbols * self.depth

    @property
    def line_length(self) -> int:
        return len(MARKER) + self.symbols * self.depth

    @property
    def frame_length(self) -> int:
        """Bytes of the TM transfer frame, primary header to FECF."""
        return (self.symbols - 2 * self.t) * self.depth

    def __str__(self) -> str:
        return f"profile {self.number} ({self.depth} x RS({self.symbols},{self.symbols - 2 * self.t}))"


_ROWS = (
    (255, 1, 16), (128, 1, 8),
    (255, 1, 0), (255, 1, 2), (255, 1, 4), (255, 1, 8),
    (255, 5, 0), (255, 3, 1), (255, 3, 2), (255, 3, 4), (255, 3, 8),
    (255, 8, 0), (255, 8, 1), (255, 8, 2), (255, 8, 4), (255, 8, 8),
)  # fmt: skip

TABLE = tuple(Profile(number=i, symbols=s, depth=d, t=t) for i, (s, d, t) in enumerate(_ROWS))
ROBUST = 0
SLOW = 1
LONGEST = max(p.line_length for p in TABLE)
SHAPES = tuple(sorted({(p.symbols, p.depth) for p in TABLE}, key=lambda s: s[0] * s[1]))  # by length on the line
