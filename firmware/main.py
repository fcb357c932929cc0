"""Starts the camera unit, unless the strap pin (boot.py) asks for MicroPython's prompt."""

if not STRAPPED:  # noqa: F821 - boot.py runs in the same namespace
    import gc
    import sys

    sys.path.insert(0, SLOT)  # noqa: F821
    try:
        from rover.arena import Arena

        ARENA = Arena()  # before any other import, while the heap is one piece
        # What loading modules leaves behind goes now and then: less often, and free memory is in pieces.
        gc.threshold(24576)
        from rover.app import main

        main(SLOT, ARENA)  # noqa: F821
    except Exception as error:  # this firmware does not run: the other slot's, if there is one
        import os
        import time

        import machine

        with open("/t/exception", "w") as f:
            sys.print_exception(error, f)
        other = "b" if SLOT == "/a" else "a"  # noqa: F821
        if other + ".slot" in os.listdir("/"):
            with open("/slot", "w") as f:
                f.write(other + "!")
        time.sleep(5)
        machine.reset()
