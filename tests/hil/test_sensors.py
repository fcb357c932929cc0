"""Sensor models and our drivers, each against an independent public driver run unmodified in MicroPython."""

import ast

import pytest
from rovercam_hil.devices.faults import UnknownFault
from rovercam_hil.devices.i2c import I2cBus
from rovercam_hil.devices.sensors import BME280, INA219, MPU6050

OURS = """
import sys; sys.path.insert(0, '/a')
from machine import I2C, Pin
from rover.sensors.bme280 import BME280
from rover.sensors.ina219 import INA219
from rover.sensors.mpu6050 import MPU6050
i2c = I2C(0, sda=Pin(4), scl=Pin(5), freq=400000, timeout=5000)
b, n, m = BME280(i2c), INA219(i2c), MPU6050(i2c)
def read():
    for s in (b, n, m): s.read()
    return b.temperature, b.pressure, b.humidity, n.voltage, n.current, m.acceleration, m.rotation, m.temperature
"""


class Bench:
    def __init__(self, make_board, files):
        self.bme, self.ina, self.mpu = BME280(), INA219(), MPU6050()
        self.bus = I2cBus(0, 4, 5, [self.bme, self.ina, self.mpu])
        self.board = make_board(files, devices=[self.bus])

    def value(self, expression):
        return ast.literal_eval(self.board.exec(f"print({expression})").strip())


@pytest.fixture
def bench(make_board, firmware_package):
    bench = Bench(make_board, firmware_package)
    bench.board.exec(OURS)
    return bench


@pytest.fixture
def public(make_board, public_drivers):
    return Bench(make_board, public_drivers)


CLIMATES = [
    (-60.0, 700.0, 0.5),
    (-12.5, 730.0, 2.0),
    (20.0, 101325.0, 40.0),
    (60.0, 30000.0, 95.0),
    (84.0, 110000.0, 10.0),
]


def test_our_drivers_read_what_the_models_were_set_to(bench):
    for celsius, pascal, percent in CLIMATES:
        bench.bme.temperature, bench.bme.pressure, bench.bme.humidity = celsius, pascal, percent
        bench.ina.voltage, bench.ina.current = 5.0 + celsius / 100, celsius / 50
        bench.mpu.acceleration = (1.0, -2.0, 3.71)
        bench.mpu.rotation = (10.0, -200.0, 0.5)
        bench.board.exec("read()")
        bench.board.run(1.1)
        got = bench.value("read()")
        assert got[0] == pytest.approx(celsius * 100, abs=1)
        assert got[1] / 256 == pytest.approx(pascal, abs=4)
        assert got[2] == pytest.approx(percent * 100, abs=5)
        assert got[3] == pytest.approx(bench.ina.voltage * 1000, abs=4)
        assert got[4] == pytest.approx(bench.ina.current * 1000, abs=1)
        assert got[5] == pytest.approx([1000, -2000, 3710], abs=1)
        assert got[6] == pytest.approx([1000, -20000, 50], abs=1)
        assert got[7] == pytest.approx(2000, abs=1)


def test_public_driver_of_the_bme280_agrees_with_the_model(public):
    public.board.exec(
        "from bus import bus\nfrom adafruit_bme280 import basic\ns = basic.Adafruit_BME280_I2C(bus, 0x76)"
    )
    for celsius, pascal, percent in CLIMATES:
        public.bme.temperature, public.bme.pressure, public.bme.humidity = celsius, pascal, percent
        t, p, h = public.value("(s.temperature, s.pressure, s.relative_humidity)")
        # Single-precision floats on the board.
        assert t == pytest.approx(celsius, abs=0.02)
        assert p * 100 == pytest.approx(pascal, abs=30)
        assert h == pytest.approx(percent, abs=0.1)


@pytest.mark.parametrize("oversampling", [1, 3, 5])
def test_public_driver_waits_for_the_models_measuring_time(public, oversampling):
    public.board.exec(
        "from bus import bus\nfrom adafruit_bme280 import advanced as a\n"
        f"s = a.Adafruit_BME280_I2C(bus, 0x76)\ns.overscan_temperature = s.overscan_pressure = {oversampling}\n"
        "s.mode = a.MODE_FORCE"
    )
    public.bme.temperature = 33.0
    factor = 1 << (oversampling - 1)
    assert public.value("s.temperature") == pytest.approx(33.0, abs=0.02)
    # 9.1: 1 + 2·T + 2·P + 0.5 ms, and humidity ×1
    assert public.bme.measuring_time() == pytest.approx((1 + 2 * factor + 2 * factor + 0.5 + 2.5) * 1e-3)


