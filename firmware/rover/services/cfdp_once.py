"""Class 1: what follows the EOF of a file that is sent blindly, and where a reset goes on. Imported with the first such file.

The EOF goes three times, then come repair packets (cfdp_repair), then the next cycle or the end. Such a file has no timers: `mark` counts
bytes since the position was kept, and EOFs.
"""

import struct

from micropython import const

_PUSH = const(1)  # states and pending directives: see cfdp_tx
_CANCEL = const(3)
_REPAIR = const(4)
_F_META = const(1)
_F_EOF = const(2)
_FINISHED = const(2)  # event: see cfdp


def ended(tx, c):
    """An EOF of transaction tx of entity c has gone."""
    if tx.state == _CANCEL:
        c.remove(tx)
        return
    tx.timer = 0
    tx.mark += 1
    if tx.mark % 3:
        tx.flags |= _F_EOF
    elif tx.percent and tx.size:
        if tx.repair is None:
            from rover.services.cfdp_repair import Repair

            tx.repair = Repair(c.id, tx, c.file)
        tx.repair.start(tx.cycle)
        tx.state = _REPAIR
    else:
        start(tx, c)


def start(tx, c):
    """The next cycle, if there is one."""
    tx.cycle += 1
    if tx.cycles and tx.cycle >= tx.cycles:
        c._event(_FINISHED, tx, tx.resent)
        c.remove(tx)
        return
    tx.pos = 0
    tx.mark = tx.interval = 0
    tx.state = _PUSH
    tx.flags |= _F_META
    flush(tx, c)


def flush(tx, c):
    """Appends (cycle, position) to the record: where a reset goes on. The last whole mark counts. The line may fall silent for a sector's erasure."""
    tx.mark = 0
    try:
        with open(c.record(tx.seq), "ab") as f:
            f.write(struct.pack("<II", tx.cycle, tx.pos))
    except OSError:
        pass  # a full flash costs repeated bytes after a reset, nothing else
