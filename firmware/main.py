"""Starts the camera unit, unless the strap pin (boot.py) asks for MicroPython's prompt."""

if not STRAPPED:  # noqa: F821 - boot.py runs in the same namespace
    import sys

    SLOT = "/a"
    sys.path.insert(0, SLOT)
    from rover.arena import Arena

    ARENA = Arena()  # before any other import, while the heap is one piece
    from rover.app import main

    main(SLOT, ARENA)