def test_public_driver_of_the_ina219_agrees_with_the_model(public):
    public.board.exec("from bus import bus\nfrom adafruit_ina219 import INA219\ns = INA219(bus)")
    for volts, amperes in ((3.3, 0.0), (5.02, 0.21), (12.0, 1.5), (7.4, -0.8)):
        public.ina.voltage, public.ina.current = volts, amperes
        public.board.run(0.01)
        v, shunt, i, power = public.value("(s.bus_voltage, s.shunt_voltage, s.current, s.power)")
        assert v == pytest.approx(volts, abs=0.004)
        assert shunt == pytest.approx(amperes * 0.1, abs=1e-5)
        assert i == pytest.approx(amperes * 1000, abs=0.2)
        assert power == pytest.approx(abs(volts * amperes), abs=0.01)


def test_public_driver_of_the_mpu6050_agrees_with_the_model(public):
    public.board.exec("from bus import bus\nimport adafruit_mpu6050 as a\ns = a.MPU6050(bus)")
    public.mpu.acceleration, public.mpu.rotation, public.mpu.temperature = (1.5, -2.5, 9.0), (10.0, -45.0, 0.0), -5.0
    for accel_range in range(4):
        public.board.exec(f"s.accelerometer_range = {accel_range}; s.gyro_range = {accel_range}")
        public.board.run(0.01)
        accel, gyro, celsius = public.value("(s.acceleration, s.gyro, s.temperature)")
        step = 9.81 / (16384 >> accel_range)
        assert accel == pytest.approx((1.5, -2.5, 9.0), abs=step)
        assert gyro == pytest.approx([r * 0.0174533 for r in public.mpu.rotation], abs=0.003)
        assert celsius == pytest.approx(-5.0, abs=0.01)


@pytest.mark.parametrize("fault", ["dead", "nack_data", "wrong_id", "stuck"])
@pytest.mark.parametrize("name", ["bme", "ina", "mpu"])
def test_faults_are_errors_and_pass_when_cleared(bench, name, fault):
    driver = {"bme": "b", "ina": "n", "mpu": "m"}[name]
    bench.board.exec("read()")
    model = getattr(bench, name)
    model.inject(fault, 0x12 if fault == "wrong_id" else True)
    # A new driver object each time, so that it begins by looking who is there.
    attempt = f"try:\n {driver} = type({driver})(i2c); {driver}.read(); print(0)\nexcept OSError as e: print(e.errno)"
    assert int(bench.board.exec(attempt)) in (5, 110)
    model.clear()
    bench.board.run(0.005)
    if fault == "stuck":
        bench.board.exec(attempt)  # may meet the rest of the transfer that was held
    assert bench.board.exec(attempt) == "0\n"


@pytest.mark.parametrize("name", ["bme", "mpu"])
def test_brown_out_is_noticed_and_the_next_reading_is_right(bench, name):
    bench.board.exec("read()")
    getattr(bench, name).inject("brown_out")
    driver = {"bme": "b", "mpu": "m"}[name]
    assert bench.board.exec(f"try:\n {driver}.read(); print(0)\nexcept OSError: print(1)") == "1\n"
    assert bench.board.exec(f"{driver}.read(); print(2)") == "2\n"


def test_clock_stretching_makes_reads_slower_and_right(bench):
    bench.board.exec("import time; read()")
    timed = "t = time.ticks_us(); n.read(); print(time.ticks_diff(time.ticks_us(), t), n.voltage)"
    quick = int(bench.board.exec(timed).split()[0])
    bench.ina.inject("stretch", 200)
    slow, voltage = map(int, bench.board.exec(timed).split())
    assert slow > quick + 8 * 200
    assert voltage == 5000


def test_hardware_scan_and_bit_banged_reads_meet_the_same_devices(bench):
    assert bench.value("i2c.scan()") == [0x40, 0x68, 0x76]
    soft = "__import__('machine').SoftI2C(sda=Pin(4), scl=Pin(5), freq=50000).readfrom_mem(0x76, 0xD0, 1)[0]"
    assert bench.value(soft) == 0x60


def test_a_measurement_in_progress_shows_and_skipped_channels_read_as_the_data_sheet_says(bench):
    assert bench.value("bytes(i2c.readfrom_mem(0x76, 0xF7, 8))") == b"\x80\x00\x00\x80\x00\x00\x80\x00"
    bench.board.exec("i2c.writeto_mem(0x76, 0xF4, bytes([5 << 5 | 5 << 2 | 1]))")
    assert bench.value("i2c.readfrom_mem(0x76, 0xF3, 1)[0]") & 8
    bench.board.run(0.1)
    assert bench.value("i2c.readfrom_mem(0x76, 0xF3, 1)[0]") & 8 == 0
    assert bench.value("i2c.readfrom_mem(0x76, 0xF4, 1)[0]") & 3 == 0  # forced mode fell back to sleep
    raw = bench.value("bytes(i2c.readfrom_mem(0x76, 0xF7, 8))")
    assert raw[6:] == b"\x80\x00"  # humidity was never switched on
    assert raw[:3] != b"\x80\x00\x00"


def test_unknown_faults_are_refused():
    with pytest.raises(UnknownFault, match="dead"):
        BME280().inject("hungry")
