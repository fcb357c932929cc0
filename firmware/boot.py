"""Runs before main.py: which firmware is to start?

A strap from GP22 (ESP32-S3: GPIO0, the BOOT button) to ground keeps the unit at MicroPython's prompt, whatever main.py does. /slot names the folder of the
firmware: "a"; "ab0": a is good, b waits for its trial; "ab1": b is on trial and must report healthy (then: "b"), else
the next start takes a again; "a!": that has happened, or a failed to start, and shall be told.
"""

import sys

from machine import Pin

STRAPPED = Pin(22 if sys.platform == "rp2" else 0, Pin.IN, Pin.PULL_UP).value() == 0
SLOT = "/a"


def _choose():
    with open("/slot") as f:
        s = f.read()
    if len(s) < 3:
        return s[0]
    with open("/slot", "w") as f:  # LittleFS shows the old contents or the new ones, never a part
        f.write(s[0] + "!" if s[2] != "0" else s[:2] + "1")
    if s[2] != "0":
        return s[0]
    from machine import WDT

    WDT(timeout=8300)  # even if it hangs while it is loaded
    return s[1]


if not STRAPPED:
    try:
        SLOT = "/" + _choose()
    except (OSError, IndexError):
        pass
del _choose, Pin
