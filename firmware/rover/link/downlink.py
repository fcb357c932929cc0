"""The downlink multiplexer: space packets in, coded frames for the line out.

Virtual channels: 0 live telemetry (a bounded ring, packets may span frames), 1 files and pictures (asked for when there is room, never
spanning), 7 idle. A report waits for at most the frame that is being sent. What is left of a frame behind reports is offered to the bulk source
too, so that telemetry during a transfer costs its own bytes and no filling (unless mixed is False: a relay takes the channels different
ways, and file transfer needs its order). Frames with little in them take a shorter profile of the same t.
Channels 0 and 7 carry the operational control field, channel 1 does not: when the control word changes, the next frame is one of channel 0.

Memory: one line buffer, the ring and the Reed-Solomon table are taken once, at start.
"""

from micropython import const

from . import coding, profiles, spacepacket, tmframe

_MARKER = b"\x1a\xcf\xfc\x1d"
_LONGEST = const(2044)
_DATA = const(10)  # marker and primary header stand before the data field
_SPENT = const(30)  # of a frame for headers of frame, packet and PDU, FECF and control field
_LEAST = const(24)  # a bulk packet is not asked for less room than this


class NoBulk:
    """A bulk source with nothing to send."""

    def next_packet(self, buf, limit):
        return 0

    def backlog(self, enough):
        return 0


