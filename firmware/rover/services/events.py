"""ST[05] commands: events switched on and off one by one; the mask is a parameter and kept over resets."""

from rover import dictionary as d
from rover.services import parameters


def execute(app, key, args):
    mask = app.pool.get(d.P_EVENT_MASK_LOW)
    for event in args[0]:
        if event > 31:
            return d.F_OUT_OF_RANGE
        if key == d.C_ENABLE_EVENTS:
            mask |= 1 << event
        else:
            mask &= ~(1 << event)
    app.pool.set(d.P_EVENT_MASK_LOW, mask)
    parameters.save(app)
