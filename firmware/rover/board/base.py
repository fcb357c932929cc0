"""What a board offers. How a unit is judged on one: tests/hil/test_board_contract.py (emulated, native), the HIL suite (real ones too).

A Board is made once, by main.py, from /config.json; importing it touches no hardware.
"""


class Line:
    """The serial line to the ground: bytes in, bytes out, never blocking."""

    bulk_baud = 115200  # bits per second, 0 = as fast as it goes (USB)

    def drain_ms(self, n):
        """Milliseconds in which the line sends about n bytes, at most 100."""
        return min(100, n * 10000 // self.bulk_baud + 1) if self.bulk_baud else 1

    def write(self, buf):
        """Take as many bytes as fit now; returns their number (0 = full)."""
        raise NotImplementedError

    async def wait_input(self):
        """Return when at least one byte has come."""
        raise NotImplementedError

    def readinto(self, buf):
        """Bytes that have come, at most len(buf); returns their number."""
        raise NotImplementedError


class Board:
    """Attributes that a board sets, None where it has no such thing:

    line: Line; cameras: {dictionary's camera id: Camera}; weather: BME280; power: INA219; attitude: MPU6050.
    """

    name = "board"
    line = None
    cameras: dict = {}
    weather = None
    power = None
    attitude = None

    def servo(self, name):
        """The Servo called pan, tilt or release, or None; made when first asked for."""
        return None

    def wheels(self):
        """The Wheels of a rover, ready to drive, or None; made anew for every drive and released after it."""
        return None

    def radio(self):
        """The Bridge to the short-range radio, or None."""
        return None

    def chip_temperature(self):
        """Degrees Celsius × 100 of the microcontroller."""
        return 0

    def reset_cause(self):
        """As machine.reset_cause()."""
        return 0

    def start_watchdog(self):
        """From now on the chip resets when feed_watchdog() does not come for some 8 s."""

    def feed_watchdog(self):
        """Postpone the watchdog's reset; called only when all tasks are alive."""

    def stop_watchdog(self):
        """No more resets: somebody works at the prompt."""

    def keep_time(self, seconds):
        """Keep the on-board time where a reset by the watchdog leaves it."""

    def kept_time(self):
        """What keep_time() kept, or 0."""
        return 0

    def restart(self):
        """Reset the chip; does not return."""
        raise NotImplementedError
