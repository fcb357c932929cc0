"""Servos, wheels and encoders: our drivers in MicroPython against models that watch the pins."""

import pytest
from rovercam_hil.devices.servo import Release, Servo
from rovercam_hil.devices.vehicle import Chassis, FlatRover

SETUP = """
import sys; sys.path.insert(0, '/a')
from machine import PWM, Pin
from rover.servo import Servo
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


def test_sides_drive_and_encoders_count(make_board, firmware_package):
    chassis = Chassis(body=FlatRover(top_speed=0.5, edges=200))
    board = make_board(firmware_package, devices=[chassis])
    board.exec(SETUP + "from rover.board.wheels import make\nw = make({})\nw.drive(500, -1000)")
    board.run(2.0)
    assert chassis.motors[0].speed == pytest.approx(0.5, rel=0.01)
    assert chassis.motors[5].speed == -1.0
    for _ in range(2):
        counts = board.exec("print(w.left.encoder.count, w.right.encoder.count)").split()
        assert [abs(int(c)) for c in counts] == pytest.approx(chassis.edges, abs=2)
        assert int(counts[0]) > 50
        assert int(counts[1]) < -100
        board.exec("w.drive(0, 0)")
        board.run(3.0)
    before = list(chassis.edges)
    board.run(0.5)
    assert chassis.edges == before
    board.exec("w.drive(0, 0); w.release(); w = make({'motor_left_front': 28})")
    assert all(m.speed == 0 for m in chassis.motors)
