"""Transfers that a reset interrupted, from their records on flash. Needed at start alone, and let go of then (see cfdp)."""

import os
import struct

from micropython import const

from rover.services.cfdp_tx import Tx

_ASK = const(0)  # states and pending directives: see cfdp_tx
_F_PROMPT = const(4)
_HEAD = "<BBBBBBHI"  # see cfdp_tx


def load(folder, limit, insert):
    """Calls insert(transaction) for at most `limit` files being sent. (newest transaction number used, whether files were being received)."""
    seq = 0
    try:
        os.mkdir(folder)
    except OSError:
        pass  # exists
    try:
        with open(folder + "/seq", "rb") as f:
            seq = struct.unpack("<H", f.read(2))[0]
    except (OSError, ValueError):
        pass  # a new unit
    receiving = False
    count = 0
    for name in sorted(e[0] for e in os.ilistdir(folder)):
        if name[-3:] == ".rx":
            receiving = True
        elif name[-3:] == ".tx":
            try:
                with open(folder + "/" + name, "rb") as f:
                    tx = _one(int(name[:-3], 16), f.read())
            except (OSError, ValueError, IndexError):
                tx = None
            if tx is None or count >= limit:
                # torn by a power cut, or its file is gone
                os.remove(folder + "/" + name)
            else:
                insert(tx)
                count += 1
    return seq, receiving


def _one(seq, data):
    """The transaction of a record, with the class 1 mark it ends with; None when it is torn or its file is gone."""
    version, priority, cls, suspended, percent, cycles, run, size = struct.unpack_from(_HEAD, data, 0)
    p = struct.calcsize(_HEAD)
    q = p + 2 + data[p]
    end = q + data[p + 1]
    path = data[p + 2 : q].decode()
    if version != 1 or end > len(data) or os.stat(path)[6] != size:
        return None
    tx = Tx(seq, path, data[q:end].decode(), priority, cls & 15, cls >> 4, percent, cycles, run, size)
    tx.suspended = bool(suspended)
    tx.started = True
    if tx.cls == 1:
        marks = (len(data) - end) // 8
        if marks:
            tx.cycle, tx.pos = struct.unpack_from("<II", data, end + 8 * marks - 8)
    else:
        tx.state = _ASK
        tx.flags = _F_PROMPT
    return tx
