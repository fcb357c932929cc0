"""On-board time: CUC 4+2 without P-field (301.0-B-4), POSIX seconds once set; before that it counts from 0."""

import time


class Clock:
    """drift_ppb: correction added to the crystal's pace, in parts per billion (parameter clock_drift)."""

    def __init__(self):
        self.seconds = 0
        self.micros = 0
        self.synchronised = 0
        self.uptime = 0
        self.drift_ppb = 0
        self._rest = 0
        self._up_micros = 0
        self._last = time.ticks_us()

    def update(self):
        """Must run at least every 8 minutes (ticks_us wraps); every packet does it."""
        now = time.ticks_us()
        step = time.ticks_diff(now, self._last)
        self._last = now
        self._up_micros += step
        if self._up_micros >= 1000000:
            self.uptime += self._up_micros // 1000000
            self._up_micros %= 1000000
        if self.drift_ppb:
            self._rest += step * self.drift_ppb
            extra = self._rest // 1000000000
            self._rest -= extra * 1000000000
            step += extra
        self.micros += step
        if self.micros >= 1000000 or self.micros < 0:
            self.seconds += self.micros // 1000000
            self.micros %= 1000000

    def write(self, buf, at):
        """Six bytes of CUC at buf[at:]; returns at + 6."""
        self.update()
        s = self.seconds
        f = (self.micros << 10) // 15625  # 65536 / 1000000
        buf[at] = s >> 24
        buf[at + 1] = s >> 16 & 255
        buf[at + 2] = s >> 8 & 255
        buf[at + 3] = s & 255
        buf[at + 4] = f >> 8
        buf[at + 5] = f & 255
        return at + 6

    def set(self, seconds, fraction):
        """Returns the step in milliseconds, as far as 32 bits go."""
        self.update()
        micros = fraction * 15625 >> 10
        step = (seconds - self.seconds) * 1000 + (micros - self.micros) // 1000
        self.seconds = seconds
        self.micros = micros
        self.synchronised = 1
        return max(-0x7FFFFFFF, min(0x7FFFFFFF, step))
