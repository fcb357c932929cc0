"""Arducam Mega: driver and model through real MicroPython; the pattern camera; scenes and the sensor's arithmetic."""

import ast
import hashlib
import io
import struct

import numpy as np
import pytest
from PIL import Image
from rovercam_hil.devices import sensor
from rovercam_hil.devices.arducam_mega import SIZES, ArducamMega
from rovercam_hil.devices.scene import ArrayScene, FileScene, MarsScene, PatternScene, SceneError, fit, open_scene
from rovercam_hil.devices.spi import SpiBus
from rovercam_hil.devices.trace import Trace

SETUP = """
import sys, asyncio, hashlib; sys.path.insert(0, '/a')
from machine import SPI, Pin
from rover.camera import base
from rover.camera.arducam_mega import ArducamMega
spi = SPI(0, baudrate=8_000_000, sck=Pin(18), mosi=Pin(19), miso=Pin(16))
c = ArducamMega(spi, Pin(17, Pin.OUT, value=1))
buf = bytearray(3000)
def shoot(size, format=3):
    try: asyncio.run(c.capture(size, format))
    except base.CameraError as e: print(('error', e.code, e.value)); return
    h = hashlib.sha256()
    while c.available():
        n = c.read_into(buf); h.update(memoryview(buf)[:n])
    print((c.width, c.height, c.length, h.digest()))
"""


class Bench:
    def __init__(self, make_board, firmware, scene, **camera):
        self.camera = ArducamMega(scene, **camera)
        self.trace = None
        self.bus = SpiBus(0, {17: self.camera})
        self.board = make_board(firmware, devices=[self.bus])
        self.board.exec(SETUP)

    def shoot(self, *args):
        return ast.literal_eval(self.board.exec(f"shoot({', '.join(map(repr, args))})", timeout=60).strip())

    def memory(self, *args):
        """What the camera delivered: the model's memory, proven equal to what the board read."""
        got = self.shoot(*args)
        assert got[3] == hashlib.sha256(self.camera._memory).digest()
        return self.camera._memory

    def run(self, expression):
        return self.board.exec(f"asyncio.run({expression})")


@pytest.fixture
def bench(make_board, firmware_package):
    return lambda scene, **camera: Bench(make_board, firmware_package, scene, **camera)


