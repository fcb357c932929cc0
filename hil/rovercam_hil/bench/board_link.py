"""What the link costs the board: cycles per byte and bytes per second on the emulated Pico at 125 MHz, and the heap of its modules.

``measure()`` boots stock MicroPython with the link's modules, no application, and times them with the chip's own clock.
"all" is what a running transfer does for each byte: a file read from flash into the frame, packet header, frame header, FECF, Reed-Solomon, randomiser.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rovercam.places import firmware_dir

from rovercam_hil.boards import filesystem
from rovercam_hil.boards.pico import EmulatedPico

MHZ = 125
_SCRIPT = """
import gc, json, sys, time
sys.path.insert(0, '/a')
gc.collect(); m0 = gc.mem_free()
from rover.link import coding, downlink, profiles, spacepacket
gc.collect(); m1 = gc.mem_free()
from rover.link import uplink, sdls
gc.collect(); m2 = gc.mem_free()
d = downlink.Downlink(0x101, 0)
gc.collect(); m3 = gc.mem_free()
u = uplink.Uplink(0x101, sdls.Keystore(bytes(32)), lambda v, b: None)
gc.collect(); m4 = gc.mem_free()
out = {'heap': {'downlink modules': m0 - m1, 'uplink modules': m1 - m2, 'Downlink': m2 - m3, 'Uplink': m3 - m4}, 'rows': []}

def best(f):
    least = 1 << 30
    for _ in range(3):
        t = time.ticks_us(); f(); least = min(least, time.ticks_diff(time.ticks_us(), t))
    return least

buf = bytearray(2044)
for i in range(2044): buf[i] = i * 7 & 255
def row(name, us, n): out['rows'].append((name, us, n))
row('crc', best(lambda: coding.crc16(buf)), 2044)
row('randomiser', best(lambda: coding.randomise(buf, 4, 2044)), 2040)
rs = coding.ReedSolomon()
for t in (1, 2, 4, 8, 16):
    row('table t=%d' % t, best(lambda: (rs.set(0), rs.set(t))), 0)
    row('rs t=%d' % t, best(lambda: rs.encode(buf, 4, 255, 8)), 2040)

class Bulk:
    def __init__(self):
        self.f = open('/data', 'rb'); self.n = 0
    def next_packet(self, buf, limit):
        k = self.f.readinto(buf[18:limit])
        if not k: return 0
        spacepacket.put_header(buf, 0, 0x111, self.n, k + 18)
        self.n += 1
        return k + 18

with open('/data', 'wb') as f:
    for i in range(16): f.write(buf)
for n in (0, 2, 5, 11, 12, 13, 14, 15):
    d.set_profile(n)
    d.bulk = Bulk()
    d.next_frame(); d.next_frame()
    t = time.ticks_us()
    for i in range(8): d.next_frame()
    row('all profile %d' % n, time.ticks_diff(time.ticks_us(), t), 8 * profiles.line_length(n))
    d.bulk.f.close()
cltu = bytes.fromhex(CLTU)
t = time.ticks_us()
u.feed(cltu, len(cltu))
row('telecommand', time.ticks_diff(time.ticks_us(), t), len(cltu))
assert u.frames_bd == 1
print(json.dumps(out))
"""


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    microseconds: int
    size: int  # bytes

    @property
    def bytes_per_second(self) -> float:
        return self.size / self.microseconds * 1e6 if self.size else 0.0

    @property
    def cycles_per_byte(self) -> float:
        return self.microseconds * MHZ / self.size if self.size else 0.0


@dataclass(frozen=True, slots=True)
class Result:
    rows: tuple[Row, ...]
    heap: dict[str, int]  # bytes

    def row(self, name: str) -> Row:
        return next(r for r in self.rows if r.name == name)


def measure(image: str | Path | None = None) -> Result:
    """Run the measurement on a fresh emulated Pico."""
    from rovercam.protocol import tc

    link = firmware_dir() / "rover" / "link"
    files = {"/a/rover/__init__.mpy": filesystem.compile_mpy(link.parent / "__init__.py", "rover/__init__.py")}
    for source in sorted(link.glob("*.py")):
        files[f"/a/rover/link/{source.stem}.mpy"] = filesystem.compile_mpy(source, f"rover/link/{source.name}")
    packet = bytes((0x11, 0x10, 0xC0, 0, 0, 13)) + bytes(14)
    cltu = tc.cltu(tc.frame(0x101, packet, bypass=True, key=bytes(32), number=1))
    board = EmulatedPico(image=image, filesystem=filesystem.build(files))
    try:
        board.power_on()
        board.run(0.3)
        text = board.exec(f"CLTU = {cltu.hex()!r}\n" + _SCRIPT, timeout=60)
    finally:
        board.close()
    out = json.loads(text.strip().splitlines()[-1])
    return Result(tuple(Row(*r) for r in out["rows"]), out["heap"])


if __name__ == "__main__":
    result = measure()
    for r in result.rows:
        print(
            f"{r.name:16} {r.microseconds:8} us {r.cycles_per_byte:8.1f} cycles/byte {r.bytes_per_second / 1e3:8.1f} KB/s"
        )
    for name, size in result.heap.items():
        print(f"{name:16} {size:8} bytes of heap")
