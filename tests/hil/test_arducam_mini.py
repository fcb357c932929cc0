"""ArduCAM Mini 2MP Plus: driver and model through real MicroPython."""

import ast
import hashlib

import numpy as np
import pytest
from rovercam_hil.devices.arducam_mini import ArducamMini
from rovercam_hil.devices.i2c import I2cBus
from rovercam_hil.devices.scene import ArrayScene
from rovercam_hil.devices.spi import SpiBus

SETUP = """
import sys, asyncio, hashlib; sys.path.insert(0, '/a')
from machine import SPI, I2C, Pin
from rover.camera import base
from rover.camera.arducam_mini import ArducamMini
spi = SPI(0, baudrate=8_000_000, sck=Pin(18), mosi=Pin(19), miso=Pin(16))
c = ArducamMini(spi, Pin(17, Pin.OUT, value=1), I2C(0, sda=Pin(4), scl=Pin(5), freq=100000, timeout=5000))
buf = bytearray(3000)
def shoot(size, format=3):
    try: asyncio.run(c.capture(size, format))
    except base.CameraError as e: print(('error', e.code, e.value)); return
    h = hashlib.sha256()
    while c.available():
        n = c.read_into(buf); h.update(memoryview(buf)[:n])
    print((c.width, c.height, c.length, h.digest()))
"""


@pytest.fixture
def bench(make_board, firmware_package):
    def make(picture):
        camera = ArducamMini(ArrayScene(picture))
        board = make_board(firmware_package, devices=[SpiBus(0, {17: camera}), I2cBus(0, 4, 5, [camera.sensor_chip])])
        board.exec(SETUP)
        return camera, lambda *a: ast.literal_eval(
            board.exec(f"shoot{a!r}" if len(a) > 1 else f"shoot({a[0]})", 60).strip()
        )

    return make


def grey(width, height):
    return np.random.default_rng(1).integers(0, 256, (height, width), dtype=np.uint8)


def test_yuv_and_rgb565_arrive_pixel_for_pixel(bench):
    picture = grey(160, 120)
    _, shoot = bench(picture)
    yuyv = np.full((120, 160, 2), 128, np.uint8)
    yuyv[..., 0] = picture
    assert shoot(0) == (160, 120, 38400, hashlib.sha256(yuyv.tobytes()).digest())
    p = picture.astype(int)
    words = ((p >> 3) << 11 | (p >> 2) << 5 | p >> 3).astype(">u2")
    assert shoot(0, 2) == (160, 120, 38400, hashlib.sha256(words.tobytes()).digest())


def test_jpeg_is_what_the_model_encoded(bench):
    camera, shoot = bench(grey(96, 96))
    got = shoot(10, 1)
    assert got[3] == hashlib.sha256(camera._memory).digest()
    assert camera._memory[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("on_sensor", "fault", "value", "code"),
    [
        (False, "dead", True, 1),
        (False, "never_ready", True, 4),
        (False, "length", 77, 5),
        (True, "dead", True, 1),
        (True, "wrong_id", 0x77, 2),
    ],
)
def test_faults_are_declared_errors_and_pass_when_cleared(bench, on_sensor, fault, value, code):
    camera, shoot = bench(grey(96, 96))
    broken = camera.sensor_chip if on_sensor else camera
    broken.inject(fault, value)
    assert shoot(10)[:2] == ("error", code)
    broken.clear()
    assert shoot(10)[:3] == (96, 96, 18432)
