"""ST[09] time: set and report the on-board clock."""

from rover import dictionary as d


def execute(app, key, args):
    if key == d.C_SET_TIME:
        step = app.clock.set(args[0], args[1])
        if app.schedule:
            app.schedule.clock_changed()
        app.events.report(d.E_TIME_SET, ">i", step)
    report(app)


def report(app):
    """9.2 CUC time report; the ground correlates with the reception time of its first byte."""
    n = app.clock.write(app.pus.data, 0)
    app.pus.data[n] = app.clock.synchronised
    app.pus.report(9, 2, n + 1)
