"""One block of memory, reserved at start before the heap fragments, lent to one user at a time.

The MicroPython heap is never compacted: a 48 KB buffer asked for an hour after start would not be there.
"""

from micropython import const

SIZE = const(49152)


class Arena:
    def __init__(self):
        self._block = memoryview(bytearray(SIZE))
        self.owner = 0  # dictionary: heap_owner

    def take(self, owner):
        """The whole block as a memoryview, or None when somebody has it."""
        if self.owner:
            return None
        self.owner = owner
        return self._block

    def release(self):
        self.owner = 0
