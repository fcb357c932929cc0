"""A bit budget over a picture: the quality for each strip of blocks, so that what is left lasts.

With shares, a weight per strip that says how the budget is to be spread, quality hardly varies; without, it follows what the
strips so far have cost, slowly, and near the end the budget rules. Strips in which the region of interest lies count as much
more as its finer steps cost.
"""

from math import exp, log

from micropython import const

_FALL = 0.04  # of the bits' logarithm, for a 16th of a plane
_TRUST = const(16)  # 16ths of a plane that a strip may be above its share
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
        self._ends = encoder.slot // 2 * (2 if encoder.parts[-1] else 1)  # bytes that the last slots may leave empty
        self._rows = rows
        self._blocks = blocks
        self._shares = shares
        self._q = -1
        self._coded = self._guessed = 1.0  # bits of the strips so far: really used, guessed before
        self._guess = 0.0  # of the last strip's bits
        self._used = 0
        self._bits = 0.0  # guessed bits of the strips so far, at the present quality
        self._shown = 0  # their shares
        self._first = self._end = 0  # strips of the region of interest
        self._part = 0.0  # of such a strip that is in it
        self._more = 1.0  # such a strip's bits, in those of one without
        if encoder.roi:
            x, y, w, h = encoder.roi
            self._first = y >> 3
            self._end = min(rows, (y + h + 7) >> 3)
            self._part = (min(encoder.wide, (x + w + 7) >> 3) - (x >> 3)) / encoder.wide

    def _weight(self, strip):
        return self._more if self._first <= strip < self._end else 1.0

    def steer(self, encoder, strip):
        """Set the encoder's quality for this strip."""
        todo = self._rows - strip
        thumbnail = encoder.thumbnail
        used = encoder.used()
        left = self._slots * encoder.slot - used
        if thumbnail:
            used -= thumbnail.slots * encoder.slot
            left -= encoder.slot * ((thumbnail.slots * todo + strip) // (strip + 1) if strip else self._blocks // 460)
        left = max(1, left - self._ends) * 8
        if self._guess:
            # the past counts less and less
            self._coded = 0.9 * self._coded + 8 * (used - self._used)
            self._guessed = 0.9 * self._guessed + self._guess
        gain = max(0.25, min(4.0, self._coded / self._guessed))
        self._used = used
        q = self._q
        usual = self._usual(left)
        at = max(16 * encoder.depth - 112, min(176, (q if q >= 0 else usual) + 16 * (encoder.depth - 8)))
        fine, coarse = encoder.estimate(strip, at)
        fine += 1
        fall = log(max(1.2, fine / (coarse + 1)))  # bits grow geometrically from plane to plane
        if strip < self._end:
            finer = encoder.estimate(strip, max(0, at - encoder.roi_gain))[0]
            self._more = 1 + self._part * max(0.0, finer / fine - 1)
            fine *= self._weight(strip)
        q = (self._shared if self._shares else self._blind)(strip, todo, left, at, fine * gain, fall)
        encoder.quality = q = max(0, min(176, q))
        self._bits *= exp(_FALL * (at - q))
        self._guess = fine * exp(fall * (at - q) / 16)
        self._q = q - 16 * (encoder.depth - 8)

    def _usual(self, left):
        # what a rover's picture usually takes at this rate
        rate = 100 * left // (self._blocks * 64)
        return 40 if rate > 160 else 50 if rate > 75 else 60 if rate > 35 else 74

    def _shared(self, strip, todo, left, at, bits, fall):
        # the strips still to come will cost as much more than those so far as their shares say
        shares = self._shares
        own = shares[strip] * self._weight(strip)
        self._bits += bits
        self._shown += own
        rest = 1
        for i in range(strip, self._rows):
            rest += shares[i] * self._weight(i)
        step = int(log(self._bits / self._shown * rest / left) / _FALL)
        most = 2 + 24 // (strip + 1)
        # a strip that by itself is far above its share: the small picture did not show what it is made of
        over = int(16 * log(bits * rest / (left * own)) / fall) - _TRUST
        return at + max(-most, min(most, step)) + max(0, over >> 1)

    def _blind(self, strip, todo, left, at, bits, fall):
        # this strip at the allowed rate: at which quality?
        alike = (todo + max(0, self._end - max(strip, self._first)) * (self._more - 1)) / self._weight(strip)
        want = max(0, min(176, at + int(16 * log(bits * alike / left) / fall)))
        if self._q < 0:  # the first strip may be sky
            return (want + at) >> 1
        q = at
        step = want - q
        n = max(1, min(4, todo // 3))
        if step >= 0:
            return q + step // min(n, 2)  # the budget is a limit: coarser sooner than finer
        if todo > _LAST:  # so near the end a slot more or less decides, not what the strips need
            return q - -step // n
        return q
