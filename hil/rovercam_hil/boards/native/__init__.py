"""Units that run natively: the firmware in MicroPython's unix port, on the same device models, in virtual time."""
