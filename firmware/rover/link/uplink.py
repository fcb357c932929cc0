"""The uplink: bytes of the line in, telecommand packets out. CLTU, TC frame (232.0-B), SDLS, FARM-1, in this order.

A frame is believed only after its MAC: until then nothing but a counter moves. Control frames (BC) carry the same security fields; they never hand
over a packet. In the insecure bench mode (the key store has no key) frames carry no security fields, and `insecure` is True for telemetry to show.
"""

from micropython import const

from . import coding, sdls, spacepacket
from .cltu import Hunter
from .farm import Farm

_HEADER = const(5)
_JUMP = const(160)  # V(R) saved + 64 + window of the ground 64 < it < V(R) saved - window + 256
_STATUS_REPLAY = const(1)  # status bits of the control word
_STATUS_MAC = const(2)
_STATUS_INSECURE = const(4)


class Uplink:
    """on_packet(view, bypass) gets each space packet; it may return False: no room now (FARM-1 then waits; call ready() later).

    keystore: see sdls.Keystore. Attributes for telemetry: frames_ad, frames_bd, frames_bc (taken), bad_frames (length, version, FECF),
    foreign (other scid or virtual channel), unauthenticated, replayed, out_of_sequence, waited; hunter.cltus, .corrected, .skipped;
    security.floor; farm.vr, .state.
    """

    def __init__(self, scid, keystore, on_packet, vcid=0):
        self.scid = scid
        self.vcid = vcid
        self.security = sdls.Security(keystore)
        self.farm = Farm(vcid)
        # After a reset V(R) starts far from where it can have been (at most 64 beyond what was saved) and from all that the ground can have under way
        # (at most 64): its FOP-1 then sees that the unit was reset, and sends nothing twice.
        if self.security.stored:
            self.farm.vr = (self.security.vr + _JUMP) & 0xFF
        self.hunter = Hunter(self._frame)
        self._on_packet = on_packet
        self._status = 0
        self.frames_ad = self.frames_bd = self.frames_bc = 0
        self.bad_frames = self.foreign = self.unauthenticated = self.replayed = self.out_of_sequence = self.waited = 0

    @property
    def insecure(self):
        return self.security.insecure

    @property
    def accepted(self):
        """Frames that were believed: a change means that the ground was heard."""
        return self.frames_ad + self.frames_bd + self.frames_bc + self.out_of_sequence

    def feed(self, buf, n):
        """Take buf[:n] of the line."""
        self.hunter.feed(buf, n)

    def clcw(self):
        """The control word for the downlink's frames."""
        return self.farm.clcw(self._status | (_STATUS_INSECURE if self.security.insecure else 0))

    def ready(self):
        """The user of the packets has room again."""
        self.farm.buffer_free()

    def maintain(self):
        """Call while the line is quiet; may write to flash. True if it did."""
        return self.security.maintain(self.farm.vr)

    def rotate(self, nonce):
        """Go over to the key that follows from this nonce; see sdls.Security.rotate. Frames under the old key are refused from now on."""
        self.security.rotate(nonce)

    def _frame(self, view):
        n = len(view)
        if n < 7 or view[0] & 0xC0:
            self.bad_frames += 1
            return False
        size = ((view[2] & 3) << 8 | view[3]) + 1
        if size > n or size < 8 or coding.crc16(view, size):
            self.bad_frames += 1
            return False
        if (view[0] & 3) << 8 | view[1] != self.scid or view[2] >> 2 != self.vcid:
            self.foreign += 1
            return True
        size -= 2
        start = _HEADER
        security = self.security
        if not security.insecure:
            verdict = security.verify(view, size)
            if verdict == sdls.REPLAY:
                self.replayed += 1
                self._status |= _STATUS_REPLAY
                return True
            if verdict:
                self.unauthenticated += 1
                self._status |= _STATUS_MAC
                return True
            security.take(view, self.farm.vr)
            start += sdls.HEADER
            size -= sdls.MAC
        self._status = 0
        bypass = view[0] & 0x20
        farm = self.farm
        data = view[start:size]
        if view[0] & 0x10:  # control commands
            if not bypass or not self._control(data):
                self.bad_frames += 1
        elif len(data) < 7 or spacepacket.packet_length(data) != len(data):
            self.bad_frames += 1  # the secured and the insecure end talking to each other, or a packet that is none
        elif bypass:
            farm.type_b()
            self.frames_bd += 1
            self._on_packet(data, True)
        else:
            self._sequenced(view[4], data)
        return True

    def _sequenced(self, ns, data):
        farm = self.farm
        if (ns - farm.vr) & 0xFF or farm.state:
            farm.type_a(ns)
            self.out_of_sequence += 1
        elif self._on_packet(data, False) is False:
            farm.type_a(ns, False)
            self.waited += 1
        else:
            farm.type_a(ns)
            self.frames_ad += 1

    def _control(self, data):
        if len(data) == 1 and data[0] == 0:
            self.farm.unlock()
        elif len(data) == 3 and data[0] == 0x82 and data[1] == 0:
            self.farm.set_vr(data[2])
            if not self.security.insecure:
                self.security.store(self.security.floor, self.farm.vr)
        else:
            return False
        self.frames_bc += 1
        return True
