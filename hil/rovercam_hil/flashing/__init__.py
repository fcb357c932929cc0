"""Installing the unit's firmware on a board through MicroPython's prompt."""
