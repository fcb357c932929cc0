"""Raspberry Pi Pico, Pico W (RP2040) and Pico 2 (RP2350): pins as in /pins.json, else the default map below."""

import asyncio
import sys

import machine
from machine import ADC, I2C, PWM, SPI, UART, Pin
from micropython import const

from rover.board.base import Board, Line

# Default wiring; /pins.json replaces single entries.
PINS = {
    "line_tx": 0, "line_rx": 1,
    "spi_sck": 18, "spi_mosi": 19, "spi_miso": 16,
    "camera_mast": 17, "camera_mast_right": 20, "camera_hazard": 21,
    "i2c_sda": 4, "i2c_scl": 5,
    "pan": 14, "tilt": 15, "release": 13,
    "radio": 28,
}  # fmt: skip
_WATCHDOG = (
    0x400D8000 if "RP2350" in sys.implementation._machine else 0x40058000
)  # registers, data sheets 4.7.6, 12.9.7
_SCRATCH = const(0x0C)
_CLEAR = const(0x3000)  # alias that clears the bits written
_WATCHDOG_MS = const(8300)  # the RP2040 cannot wait longer than 8388
_TX_BUFFER = const(2304)  # one long frame and a bit: keeps the line busy while the next frame is made
_RX_BUFFER = const(1024)


class UartLine(Line):
    def __init__(self, baud, tx, rx):
        self.bulk_baud = baud
        self._uart = UART(0, baud, tx=Pin(tx), rx=Pin(rx), txbuf=_TX_BUFFER, rxbuf=_RX_BUFFER, timeout=0)

    def write(self, buf):
        return self._uart.write(buf) or 0

    async def wait_input(self):
        if not self._uart.any():
            yield asyncio.core._io_queue.queue_read(self._uart)  # as asyncio's own streams wait

    def readinto(self, buf):
        n = self._uart.any()
        if not n:
            return 0
        return self._uart.readinto(buf, min(n, len(buf))) or 0


class PicoBoard(Board):
    name = "pico"

    def __init__(self, config):
        pins = PINS  # no copy: there is one board
        pins.update(config.get("pins", {}))
        if config.get("line") == "usb":
            from rover.board.usb import UsbLine

            self.line = UsbLine()
        else:
            self.line = UartLine(config.get("baud", 115200), pins["line_tx"], pins["line_rx"])
        self._adc = ADC(4)
        self._start(pins)

    def _start(self, pins):
        self._pins = pins
        self._watchdog = None
        self._cause = machine.reset_cause()
        self._servos = {}
        i2c = I2C(0, sda=Pin(pins["i2c_sda"]), scl=Pin(pins["i2c_scl"]), freq=400000, timeout=5000)
        self.i2c = i2c
        from rover.sensors.bme280 import BME280
        from rover.sensors.ina219 import INA219
        from rover.sensors.mpu6050 import MPU6050

        self.weather = BME280(i2c)
        self.power = INA219(i2c)
        self.attitude = MPU6050(i2c)
        self.spi = SPI(
            0, baudrate=8000000, sck=Pin(pins["spi_sck"]), mosi=Pin(pins["spi_mosi"]), miso=Pin(pins["spi_miso"])
        )
        # The drivers are large and needed only while a picture is taken: services.capture asks for them by name.
        self.cameras = {0: pins["camera_mast"], 1: pins["camera_mast_right"], 2: pins["camera_hazard"]}

    def camera(self, number):
        """The camera of this id (a driver object), or None when the board has no such camera."""
        if number not in self.cameras:
            return None
        from rover.camera.arducam_mega import ArducamMega

        return ArducamMega(self.spi, Pin(self.cameras[number], Pin.OUT, value=1))

    def servo(self, name):
        if name not in self._servos:
            from rover.servo import Servo

            limit = 1800 if name == "pan" else 900
            self._servos[name] = Servo(PWM(Pin(self._pins[name])), -limit, limit)
        return self._servos[name]

    def wheels(self):
        from rover.board.wheels import make

        return make(self._pins)

    def radio(self):
        from rover.board.bridge import Bridge

        return Bridge(self.spi, Pin(self._pins["radio"], Pin.OUT, value=1))

    def chip_temperature(self):
        # RP2040 data sheet 4.9.5: T = 27 - (V - 0.706) / 0.001721
        return int((27 - (self._adc.read_u16() * 3.3 / 65535 - 0.706) / 0.001721) * 100)

    def reset_cause(self):
        return self._cause

    def start_watchdog(self):
        self._watchdog = machine.WDT(timeout=_WATCHDOG_MS)

    def feed_watchdog(self):
        if self._watchdog:
            self._watchdog.feed()

    def stop_watchdog(self):
        # machine.WDT cannot be stopped, the chip's can: else nobody could work at the prompt.
        machine.mem32[_WATCHDOG + _CLEAR] = 1 << 30
        self._watchdog = None

    def keep_time(self, seconds):
        machine.mem32[_WATCHDOG + _SCRATCH] = seconds
        machine.mem32[_WATCHDOG + _SCRATCH + 4] = ~seconds & 0xFFFFFFFF

    def kept_time(self):
        seconds = machine.mem32[_WATCHDOG + _SCRATCH]  # signed
        return seconds & 0xFFFFFFFF if machine.mem32[_WATCHDOG + _SCRATCH + 4] == ~seconds else 0

    def restart(self):
        machine.reset()
