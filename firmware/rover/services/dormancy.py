"""Zhurong's rule, when parameter dormancy is on: sleep without power or warmth, wake above 140 W and -15 °C.

Loaded by apply_parameters() while the parameter is on. Decided on three samples in a row, so that a shadow is no night.
"""

from micropython import const

from rover import dictionary as d

_SAMPLES = const(3)
_POWER = const(4)  # bits of sensors_present
_WEATHER = const(2)


class Dormancy:
    def __init__(self, app):
        self.app = app
        self._count = 0

    def check(self):
        """After every sample. Without both sensors nothing is decided: a dead sensor must not put the unit to sleep."""
        p = self.app.pool
        mode = p.get(d.P_MODE)
        if mode == d.UNIT_MODE_SAFE or p.get(d.P_SENSORS_PRESENT) & (_POWER | _WEATHER) != _POWER | _WEATHER:
            self._count = 0
            return
        awake = p.get(d.P_BUS_POWER) > p.get(d.P_WAKE_POWER) and p.get(d.P_AIR_TEMPERATURE) > p.get(
            d.P_WAKE_TEMPERATURE
        )
        if awake == (mode == d.UNIT_MODE_NORMAL):
            self._count = 0
            return
        self._count += 1
        if self._count >= _SAMPLES:
            self._count = 0
            from rover.services import modes

            if awake:
                modes.enter(self.app, d.UNIT_MODE_NORMAL, d.MODE_REASON_WAKE)
            else:
                modes.enter(self.app, d.UNIT_MODE_SLEEP, d.MODE_REASON_POWER)
