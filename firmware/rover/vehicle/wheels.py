"""Six wheel motors, their common steering and two wheel encoders; pins and PWM outputs come in through the constructors.

Each motor has its own PWM line, each side one direction line (0 forward), so a side always turns one way. Six steering
servos share one line and point all wheels alike: that serves crabbing; turns are made by driving the sides against each other.
The encoders sit on the middle wheels and have one line each: the direction is what the motors are told.
"""

from micropython import const

_FREQUENCY = const(400)  # hertz, of the motors' PWM
_FULL = const(1000)


class Encoder:
    """Counts both edges of a wheel encoder on pin. The handler is a hard interrupt: it allocates nothing and misses nothing
    but while the flash is being erased (45 ms, less than two edges of a wheel at full speed)."""

    def __init__(self, pin):
        self.count = 0
        self.step = 1  # -1 while the wheel is told to turn backwards
        self._pin = pin
        pin.irq(self._edge, pin.IRQ_RISING | pin.IRQ_FALLING, hard=True)

    def _edge(self, pin):
        self.count += self.step

    def release(self):
        self._pin.irq(None)


class Side:
    """The motors of one side: pwms, their direction pin, and the encoder of its middle wheel. speed: 1/1000 of full."""

    def __init__(self, pwms, direction, encoder):
        self.encoder = encoder
        self.speed = 0
        self._pwms = pwms
        self._direction = direction
        for pwm in pwms:
            pwm.freq(_FREQUENCY)
            pwm.duty_u16(0)

    def drive(self, speed):
        """-1000 … 1000, negative backwards; beyond that it is the nearest end. 0: no torque."""
        speed = max(-_FULL, min(_FULL, int(speed)))
        if speed:  # a wheel that runs out keeps its direction
            self._direction(1 if speed < 0 else 0)
            self.encoder.step = -1 if speed < 0 else 1
        duty = abs(speed) * 65535 // _FULL
        for pwm in self._pwms:
            pwm.duty_u16(duty)
        self.speed = speed


class Wheels:
    """left, right: Side; steering: a Servo that points all wheels."""

    def __init__(self, left, right, steering):
        self.left = left
        self.right = right
        self.steering = steering

    def drive(self, left, right):
        """Speeds of both sides in 1/1000 of full."""
        self.left.drive(left)
        self.right.drive(right)

    def release(self):
        """Motors off, steering limp, encoders no longer counted."""
        self.drive(0, 0)
        self.steering.release()
        self.left.encoder.release()
        self.right.encoder.release()
