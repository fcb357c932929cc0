"""Runs before main.py: which firmware is to start?

A strap from GP22 (ESP32-S3: GPIO0, the BOOT button) to ground keeps the unit at MicroPython's prompt, whatever main.py does. /slot names
the firmware: "a"; "ab0": a is good, b waits for its trial; "ab1": b is on trial and must report healthy (then: "b"), else
the next start takes a again; "a!": that has happened, or a failed to start, and shall be told.
"""

import sys

import slots
from machine import WDT, Pin

STRAPPED = Pin(22 if sys.platform == "rp2" else 0, Pin.IN, Pin.PULL_UP).value() == 0
SLOT, trial = slots.select(STRAPPED)
if trial:
    WDT(timeout=8300)  # even if it hangs while it is loaded
slots.mount(SLOT)
# A deleted name keeps its value in the table until the place is needed: first None, or nothing is freed.
slots.select = slots.mount = slots.check = sys.modules["slots"] = None
del sys.modules["slots"], trial
slots = Pin = WDT = None
del slots, Pin, WDT