def grey(width, height, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def packed(y):
    """Independent YUYV of a grey picture."""
    return b"".join(bytes(v for p in row for v in (p, 128)) for row in y.tolist())


@pytest.mark.parametrize("size", [10, 11, 1])
def test_yuv_delivers_every_pixel(bench, size):
    width, height = SIZES[size]
    picture = grey(width, height)
    got = bench(ArrayScene(picture)).shoot(size)
    assert got[:3] == (width, height, width * height * 2)
    assert got[3] == hashlib.sha256(packed(picture)).digest()


def test_rgb565_delivers_every_pixel_to_its_depth(bench):
    picture = np.random.default_rng(2).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    words = struct.unpack(f">{96 * 96}H", bench(ArrayScene(picture)).memory(10, 2))
    expected = [(int(r) >> 3) << 11 | (int(g) >> 2) << 5 | int(b) >> 3 for r, g, b in picture.reshape(-1, 3)]
    assert list(words) == expected


def test_jpeg_decodes_to_what_the_model_encoded(bench):
    picture = MarsScene(4).picture(0.0, 320, 240)
    b = bench(ArrayScene(picture))
    got = b.memory(1, 1)
    mine = np.asarray(Image.open(io.BytesIO(sensor.jpeg(picture, sensor.Settings().quality))).convert("RGB"))
    theirs = np.asarray(Image.open(io.BytesIO(got)).convert("RGB"))
    assert np.array_equal(mine, theirs)
    assert len(got) % 8 == 0


def test_second_capture_follows_the_scene_and_keeps_the_settings(bench):
    b = bench(ArrayScene(grey(96, 96, 1)))
    first = b.shoot(10)
    assert b.shoot(10)[3] == first[3]
    b.camera.scene = ArrayScene(grey(96, 96, 2))
    assert b.shoot(10)[3] == hashlib.sha256(packed(grey(96, 96, 2))).digest()
    assert b.camera.captures == 3


def test_manual_exposure_and_gain_scale_and_clip(bench):
    picture = np.tile(np.arange(96, dtype=np.uint8) * 2, (96, 1))
    b = bench(ArrayScene(picture))
    for lines, gain in ((250, 16), (500, 16), (1000, 16), (500, 48)):
        b.run(f"c.set_exposure({lines})")
        b.run(f"c.set_gain({gain})")
        y = np.frombuffer(b.memory(10, 3), np.uint8)[0::2].reshape(96, 96)
        factor = lines * gain / (500 * 16)
        assert np.array_equal(y, np.clip(np.rint(picture * factor), 0, 255))
    b.run("c.set_exposure(0)")
    b.run("c.set_gain(0)")
    assert b.shoot(10)[3] == hashlib.sha256(packed(picture)).digest()


def test_automatic_exposure_follows_the_light_within_its_limits(bench):
    picture = grey(96, 96) // 2
    scene = ArrayScene(picture)
    b = bench(scene)
    for light in (0.1, 1.0, 8.0):
        scene.brightness = light
        y = np.frombuffer(b.memory(10, 3), np.uint8)[0::2].reshape(96, 96)
        assert np.array_equal(y, picture)
    scene.brightness = 1e-5  # beyond the longest exposure and the highest gain
    y = np.frombuffer(b.memory(10, 3), np.uint8)[0::2]
    assert y.mean() < picture.mean() / 2


def test_levels_and_effects_reach_the_picture(bench):
    picture = grey(96, 96)
    b = bench(ArrayScene(picture))
    b.run("c.set(0x22, 3)")  # brightness level 2
    y = np.frombuffer(b.memory(10, 3), np.uint8)[0::2].reshape(96, 96)
    assert np.array_equal(y, np.clip(picture.astype(int) + 32, 0, 255))
    b.run("c.set(0x22, 0)")
    b.run("c.set(0x27, 5)")
    y = np.frombuffer(b.memory(10, 3), np.uint8)[0::2].reshape(96, 96)
    assert np.array_equal(y, 255 - picture)


ERRORS = [  # fault, value, CameraError.code
    ("dead", True, 1),
    ("wrong_id", 0x55, 2),
    ("busy", True, 3),
    ("never_ready", True, 4),
    ("length", 0, 5),
    ("length", 0xFFFFFF, 5),
    ("length", 12345, 5),
]


@pytest.mark.parametrize(("fault", "value", "code"), ERRORS)
def test_faults_are_declared_errors_and_pass_when_cleared(bench, fault, value, code):
    b = bench(ArrayScene(grey(96, 96)))
    b.camera.inject(fault, value)
    got = b.shoot(10)
    assert got[:2] == ("error", code)
    b.camera.clear()
    assert b.shoot(10)[3] == hashlib.sha256(packed(grey(96, 96))).digest()


def test_no_camera_at_all(make_board, firmware_package):
    board = make_board(firmware_package, devices=[SpiBus(0, {})])
    board.exec(SETUP)
    assert ast.literal_eval(board.exec("shoot(10)").strip())[:2] == ("error", 1)
    bare = make_board(firmware_package)  # MISO reads zeros
    bare.exec(SETUP)
    assert ast.literal_eval(bare.exec("shoot(10)").strip())[:2] == ("error", 1)


def test_unknown_sizes_and_formats_are_refused(bench):
    b = bench(ArrayScene(grey(96, 96)))
    assert b.shoot(0)[:2] == ("error", 6)
    assert b.shoot(99)[:2] == ("error", 6)
    assert b.shoot(10, 7)[:2] == ("error", 6)


def test_brown_out_between_pictures_costs_nothing_but_time(bench):
    b = bench(ArrayScene(grey(96, 96)))
    first = b.shoot(10)
    b.camera.inject("brown_out")
    again = b.shoot(10)
    if again[0] == "error":  # the format was lost, so the length did not fit
        again = b.shoot(10)
    assert again == first


def test_corrupted_memory_hits_the_fraction_asked_for(bench):
    b = bench(ArrayScene(grey(96, 96)))
    b.camera.inject("corrupted_fifo", 0.01)
    got = np.frombuffer(b.memory(10, 3), np.uint8)
    wrong = np.count_nonzero(got != np.frombuffer(packed(grey(96, 96)), np.uint8))
    assert 0.005 < wrong / got.size < 0.016


def test_burst_reads_run_at_the_full_speed_of_the_bus(bench):
    b = bench(ArrayScene(grey(320, 240)))
    out = b.board.exec(
        "import time\nasyncio.run(c.capture(1, 3)); big = bytearray(9600)\nt = time.ticks_us()\n"
        "while c.available(): c.read_into(big)\nprint(time.ticks_diff(time.ticks_us(), t))"
    )
    bits = 320 * 240 * 2 * 8
    assert bits / 8e6 <= int(out) * 1e-6 <= 1.06 * bits / 7.8e6  # 125 MHz / 16 is the clock nearest to 8 MHz


def test_pattern_camera_makes_the_documented_pattern(make_board, firmware_package):
    board = make_board(firmware_package)
    out = board.exec(
        "import sys, asyncio; sys.path.insert(0, '/a')\nfrom rover.camera.pattern import PatternCamera\n"
        "c = PatternCamera(); asyncio.run(c.capture((100, 60), 3)); b = bytearray(777); d = b''\n"
        "while c.available():\n n = c.read_into(b); d += b[:n]\nprint(d)"
    )
    data = np.frombuffer(ast.literal_eval(out.strip()), np.uint8)
    assert data.size == 100 * 60 * 2
    y = data[0::2].reshape(60, 100)
    scale = 65536 * 255 // 99
    for row in (33, 40, 59):
        for x in (0, 40, 99):
            assert y[row, x] == ((x * scale >> 16) + 8 * (row // 8 % 32)) % 256
    assert (y[30] == 255).all()
    assert (y[:, 50] == 255).all()
    assert set(np.unique(y[:30, :32])) == {16, 235}


def test_trace_of_the_bus_is_readable_as_spi(make_board, firmware_package, tmp_path):
    trace = Trace()
    camera = ArducamMega(ArrayScene(grey(96, 96)))
    board = make_board(firmware_package, devices=[SpiBus(0, {17: camera}, trace)])
    board.exec(SETUP)
    board.exec("print(c._read(0x40))")
    trace.write(tmp_path / "bus.vcd")
    text = (tmp_path / "bus.vcd").read_text()
    names = {line.split()[4]: line.split()[3] for line in text.splitlines() if line.startswith("$var")}
    assert set(names) == {"spi0_cs17", "spi0_mosi", "spi0_miso", "spi0_sck"}
    # Decode it again: sample on the rising clock while selected.
    code = {v: k for k, v in names.items()}
    level, mosi, miso = dict.fromkeys(names, 0), [], []
    for line in text.split("$end\n")[-1].splitlines():
        if line and line[0] in "01":
            name = code[line[1:]]
            if name == "spi0_sck" and line[0] == "1" and level["spi0_sck"] == 0 and level["spi0_cs17"] == 0:
                mosi.append(level["spi0_mosi"])
                miso.append(level["spi0_miso"])
            level[name] = int(line[0])
    sent = [int("".join(map(str, mosi[k : k + 8])), 2) for k in range(0, len(mosi), 8)]
    got = [int("".join(map(str, miso[k : k + 8])), 2) for k in range(0, len(miso), 8)]
    assert sent[-3:] == [0x40, 0, 0]
    assert got[-1] == 0x81


def test_scenes(tmp_path):
    picture = grey(640, 480)
    Image.fromarray(picture).save(tmp_path / "grey.png")
    scene = open_scene(str(tmp_path / "grey.png"))
    assert np.array_equal(fit(scene.picture(0, 640, 480), 640, 480), picture)
    assert fit(scene.picture(0, 96, 96), 96, 96).shape == (96, 96)
    deep = picture.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.array_equal(FileScene(tmp_path / "deep.png").picture(0, 640, 480), picture)
    for width, height in ((320, 240), (1280, 720)):
        assert PatternScene().picture(1.0, width, height).shape == (height, width, 3)
        assert MarsScene(1).picture(1.0, width, height).shape == (height, width, 3)
    assert np.array_equal(MarsScene(5).picture(0, 64, 48), MarsScene(5).picture(9, 64, 48))
    assert not np.array_equal(MarsScene(5).picture(0, 64, 48), MarsScene(6).picture(0, 64, 48))
    (tmp_path / "not.png").write_text("no picture")
    for wrong in ("venus", str(tmp_path / "none.png"), str(tmp_path / "not.png")):
        with pytest.raises(SceneError):
            open_scene(wrong)


def test_colour_arithmetic_is_bt601():
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    planes = sensor.to_yuv(picture, sensor.Settings())
    pillow = np.asarray(Image.fromarray(picture).convert("YCbCr")).astype(int)
    for k in range(3):
        assert np.abs(planes[k].astype(int) - pillow[..., k]).max() <= 1
    assert np.abs(sensor.to_rgb(planes).astype(int) - picture).max() <= 2
