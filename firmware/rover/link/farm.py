"""FARM-1, the receiving end of COP-1 (232.1-B section 6), for one virtual channel.

Names of the standard: V(R) receiver frame sequence number, PW and NW the positive and negative halves of the sliding window.
"""

from micropython import const

OPEN = const(0)
WAIT = const(1)
LOCKOUT = const(2)


class Farm:
    def __init__(self, vcid=0, window=254):
        self.vcid = vcid
        self.window = window
        self.vr = 0
        self.state = OPEN
        self.retransmit = False
        self.b_counter = 0  # of type BD and BC frames, two bits in the control word

    def type_a(self, ns, room=True):
        """A type AD frame with sequence number ns. True: take its packet (events E1 to E5). room: a buffer is free for it."""
        if self.state == LOCKOUT:
            return False
        ahead = (ns - self.vr) & 0xFF
        half = self.window // 2
        if ahead == 0:
            if self.state == WAIT:
                return False
            if room:
                self.vr = (self.vr + 1) & 0xFF
                self.retransmit = False
                return True
            self.retransmit = True  # E2
            self.state = WAIT
            return False
        if ahead < half:
            self.retransmit = True  # E3: one before it is missing
        elif ahead >= 256 - half:
            pass  # E4: had before
        else:
            self.state = LOCKOUT  # E5
        return False

    def type_b(self):
        """A type BD frame: always taken (E6)."""
        self.b_counter = (self.b_counter + 1) & 3

    def unlock(self):
        """BC Unlock (E7)."""
        self.type_b()
        self.state = OPEN
        self.retransmit = False

    def set_vr(self, value):
        """BC Set V(R) (E8); has no effect in lockout."""
        self.type_b()
        if self.state != LOCKOUT:
            self.vr = value
            self.retransmit = False
            self.state = OPEN

    def buffer_free(self):
        """The user can take packets again (E10)."""
        if self.state == WAIT:
            self.state = OPEN

    def clcw(self, status=0):
        """The communications link control word (232.0-B 4.2.1); status: its three mission-specific bits."""
        word = (status & 7) << 26 | 1 << 24 | self.vcid << 18
        if self.state == LOCKOUT:
            word |= 1 << 13
        if self.state == WAIT:
            word |= 1 << 12
        if self.retransmit:
            word |= 1 << 11
        return word | self.b_counter << 9 | self.vr
