"""Ports of the hand-over, all on this computer: neither end asks who the other is, so nobody else may reach them.

They follow each other from the first one on: telemetry (TCP, we listen), files (TCP, we listen), commands (UDP, we
listen), then one per unit for control words (UDP, Yamcs listens).
"""

HOST = "127.0.0.1"
FIRST = 10016
FILES, COMMANDS, CONTROL_WORDS = 1, 2, 3
"""Behind the first port; control words: plus the unit's id."""
CONTROL_FRAME = 24
"""Bytes of the TM frames that carry control words."""