class Downlink:
    """Attributes for telemetry: frames, frames_vc0, frames_vc1, frames_idle, vc0_packets, vc0_dropped, profile, profile_changes, fallbacks."""

    def __init__(self, scid, profile=0, vc0_bytes=4096, silence_ms=60000, fallback=profiles.ROBUST):
        self.scid = scid
        self.bulk = NoBulk()
        self.silence_ms = silence_ms
        self.fallback = fallback
        self.frames = self.frames_vc0 = self.frames_vc1 = self.frames_idle = 0
        self.vc0_packets = self.vc0_dropped = self.profile_changes = self.fallbacks = 0
        self._ring = bytearray(vc0_bytes)
        self._read = self._used = 0  # of the ring
        self._left = 0  # bytes of the packet that the last VC0 frame began and did not finish
        self._carry = bytearray(2)  # bytes of an idle packet that the next frame of VC0, VC1 still owes
        self._counts = bytearray(9)  # per virtual channel; [8] the master channel
        self._buffer = bytearray(_LONGEST)
        self._buffer[0:4] = _MARKER
        self._view = memoryview(self._buffer)
        self._clcw = 0
        self._clcw_sent = -1
        self._rs = coding.ReedSolomon()
        self._heard_ms = None
        self.probe = (
            0  # idle frames of full length to send when there is nothing else: the ground wants to measure the line
        )
        self.mixed = True
        self.profile = profile
        self._rs.set(profiles.T[profile])

    # -- what goes in ---------------------------------------------------------------------------------------------------------------

    def send(self, packet):
        """Queue one complete space packet on VC0. False (and vc0_dropped) when it does not fit or is no whole packet."""
        n = len(packet)
        ring = self._ring
        size = len(ring)
        if n < 7 or n > size - self._used or spacepacket.packet_length(packet) != n:
            self.vc0_dropped += 1
            return False
        at = (self._read + self._used) % size
        first = min(n, size - at)
        ring[at : at + first] = packet[:first] if first < n else packet
        if first < n:
            ring[0 : n - first] = packet[first:]
        self._used += n
        self.vc0_packets += 1
        return True

    def pending(self):
        """Bytes waiting on VC0."""
        return self._used

    def set_clcw(self, word):
        """The operational control field: an int, or a function without arguments that returns it."""
        self._clcw = word

    def set_profile(self, n):
        """Profile of the frames from the next one on; nothing that is queued or begun is lost. ValueError if n is not in the table."""
        if not 0 <= n < profiles.COUNT:
            raise ValueError("profile must be 0 to 15")
        if n != self.profile:
            self._rs.set(profiles.T[n])
            self.profile = n
            self.profile_changes += 1

    # -- silence of the ground --------------------------------------------------------------------------------------------------------

    def heard(self, now_ms):
        """An authenticated frame of the ground came in."""
        self._heard_ms = now_ms

    def tick(self, now_ms):
        """Go to the robust profile when nothing was heard for silence_ms (time.ticks_ms() values). True if that happened now."""
        if self._heard_ms is None:
            self._heard_ms = now_ms
        if (now_ms - self._heard_ms) & 0x3FFFFFFF < self.silence_ms:
            return False
        self._heard_ms = now_ms
        if self.profile == self.fallback:
            return False
        self.set_profile(self.fallback)
        self.fallbacks += 1
        return True

    # -- what comes out ---------------------------------------------------------------------------------------------------------------

    def next_frame(self, idle=False):
        """The next coded frame with its marker, ready for the line; None when there is nothing to say.

        idle=True forces a frame (the slow beat that keeps the receiver locked). The view is valid until the next call.
        """
        clcw = self._clcw() if callable(self._clcw) else self._clcw
        n = self._shape()
        buf = self._buffer
        view = self._view
        top = _DATA + profiles.frame_length(n) - tmframe.HEADER - tmframe.FECF  # end of data, without control field
        at = _DATA
        first = tmframe.NO_START
        if self._used or clcw != self._clcw_sent:
            vcid = 0
            top -= tmframe.OCF
            if self._used:
                at, first = self._take(buf, view, at, top)
        else:
            vcid = 1
        if not self._left and (vcid or self.mixed):
            owed = 0
            if at == _DATA:
                owed = self._carry[vcid]
                at = self._owed(buf, vcid, at)
            while top - at >= _LEAST:
                got = self.bulk.next_packet(view[at:top], top - at)
                if not got:
                    break
                if first == tmframe.NO_START:
                    first = at - _DATA
                at += got
            if vcid and owed and at == _DATA + owed:  # no frame for the sake of filling alone
                self._carry[vcid] = owed
                at = _DATA
        if at == _DATA:
            if vcid and not idle and not self.probe:
                return None
            vcid = 7
            top = _DATA + profiles.frame_length(n) - tmframe.HEADER - tmframe.FECF - tmframe.OCF
            first = tmframe.ONLY_IDLE
        # The shortest profile of the same t that holds it.
        tail = tmframe.FECF + (0 if vcid == 1 else tmframe.OCF)
        if vcid == 7 and self.probe:
            self.probe -= 1
        elif at < top:
            for i in range(profiles.COUNT):
                if profiles.T[i] == self._rs.t and _DATA - 6 + profiles.frame_length(i) - tail >= at:
                    if profiles.frame_length(i) < profiles.frame_length(n):
                        n = i
            top = _DATA - 6 + profiles.frame_length(n) - tail
        if vcid == 7:
            view[at:top] = bytes(top - at)
        elif at < top:
            if first == tmframe.NO_START:
                first = at - _DATA
            self._fill(buf, vcid, at, top)
        self._finish(buf, n, vcid, first, clcw, top)
        return view[: profiles.line_length(n)]

    def _shape(self):
        # The profile of the commanded t in which what is left to say takes the least of the line: a file's end goes out in shorter frames.
        n = self.profile
        if profiles.DEPTH[n] == 1:
            return n  # frames of one codeword are not cut up further
        backlog = getattr(self.bulk, "backlog", None)
        if backlog is None:
            return n
        least = profiles.line_length(n)
        left = self._used + backlog(least)
        if not left or left + _SPENT >= profiles.frame_length(n):
            return n
        for i in range(profiles.COUNT):
            if profiles.T[i] == self._rs.t:
                room = profiles.frame_length(i) - _SPENT
                cost = (left + room - 1) // room * profiles.line_length(i)
                if cost < least:
                    least = cost
                    n = i
        return n

    def _take(self, buf, view, at, top):
        # Packets of the ring into the frame; a packet that does not fit goes on in the next VC0 frame.
        first = tmframe.NO_START
        ring = self._ring
        size = len(ring)
        if self._carry[0]:
            at = self._owed(buf, 0, at)
        while self._used and at < top:
            if not self._left:
                if first == tmframe.NO_START:
                    first = at - _DATA
                r = self._read
                self._left = (ring[(r + 4) % size] << 8 | ring[(r + 5) % size]) + 7
            n = min(self._left, top - at, size - self._read)
            buf[at : at + n] = memoryview(ring)[self._read : self._read + n]
            at += n
            self._left -= n
            self._used -= n
            self._read = (self._read + n) % size
        return at, first

    def _owed(self, buf, vcid, at):
        # The rest of an idle packet that the last frame of this channel began. The next packet starts behind it.
        n = self._carry[vcid]
        for i in range(n):
            buf[at + i] = 0
        self._carry[vcid] = 0
        return at + n

    def _fill(self, buf, vcid, at, top):
        if self._left:
            return
        n = top - at
        if n >= 7:
            spacepacket.put_idle(buf, at, n)
        elif n:
            spare = bytearray(7)
            spacepacket.put_idle(spare, 0, 7)
            buf[at:top] = spare[:n]
            self._carry[vcid] = 7 - n

    def _finish(self, buf, n, vcid, first, clcw, top):
        counts = self._counts
        tmframe.put_header(buf, 4, self.scid, vcid, vcid != 1, counts[8], counts[vcid], first)
        counts[8] = (counts[8] + 1) & 0xFF
        counts[vcid] = (counts[vcid] + 1) & 0xFF
        if vcid != 1:
            buf[top] = clcw >> 24 & 0xFF
            buf[top + 1] = clcw >> 16 & 0xFF
            buf[top + 2] = clcw >> 8 & 0xFF
            buf[top + 3] = clcw & 0xFF
            self._clcw_sent = clcw
            top += 4
        crc = coding.crc16(buf, top, 4)
        buf[top] = crc >> 8
        buf[top + 1] = crc & 0xFF
        self._rs.encode(buf, 4, profiles.SYMBOLS[n], profiles.DEPTH[n])
        coding.randomise(buf, 4, profiles.line_length(n))
        self.frames += 1
        if vcid == 0:
            self.frames_vc0 += 1
        elif vcid == 1:
            self.frames_vc1 += 1
        else:
            self.frames_idle += 1
