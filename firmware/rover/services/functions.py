"""ST[08] functions: what the unit does with its hardware. Long ones are activities (coroutines)."""

import asyncio

from rover import dictionary as d


def execute(app, key, args):
    if key == d.C_CAPTURE:
        from rover.services.capture import capture

        return capture(app, *args)
    if key == d.C_SET_PROFILE:
        app.set_profile(args[0])
        return None
    if key == d.C_RESTART:
        return _leave(app, 0)
    if key == d.C_REPL:
        return _leave(app, 1)
    return d.F_UNSUPPORTED


async def _leave(app, reason):
    app.events.report(d.E_RESTARTING, ">B", reason)
    asyncio.create_task(_end(app, reason))


async def _end(app, reason):
    await asyncio.sleep_ms(1500)  # the completion report must reach the line first
    app.stop(restart=not reason)
