"""The rover's wheels on the Pico's pins; loaded while the rover drives. /config.json's "pins" replaces single entries."""

from machine import PWM, Pin

from rover.servo import Servo
from rover.vehicle.wheels import Encoder, Side, Wheels

WHEEL_PINS = {
    "motor_left_front": 6, "motor_left_middle": 7, "motor_left_rear": 8,
    "motor_right_front": 9, "motor_right_middle": 10, "motor_right_rear": 11,
    "direction_left": 2, "direction_right": 3,
    "encoder_left": 26, "encoder_right": 27,
    "steering": 12,
}  # fmt: skip


def make(changed):
    """Wheels; changed: function → GP number, where it differs from WHEEL_PINS (other entries do not matter)."""
    pins = WHEEL_PINS.copy()
    pins.update(changed)

    def side(name):
        motors = [PWM(Pin(pins["motor_%s_%s" % (name, place)])) for place in ("front", "middle", "rear")]
        encoder = Encoder(Pin(pins["encoder_" + name], Pin.IN))
        return Side(motors, Pin(pins["direction_" + name], Pin.OUT, value=0), encoder)

    return Wheels(side("left"), side("right"), Servo(PWM(Pin(pins["steering"]))))
