"""The self-test at the end: the firmware's own drivers on the board, each line a check with what was found."""

from __future__ import annotations

from binascii import unhexlify
from dataclasses import dataclass
from typing import Any

from rovercam.protocol.downlink import Receiver

from rovercam_hil.flashing.prompt import FlashError, Prompt

GOOD, ABSENT, BAD = "good", "not there", "BAD"
SENSORS = {
    "weather": "BME280 (pressure, temperature, humidity)",
    "power": "INA219 (voltage, current)",
    "attitude": "MPU-6050 (attitude)",
}


@dataclass(frozen=True)
class Check:
    name: str
    result: str
    found: str


def run(prompt: Prompt, unit: int) -> list[Check]:
    """Raises FlashError when the firmware cannot be loaded at all."""
    got = prompt.value(TEST)
    checks = [Check("firmware", GOOD, f"loads, {got['heap']} bytes of heap free")]
    for number, name in enumerate(("mast", "mast right", "hazard")):
        found = got["cameras"][number]
        if found > 0:
            checks.append(Check(f"{name} camera", GOOD, f"Arducam Mega, id {found:#x}"))
        else:
            checks.append(
                Check(
                    f"{name} camera",
                    ABSENT if found in (0, -1) else BAD,
                    f"error {-found}" if found else "nothing answers",
                )
            )
    for key, name in SENSORS.items():
        checks.append(
            Check(
                name, GOOD if got["sensors"][key] else ABSENT, "answers" if got["sensors"][key] else "nothing answers"
            )
        )
    celsius = got["temperature"] / 100
    checks.append(Check("chip temperature", GOOD if -40 <= celsius <= 85 else BAD, f"{celsius:.1f} °C"))
    size, free, ok, ms = got["flash"]
    checks.append(
        Check(
            "flash",
            GOOD if ok and free > 100 else BAD,
            f"{free} of {size} KB free, 4 KB written and read back in {ms} ms",
        )
    )
    slept = got["clock"]
    checks.append(Check("clock", GOOD if 195 <= slept <= 230 else BAD, f"200 ms took {slept} ms"))
    checks.append(_frame(unhexlify(got["frame"]), unit))
    return checks


def _frame(data: bytes, unit: int) -> Check:
    """A frame that the board made, decoded by the ground's receiver."""
    receiver = Receiver()
    events: list[Any] = []
    for _ in range(3):
        events += receiver.feed(data, 0.0)
    events += receiver.flush(0.0) if hasattr(receiver, "flush") else []
    frames = [e for e in events if type(e).__name__ == "FrameReceived"]
    scids = {getattr(e, "scid", None) for e in frames}
    if frames:
        return Check(
            "a frame for the line",
            GOOD,
            f"{len(data)} bytes, decoded by the ground's receiver (spacecraft {scids.pop()})",
        )
    return Check("a frame for the line", BAD, f"{len(data)} bytes that the ground's receiver does not take")


def worst(checks: list[Check]) -> bool:
    """Whether something is wrong (what is merely not attached is not)."""
    return any(c.result == BAD for c in checks)


def text(checks: list[Check]) -> str:
    """The table, plain, for a terminal or a mail."""
    width = max(len(c.name) for c in checks)
    return "\n".join(f"{c.name:<{width}}  {c.result:<9}  {c.found}" for c in checks)


TEST = """
import sys,gc
import os,slots
try:os.umount('/a')
except(OSError,AttributeError):pass
slots.mount('/a')
sys.path.insert(0,'/a')
gc.collect()
import json,time,asyncio,binascii
from rover.board.pico import PicoBoard
c=json.load(open('/config.json'))
c['line']='uart'
b=PicoBoard(c)
r={}
async def cam(n):
 try:
  k=b.camera(n)
  if k is None:return 0
  await k.begin()
  return k.id
 except OSError as e:
  return -getattr(e,'code',99)
r['cameras']=[asyncio.run(cam(n)) for n in range(3)]
def p(s):
 try:return bool(s and s.probe())
 except OSError:return False
r['sensors']={k:p(getattr(b,k)) for k in('weather','power','attitude')}
r['temperature']=b.chip_temperature()
d=bytes(range(256))*16
t=time.ticks_ms()
with open('/selftest','wb') as f:f.write(d)
with open('/selftest','rb') as f:ok=f.read()==d
ms=time.ticks_diff(time.ticks_ms(),t)
os.remove('/selftest')
s=os.statvfs('/')
r['flash']=(s[0]*s[2]>>10,s[0]*s[3]>>10,ok,ms)
t=time.ticks_ms();time.sleep_ms(200);r['clock']=time.ticks_diff(time.ticks_ms(),t)
del d
from rover.link.downlink import Downlink
n=Downlink(0x100+c.get('unit',1),0,512)
r['frame']=binascii.hexlify(n.next_frame(True)).decode()
gc.collect()
r['heap']=gc.mem_free()
print(r)
"""

__all__ = ["Check", "FlashError", "run", "text", "worst"]
