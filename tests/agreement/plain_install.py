"""The ground's decoder as a plain install has it, without numba, in a process of its own."""

import subprocess
import sys
from collections.abc import Iterable

_SOURCE = """
import sys
sys.modules["numba"] = None
from rovercam.protocol.imaging import decode_slots
slots = [bytes.fromhex(line) for line in sys.stdin.read().split()]
sys.stdout.buffer.write(decode_slots(slots).array.tobytes())
"""


def decoded_plainly(slots: Iterable[bytes]) -> bytes:
    """The pixels of a picture's slots."""
    done = subprocess.run(
        [sys.executable, "-c", _SOURCE],
        input=" ".join(s.hex() for s in slots).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout
