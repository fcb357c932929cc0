"""Source that the MicroPython worker runs to exercise the board's link."""

BOARD = '''
from rover.link import cltu, coding, downlink, farm, profiles, sdls, spacepacket, uplink

class Bulk:
    """A file cut into packets of whatever room there is."""
    def __init__(self, data):
        self.data = data
        self.at = 0
        self.count = 0
    def next_packet(self, buf, limit):
        k = min(len(self.data) - self.at, limit - 6)
        if k <= 0:
            return 0
        spacepacket.put_header(buf, 0, 0x111, self.count & 0x3FFF, k + 6)
        buf[6:6 + k] = self.data[self.at:self.at + k]
        self.at += k
        self.count += 1
        return k + 6

def encode(data, t, symbols, depth):
    rs = coding.ReedSolomon()
    rs.set(t)
    buf = bytearray(data) + bytearray(2 * t * depth)
    rs.encode(buf, 0, symbols, depth)
    return buf

def transfer(data, profile, report=0, every=7):
    """The line bytes of a file, a report of `report` bytes before every 7th frame."""
    d = downlink.Downlink(0x101, profile)
    d.set_clcw(0x01000005)
    d.bulk = Bulk(data)
    out = []
    while True:
        if report and len(out) % every == 3:
            p = bytearray(report)
            spacepacket.put_header(p, 0, 0x110, len(out), report)
            d.send(p)
        f = d.next_frame()
        if f is None:
            return b"".join(out)
        out.append(bytes(f))

def reports(packets, sizes, profile):
    """Live packets only: all queued that fit, frames taken, and so on."""
    d = downlink.Downlink(0x101, profile, 2048)
    out = []
    at = 0
    for n in sizes:
        while not d.send(packets[at:at + n]):
            out.append(bytes(d.next_frame()))
        at += n
    while True:
        f = d.next_frame()
        if f is None:
            return b"".join(out)
        out.append(bytes(f))

got = []
def on_packet(view, bypass):
    got.append(bytes(view))

def new_uplink(key, floor=0, insecure=False):
    global up, store
    got.clear()
    store = sdls.Keystore(None if insecure else key, 1, floor)
    up = uplink.Uplink(0x101, store, on_packet)

def reset_uplink():
    """Power off and on: only the key store is left."""
    global up
    got.clear()
    up = uplink.Uplink(0x101, store, on_packet)

def feed(data):
    up.feed(data, len(data))
    return up.clcw()

def counts():
    return (up.frames_ad, up.frames_bd, up.frames_bc, up.bad_frames, up.foreign, up.unauthenticated, up.replayed)
'''
