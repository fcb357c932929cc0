"""ST[03] commands: report definitions created, changed, switched, re-timed; kept over resets in /t/structures."""

import struct
import time
from array import array

from rover import dictionary as d
from rover.reporter import STRUCTURES_FILE

_OWN = 4  # ids from here on are made by command


def load(app):
    """Apply what save() kept, over the dictionary's structures."""
    hk = app.housekeeping
    try:
        with open(STRUCTURES_FILE, "rb") as f:
            while True:
                head = f.read(5)
                if len(head) < 5:
                    break
                number, enabled, period, n = struct.unpack(">BBHB", head)
                if n:
                    hk.define(number, period, codes_of(app, struct.unpack(">%dH" % n, f.read(2 * n))))
                elif number in hk.structures:
                    hk.structures[number][0] = period * 100
                hk.structures[number][2] = enabled
    except (OSError, ValueError, KeyError):
        pass


def save(app):
    """Periods and switches of all structures, parameters of those that were made by command."""
    ids = {}
    for number, found in app.table.parameters():
        ids[found[0]] = number
    with open(STRUCTURES_FILE, "wb") as f:
        for number, (period, _, enabled, codes) in app.housekeeping.structures.items():
            own = [ids[c] for c in codes] if number >= _OWN else ()
            f.write(struct.pack(">BBHB", number, enabled, period // 100, len(own)))
            f.write(struct.pack(">%dH" % len(own), *own))


def codes_of(app, ids):
    """P_ codes of parameter ids; raises KeyError for an unknown one."""
    codes = array("H")
    for i in ids:
        found = app.table.parameter(i)
        if not found:
            raise KeyError(i)
        codes.append(found[0])
    return codes


def execute(app, key, args):
    hk = app.housekeeping
    number = args[0]
    if key == d.C_CREATE_HOUSEKEEPING:
        if len(args[2]) == 0:
            return d.F_OUT_OF_RANGE
        try:
            hk.define(number, args[1], codes_of(app, args[2]))
        except KeyError:
            return d.F_UNKNOWN_PARAMETER
    elif number not in hk.structures:
        return d.F_UNKNOWN_STRUCTURE
    elif key == d.C_REPORT_HOUSEKEEPING:
        app.sample()
        hk.report(number)
        return None
    else:
        s = hk.structures[number]
        if key == d.C_DELETE_HOUSEKEEPING:
            del hk.structures[number]
        elif key == d.C_SET_HOUSEKEEPING_PERIOD:
            s[0] = args[1] * 100
            s[1] = time.ticks_add(time.ticks_ms(), s[0])
        else:
            s[2] = 1 if key == d.C_ENABLE_HOUSEKEEPING else 0
            s[1] = time.ticks_add(time.ticks_ms(), s[0])
    save(app)
    hk.changed()
    return None
