"""Raspberry Pi Pico, Pico W (RP2040) and Pico 2 (RP2350): pins as in /pins.json, else the default map below."""

import asyncio
import sys

import machine
from machine import ADC, I2C, PWM, SPI, UART, Pin

from rover.board.base import Board, Line

# Default wiring; /pins.json replaces single entries.
PINS = {
    "line_tx": 0, "line_rx": 1,
    "spi_sck": 18, "spi_mosi": 19, "spi_miso": 16,
    "camera_mast": 17, "camera_mast_right": 20, "camera_hazard": 21,
    "i2c_sda": 4, "i2c_scl": 5,
    "pan": 14, "tilt": 15, "release": 13,
}  # fmt: skip
_TX_BUFFER = 2304  # one long frame and a bit: keeps the line busy while the next frame is made
_RX_BUFFER = 1024


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


class UsbLine(Line):
    """The Pico's own USB port. Control-C must not stop the application: 0x03 is a byte like any other here."""

    bulk_baud = 0

    def __init__(self):
        import select

        import micropython

        micropython.kbd_intr(-1)
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._poll_in = select.poll()
        self._poll_in.register(sys.stdin, select.POLLIN)
        self._poll_out = select.poll()
        self._poll_out.register(sys.stdout, select.POLLOUT)

    def write(self, buf):
        if not self._poll_out.poll(0):
            return 0
        n = min(len(buf), 64)
        self._out.write(buf[:n])
        return n

    async def wait_input(self):
        while not self._poll_in.poll(0):
            await asyncio.sleep_ms(2)

    def readinto(self, buf):
        n = 0
        while n < len(buf) and self._poll_in.poll(0):
            buf[n] = self._in.read(1)[0]
            n += 1
        return n


class PicoBoard(Board):
    name = "pico"

    def __init__(self, config):
        pins = PINS.copy()
        pins.update(config.get("pins", {}))
        if config.get("line") == "usb":
            self.line = UsbLine()
        else:
            self.line = UartLine(config.get("baud", 115200), pins["line_tx"], pins["line_rx"])
        self._pins = pins
        self._adc = ADC(4)
        self._watchdog = None
        self._cause = machine.reset_cause()
        self._sensors()
        self._cameras()
        self._servos = {}

    def _sensors(self):
        pins = self._pins
        i2c = I2C(0, sda=Pin(pins["i2c_sda"]), scl=Pin(pins["i2c_scl"]), freq=400000, timeout=5000)
        self.i2c = i2c
        from rover.sensors.bme280 import BME280
        from rover.sensors.ina219 import INA219
        from rover.sensors.mpu6050 import MPU6050

        self.weather = BME280(i2c)
        self.power = INA219(i2c)
        self.attitude = MPU6050(i2c)

    def _cameras(self):
        pins = self._pins
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

    def chip_temperature(self):
        # RP2040 data sheet 4.9.5: T = 27 - (V - 0.706) / 0.001721
        return int((27 - (self._adc.read_u16() * 3.3 / 65535 - 0.706) / 0.001721) * 100)

    def reset_cause(self):
        return self._cause

    def restart(self):
        machine.reset()
