"""A bit budget over a picture: the quality for each strip of blocks, so that what is left lasts.

With shares, a weight per strip that says how the budget is to be spread, quality hardly varies; without, it follows what the
strips so far have cost, slowly, and near the end the budget rules.
"""

from math import log

from micropython import const

from rover.imaging.bitplanes import total
from rover.imaging.slots import HEAD

_LAST = const(8)  # strips in which quality does not rise any more


class Budget:
    def __init__(self, encoder, slots, rows, shares):
        """slots: for thumbnail and base together; rows: strips of the picture; shares: weights > 0, or None.

        Raises ValueError when the budget does not even hold the thumbnail."""
        blocks = encoder.wide * rows
        least = blocks // 320 + 2 if encoder.thumbnail else 2
        if slots < least:
            raise ValueError(
                "budget of %d bytes; the thumbnail alone may need %d" % (slots * encoder.slot, least * encoder.slot)
            )
        self._slots = slots
        self._rows = rows
        self._blocks = blocks
        self._shares = shares
        self._q = -1

    def steer(self, encoder, strip):
        """Set the encoder's quality for this strip."""
        rows = self._rows
        wide = encoder.wide
        todo = rows - strip
        left = self._slots - encoder.used()
        if encoder.thumbnail:
            left -= (encoder.thumbnail.slots * todo + strip) // (strip + 1) if strip else self._blocks // 460
        left = max(1, left - 1) * (encoder.slot - HEAD - 2) * 8
        shares = self._shares
        allowed = left // todo  # bits for this strip
        if shares:
            rest = 1
            for i in range(strip, rows):
                rest += shares[i]
            allowed = int(left * (shares[strip] / rest)) + 1
        # this strip at the allowed rate: at which quality? Bits grow geometrically from plane to plane
        q = self._q
        plane = max(0, min(11, q >> 4)) if q >= 0 else encoder.depth - 4
        encoder.estimate(strip, plane)
        c0 = total(encoder.cost, wide, 0) * encoder.gain >> 11
        c1 = total(encoder.cost, wide, 16) * encoder.gain >> 11
        want = 16 * plane + int(16 * log((c0 + 1) / allowed) / log(max(1.2, (c0 + 1) / (c1 + 1))))
        want = max(0, min(176, want))
        if q < 0:
            q = want
            if not shares:
                # the first strip may be sky: half of what a rover's picture usually takes at this rate
                rate = 100 * left // (self._blocks * 64)
                usual = 16 * (encoder.depth - 8) + (40 if rate > 160 else 50 if rate > 75 else 60 if rate > 35 else 74)
                q = (want + usual) >> 1
        else:
            step = want - q
            n = max(1, min(3 if shares else 4, todo // 3))
            if step >= 0:
                q += step // min(n, 2)  # the budget is a limit: coarser sooner than finer
            elif todo > _LAST:  # so near the end a slot more or less decides, not what the strips need
                q -= -step // n
        self._q = encoder.quality = max(0, q)
