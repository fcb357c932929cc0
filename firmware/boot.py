"""Runs before main.py. A strap from GP22 to ground keeps the unit at MicroPython's prompt, whatever main.py does."""

from machine import Pin

STRAPPED = Pin(22, Pin.IN, Pin.PULL_UP).value() == 0
