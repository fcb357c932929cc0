"""What happens once, at start; this module is gone afterwards, so that none of it costs heap while the unit runs.

/t/boot: starts u16, failures u8: resets by the watchdog without a healthy minute before them; 0xFF before a restart
that was asked for. From MANY failures on the unit starts in safe mode, and stays so until commanded to normal.
"""

import os

from micropython import const

from rover import dictionary as d
from rover.services import housekeeping, modes, parameters

_WATCHDOG = const(3)  # machine.WDT_RESET
_STATE = const(4)  # positions in a catalogue entry
_PRIORITY = const(6)


def start(app, config):
    for path in ("/p", "/t", "/q"):
        try:
            os.mkdir(path)
        except OSError:
            pass
    p = app.pool
    cause = app.board.reset_cause()
    count, failures = _boot(cause)
    p.set(d.P_BOOT_COUNT, count)
    p.set(d.P_FAILED_STARTS, failures)
    p.set(d.P_RESET_CAUSE, cause)
    p.set(d.P_ROLE, 1 if config.get("role") == "remote" else 0)
    p.set(d.P_DICTIONARY_HASH, app.table.hash)
    p.set(d.P_LINK_INSECURE, app.uplink.insecure)
    p.set(d.P_HEAP_MINIMUM, 0xFFFFFFFF)
    p.set(d.P_EVENT_MASK_LOW, 0xFFFFFFFF)
    try:
        # Recorded and not fetched: nobody was there before this start, so nobody is taken to be there now.
        if os.listdir("/s"):
            app.alone()
    except OSError:
        pass
    app.events.report(d.E_STARTED, ">HB", count, cause)
    _slot(app)
    parameters.load(app)
    housekeeping.load(app)
    _products(app)
    kept = app.board.kept_time() if cause == _WATCHDOG else 0
    if kept:
        app.clock.seconds = kept  # a few seconds behind, and not called synchronised
    tables = os.listdir("/t")
    if _kept(tables, "odometer"):
        from rover.vehicle import odometry

        odometry.restore(app)
    if failures >= modes.MANY:
        modes.enter(app, d.UNIT_MODE_SAFE, d.MODE_REASON_RESETS)
    if _kept(tables, "schedule"):
        app.need_schedule()
    if failures < modes.MANY:
        if _kept(tables, "monitors"):
            app.need("monitoring", "Monitors")
        if _kept(tables, "actions"):
            app.need("actions", "Actions")
        if "radio" in tables:
            try:
                app.need("radio", "Radio")
            except OSError:
                pass  # not there any more
    if "exception" in tables:
        app.events.report(d.E_EXCEPTION_STORED, ">H", os.stat("/t/exception")[6])


def _kept(tables, name):
    """Whether there is a copy of this stored table. The names of the copies are not written out: each would stay in memory."""
    return name + ".0" in tables or name + ".1" in tables


def _products(app):
    """The next product id and the count; layers whose entry was never written go; what was queued is queued again."""
    store = app.store
    entries = []
    layers = []
    for name in os.listdir("/p"):
        try:
            number = int(name[:4])
        except ValueError:
            continue
        store.next = max(store.next, number + 1)
        (entries if name.endswith(".m") else layers).append(number)
    for number in set(layers):
        if number not in entries:
            store.delete(number)
    app.pool.set(d.P_PRODUCTS_STORED, len(entries))
    for number in store.numbers():
        record = store.read(number)
        if record and record[_STATE] == d.PRODUCT_STATE_QUEUED:
            app.products.insert(number, record[_PRIORITY])


def _slot(app):
    """On trial? Back from one that failed?"""
    try:
        with open("/slot") as f:
            s = f.read()
    except OSError:
        return
    app.trial = len(s) == 3 and s[2] == "1" and s[1] == app.folder[1]
    if s[1:] == "!":
        app.events.report(d.E_UPDATE_REJECTED, ">B", ord(app.folder[1]))
        modes.select_slot(s[0])


def _boot(cause):
    try:
        with open(modes.BOOT_FILE, "rb") as f:
            b = f.read()
        count = (b[0] << 8 | b[1]) + 1 & 0xFFFF
        failures = b[2]
    except (OSError, IndexError):
        count = 1
        failures = 0
    if cause == _WATCHDOG:
        failures = failures + 1 & 0xFF
    elif failures == 0xFF:
        failures = 0
    modes.save_boot(count, failures)
    return count, failures
