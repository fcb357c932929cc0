"""Starts the camera unit, unless the strap pin (boot.py) asks for MicroPython's prompt."""

if not STRAPPED:  # noqa: F821 - boot.py runs in the same namespace
    import gc
    import sys

    SLOT = "/a"
    sys.path.insert(0, SLOT)
    from rover.arena import Arena

    ARENA = Arena()  # before any other import, while the heap is one piece
    gc.threshold(4096)  # what loading a module leaves behind goes before the next one is put beside it
    from rover.app import main

    main(SLOT, ARENA)
