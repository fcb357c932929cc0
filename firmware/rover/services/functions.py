"""ST[08] functions: what the unit does with its hardware. Long ones are activities (coroutines)."""

import asyncio
import time

from rover import dictionary as d


def execute(app, key, args):
    if key == d.C_CAPTURE:
        from rover.services.capture import take

        return take(app, args)
    if key in (d.C_CAPTURE_SERIES, d.C_CAPTURE_PANORAMA, d.C_STOP_SERIES):
        from rover.services import series

        if key == d.C_STOP_SERIES:
            series.stop()
            return None
        return (series.series if key == d.C_CAPTURE_SERIES else series.panorama)(app, *args)
    if key == d.C_INSTALL_UPDATE:
        from rover.services import update

        return update.execute(app, args[0])
    if key == d.C_CHECK_SLOTS:
        from rover.services import integrity

        return integrity.check(app)
    if key == d.C_SET_PROFILE:
        app.set_profile(args[0])
        return None
    if key == d.C_SET_MODE:
        from rover.services import modes

        modes.enter(app, args[0], d.MODE_REASON_COMMAND)
        return None
    if key == d.C_PROBE_LINE:
        app.downlink.probe = args[0]
        return None
    if key == d.C_ROTATE_KEY:
        if app.uplink.insecure or len(args[0]) < 16:
            return d.F_UNSUPPORTED
        return app.uplink.rotate(args[0])
    if key == d.C_ARM:
        app.commander.armed = args[0] << 16 | args[1] << 8 | args[2]
        app.commander.armed_at = time.ticks_ms()
        return None
    if key == d.C_POINT_MAST:
        return point(app, args[0], args[1])
    if key == d.C_RELEASE_CAMERA:
        return _release(app)
    if key in (d.C_DRIVE, d.C_TURN, d.C_CRAB):
        from rover.vehicle.drive import drive

        if key == d.C_TURN:
            return drive(app, d.DRIVE_STATE_TURNING, args[0], 0, args[1])
        if key == d.C_CRAB:
            return drive(app, d.DRIVE_STATE_CRABBING, args[0], args[1], args[2])
        return drive(app, d.DRIVE_STATE_DRIVING, args[0], 0, args[1])
    if key == d.C_STOP_DRIVE:
        if app.vehicle:
            app.vehicle.stop(d.DRIVE_STOP_COMMAND)
        return None
    if key == d.C_SET_POSE:
        if app.vehicle:
            return d.F_BUSY
        from rover.vehicle.odometry import set_pose

        set_pose(app, *args)
        return None
    if key == d.C_START_RADIO:
        try:
            app.need("radio", "Radio")
        except OSError:
            return d.F_UNSUPPORTED
        return None
    if key == d.C_STOP_RADIO:
        if app.radio:
            app.radio.stop()
        return None
    if key == d.C_RESTART:
        return leave(app, 0)
    if key == d.C_REPL:
        return leave(app, 1)
    return d.F_UNSUPPORTED


async def leave(app, reason):
    app.events.report(d.E_RESTARTING, ">B", reason)
    asyncio.create_task(_end(app, reason))


async def _end(app, reason):
    from rover.services import modes

    modes.leaving(app)
    if app.recorder:
        app.recorder.flush()
    await asyncio.sleep_ms(1500)  # the completion report must reach the line first
    app.stop(restart=not reason)


async def point(app, pan, tilt):
    """Both axes; complete when the servos have had the time to get there (0.3 s per 60°, and some to settle)."""
    first = app.board.servo("pan")
    second = app.board.servo("tilt")
    if first is None or second is None:
        return d.F_UNSUPPORTED
    turn = max(abs(pan - (first.angle or 0)), abs(tilt - (second.angle or 0)))
    try:
        first.move(pan)
        second.move(tilt)
    except ValueError:
        return d.F_OUT_OF_RANGE
    app.pool.set(d.P_MAST_PAN, pan)
    app.pool.set(d.P_MAST_TILT, tilt)
    await asyncio.sleep_ms(200 + turn // 2)


async def _release(app):
    """The release servo turns by 90° and back; what it held has gone by then."""
    servo = app.board.servo("release")
    if servo is None:
        return d.F_UNSUPPORTED
    servo.move(900)
    await asyncio.sleep_ms(800)
    servo.move(0)
    await asyncio.sleep_ms(800)
    servo.release()
    app.events.report(d.E_CAMERA_RELEASED)
