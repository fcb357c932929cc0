"""Operating modes: normal, safe and sleep, and the record of starts that leads into safe mode."""

import time

from micropython import const

from rover import dictionary as d

BOOT_FILE = "/t/boot"
_TRIAL_S = const(1800)  # a firmware on trial that has not heard the ground for so long gives way to the old one
MANY = const(3)  # failures that lead into safe mode


def save_boot(count, failures):
    with open(BOOT_FILE, "wb") as f:
        f.write(bytes((count >> 8, count & 255, failures)))


def select_slot(text):
    """What /boot.py reads."""
    with open("/slot", "w") as f:
        f.write(text)


def healthy(app):
    """A minute has gone well: the failures before it do not count any more, except in safe mode, which lasts."""
    p = app.pool
    if app.trial:
        if app.uplink.accepted:  # a firmware that the ground cannot command is not healthy
            app.trial = False
            select_slot(app.folder[1])
            app.events.report(d.E_UPDATE_CONFIRMED, ">B", ord(app.folder[1]))
        elif app.clock.uptime > _TRIAL_S:
            app.stop(True)  # boot.py takes the old one
        return
    if p.get(d.P_FAILED_STARTS) and not p.get(d.P_MODE):
        p.set(d.P_FAILED_STARTS, 0)
        save_boot(p.get(d.P_BOOT_COUNT), 0)


def leaving(app):
    """A restart that was asked for is no failure."""
    safe = app.pool.get(d.P_MODE) == d.UNIT_MODE_SAFE
    save_boot(app.pool.get(d.P_BOOT_COUNT), MANY - 1 if safe else 0xFF)


def enter(app, mode, reason):
    """Change the mode, with an event. Safe mode is kept over resets until it is left by command."""
    p = app.pool
    old = p.get(d.P_MODE)
    if mode == old:
        return
    p.set(d.P_MODE, mode)
    if d.UNIT_MODE_SAFE in (mode, old):
        failures = MANY if mode == d.UNIT_MODE_SAFE else 0
        if failures or p.get(d.P_FAILED_STARTS):
            p.set(d.P_FAILED_STARTS, failures)
            save_boot(p.get(d.P_BOOT_COUNT), failures)
    now = time.ticks_ms()
    for s in app.housekeeping.structures.values():
        s[1] = time.ticks_add(now, min(s[0], 1000))
    app.housekeeping.changed()
    app.events.report(d.E_MODE_CHANGED, ">BB", mode, reason)
