"""ST[03] commands: report definitions created, changed, switched, re-timed; kept over resets as a stored table."""

import struct
import time
from array import array

from rover import dictionary as d
from rover.services import stored
from rover.services.parameters import parameter, parameters, structures

_FILE = "/t/structures"
_OWN = 5  # ids from here on are made by command


def load(app):
    """The dictionary's structures, then what save() kept."""
    hk = app.housekeeping
    for number, period, codes in structures(app.table):
        hk.define(number, period, array("H", codes))
    kept = stored.load(app, _FILE, d.STORED_TABLE_STRUCTURES)
    at = 0
    while kept and at + 5 <= len(kept):
        number, enabled, period, n = struct.unpack_from(">BBHB", kept, at)
        at += 5
        try:
            if n:
                hk.define(number, period, codes_of(app, struct.unpack_from(">%dH" % n, kept, at)))
            else:
                hk.structures[number][0] = period * 100
            hk.structures[number][2] = enabled
        except KeyError:  # made with another dictionary
            pass
        at += 2 * n


def save(app):
    """Periods and switches of all structures, parameters of those that were made by command."""
    ids = {}
    for number, found in parameters(app.table):
        ids[found[0]] = number
    out = bytearray()
    for number, (period, _, enabled, codes) in app.housekeeping.structures.items():
        own = [ids[c] for c in codes] if number >= _OWN else ()
        out += struct.pack(">BBHB", number, enabled, period // 100, len(own))
        out += struct.pack(">%dH" % len(own), *own)
    stored.write(_FILE, out)


def codes_of(app, ids):
    """P_ codes of parameter ids; raises KeyError for an unknown one."""
    codes = array("H")
    for i in ids:
        found = parameter(app.table, i)
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
        app.sampler.sample()
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
