"""Servos, motors and encoders: our drivers in MicroPython against models that watch the pins."""

import pytest
from rovercam_hil.devices.servo import Encoder, Motor, Release, Servo

SETUP = """
import sys; sys.path.insert(0, '/a')
from machine import PWM, Pin
from rover.servo import Servo, Motor, Encoder
"""


def test_servo_turns_at_its_speed_to_the_angle_commanded(make_board, firmware_package):
    pan = Servo(14, speed=300.0)
    board = make_board(firmware_package, devices=[pan])
    board.exec(SETUP + "s = Servo(PWM(Pin(14)))\ns.move(450)")
    board.run(0.05)
    assert 0 < pan.angle < 45
    board.run(0.3)
    assert pan.angle == pytest.approx(45.0, abs=0.2)
    assert pan.period == pytest.approx(0.020, rel=1e-3)
    board.exec("s.move(-900)")
    board.run(1.0)
    assert pan.angle == pytest.approx(-90.0, abs=0.2)
    pan.inject("jammed")
    board.exec("s.move(0)")
    board.run(0.5)
    assert pan.angle == pytest.approx(-90.0, abs=0.2)
    assert "ValueError" in board.exec("try: s.move(901)\nexcept ValueError as e: print(repr(e))")


def test_release_fires_beyond_its_threshold_only(make_board, firmware_package):
    release = Release(13)
    board = make_board(firmware_package, devices=[release])
    board.exec(SETUP + "s = Servo(PWM(Pin(13)))\ns.move(300)")
    board.run(0.2)
    assert not release.released
    board.exec("s.move(800)")
    board.run(0.2)
    assert release.released


def test_wheel_motor_and_encoder_close_the_loop(make_board, firmware_package):
    motor = Motor(6, 2, full_speed=2.0)
    encoder = Encoder(26, motor, edges=40)
    board = make_board(firmware_package, devices=[motor, encoder])
    board.exec(SETUP + "m = Motor(PWM(Pin(6)), Pin(2, Pin.OUT))\ne = Encoder(Pin(26, Pin.IN), m)\nm.drive(500)")
    board.run(1.0)
    assert motor.speed == pytest.approx(1.0, rel=0.01)
    count = int(board.exec("print(e.count)"))
    assert count == pytest.approx(encoder.count, abs=1)
    assert count == pytest.approx(40, abs=4)
    board.exec("m.drive(-1000)")
    board.run(1.0)
    assert motor.speed == pytest.approx(-2.0, rel=0.01)
    assert int(board.exec("print(e.count)")) == pytest.approx(40 - 80, abs=8)
    motor.inject("stalled")
    board.run(0.1)
    before = encoder.count
    board.run(0.5)
    assert encoder.count == before
