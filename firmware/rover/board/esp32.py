"""ESP32-S3 (DevKitC-1): what differs from the Pico. Unproven on hardware until someone reports a run.

UART 0 is the board's prompt, so the line is UART 1. The watchdog cannot be stopped on this chip: at the prompt, connect
the strap and reset.
"""

import struct

import esp32
import machine
from machine import UART, Pin

from rover.board import pico

# Default wiring (docs/boards/esp32s3.md); none of these pins is a strapping pin, flash, PSRAM or USB.
PINS = {
    "line_tx": 17, "line_rx": 18,
    "spi_sck": 12, "spi_mosi": 11, "spi_miso": 13,
    "camera_mast": 10, "camera_mast_right": 9, "camera_hazard": 14,
    "i2c_sda": 8, "i2c_scl": 16,
    "pan": 4, "tilt": 5, "release": 6, "steering": 7,
    "radio": 21,
    "motor_left_front": 1, "motor_left_middle": 2, "motor_left_rear": 42,
    "motor_right_front": 41, "motor_right_middle": 40, "motor_right_rear": 39,
    "direction_left": 38, "direction_right": 47,
    "encoder_left": 48, "encoder_right": 15,
}  # fmt: skip


class Esp32Board(pico.PicoBoard):
    name = "esp32s3"

    def __init__(self, config):
        pins = PINS  # no copy: there is one board
        pins.update(config.get("pins", {}))
        if config.get("line") == "usb":
            from rover.board.usb import UsbLine

            self.line = UsbLine()
        else:
            self.line = Uart1Line(config.get("baud", 115200), pins["line_tx"], pins["line_rx"])
        self._start(pins)

    def chip_temperature(self):
        return int(esp32.mcu_temperature() * 100)

    def stop_watchdog(self):
        self._watchdog = None  # once started it runs on: a reset with the strap connected leads to the prompt

    def keep_time(self, seconds):
        machine.RTC().memory(struct.pack("<I", seconds))  # kept over every reset but a loss of power

    def kept_time(self):
        kept = machine.RTC().memory()
        return struct.unpack("<I", kept)[0] if len(kept) == 4 else 0


class Uart1Line(pico.UartLine):
    def __init__(self, baud, tx, rx):
        self.bulk_baud = baud
        self._uart = UART(1, baud, tx=Pin(tx), rx=Pin(rx), txbuf=2304, rxbuf=1024, timeout=0)
