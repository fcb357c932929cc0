"""Telemetry source packets with the PUS-C secondary header (ECSS-E-ST-70-41C 7.4.3.1), and request verification (ST[01]).

Packet: primary header 6 | version 2 << 4 | time status | service | subtype | message type counter 2 | destination 2 | CUC 6 | data.
"""

import struct

from micropython import const

HEADER = const(19)
_SIZE = const(400)


class Pus:
    """send: takes one complete packet (Downlink.send). tap: called with every packet too, for the on-board store."""

    def __init__(self, apid, clock, send):
        self.apid = apid
        self.clock = clock
        self._send = send
        self.tap = None
        self.dropped = 0
        self._sequence = 0
        self._counters = {}
        self._buf = bytearray(_SIZE)
        self.data = memoryview(self._buf)[HEADER:]

    def report(self, service, subtype, n):
        """Send the report whose first n data bytes the caller put into self.data; False when the queue was full."""
        b = self._buf
        key = service << 8 | subtype
        count = self._counters.get(key, 0)
        self._counters[key] = (count + 1) & 0xFFFF
        struct.pack_into(
            ">HHHBBBHH",
            b,
            0,
            0x0800 | self.apid,
            0xC000 | self._sequence,
            HEADER - 7 + n,
            0x20 | self.clock.synchronised,
            service,
            subtype,
            count,
            0,
        )
        self._sequence = (self._sequence + 1) & 0x3FFF
        self.clock.write(b, 13)
        packet = memoryview(b)[: HEADER + n]
        if self.tap:
            self.tap(packet)
        if self._send(packet):
            return True
        self.dropped += 1
        return False

    def verify(self, subtype, request, code=None, extra=0):
        """ST[01]: 1 accepted, 2 refused, 3 started, 4 not started, 5 progress, 7 completed, 8 failed.

        request: the telecommand's first four bytes. code: failure code (or step of progress); extra: its data.
        """
        d = self.data
        d[0:4] = request
        n = 4
        if code is not None:
            struct.pack_into(">HH", d, 4, code, extra)
            n = 8
        return self.report(1, subtype, n)
