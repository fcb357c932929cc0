"""Hobby servos and wheel motors on PWM outputs; the outputs come in through the constructor."""

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


class Motor:
    """A motor driven by pwm with a direction pin (0 forward). speed in 1/1000 of full."""

    def __init__(self, pwm, direction, frequency=1000):
        self._pwm = pwm
        self._direction = direction
        self._frequency = frequency
        self.speed = 0

    def drive(self, speed):
        if not -1000 <= speed <= 1000:
            raise ValueError(speed)
        if not self.speed and speed:
            self._pwm.freq(self._frequency)
        self._direction(1 if speed < 0 else 0)
        self._pwm.duty_u16(abs(speed) * 65535 // 1000)
        self.speed = speed


class Encoder:
    """Counts pulses of a wheel encoder on pin (both edges); the direction is what the motor is told."""

    def __init__(self, pin, motor=None):
        self._motor = motor
        self.count = 0
        pin.irq(self._edge, pin.IRQ_RISING | pin.IRQ_FALLING)

    def _edge(self, pin):
        motor = self._motor
        self.count += -1 if motor is not None and motor.speed < 0 else 1
