"""Hobby servos on PWM outputs; the output comes in through the constructor."""

from micropython import const

_FREQUENCY = const(50)  # hertz
_CENTRE_NS = const(1500000)


class Servo:
    """A servo on pwm (a machine.PWM or the like with freq, duty_ns). Angles in 0.1°, 0 = centre.

    span: pulse length change in ns per 90°; low, high: limits of travel.
    """

    def __init__(self, pwm, low=-900, high=900, span=1000000):
        self._pwm = pwm
        self.low = low
        self.high = high
        self._span = span
        self.angle = None  # unknown until commanded: no pulses, no torque

    def move(self, angle):
        """Go to angle; the servo's own time to get there is not waited for."""
        if not self.low <= angle <= self.high:
            raise ValueError(angle)
        if self.angle is None:
            self._pwm.freq(_FREQUENCY)
        self._pwm.duty_ns(_CENTRE_NS + angle * self._span // 900)
        self.angle = angle

    def release(self):
        """No more pulses: the servo goes limp."""
        self._pwm.duty_u16(0)
        self.angle = None
