"""One block of memory, reserved at start before the heap fragments, lent to one user at a time.

The MicroPython heap is never compacted: a 48 KB buffer asked for an hour after start would not be there.
"""

from micropython import const

SIZE = const(49152)
_LOW = const(16384)


class Arena:
    def __init__(self):
        self._block = memoryview(bytearray(SIZE))
        self.owner = 0  # dictionary: heap_owner
        self._low = bytearray(_LOW)

    def settle(self):
        """All that stays is loaded: the lowest memory, kept free of it so far, is for what comes and goes.

        Free memory is searched from the lowest free block on, and every call of a larger function takes some: behind 100 KB of
        what stays, that was 0.2 ms a call, a quarter of all work.
        """
        self._low = None

    def take(self, owner):
        """The whole block as a memoryview, or None when somebody has it."""
        if self.owner:
            return None
        self.owner = owner
        return self._block

    def release(self):
        self.owner = 0
