"""Sleeping through a DMA wait must not change what the firmware sees: data, times, and interrupts served meanwhile."""

import ast

from rovercam_hil.boards import dmawait
from rovercam_hil.devices.arducam_mega import ArducamMega
from rovercam_hil.devices.scene import PatternScene
from rovercam_hil.devices.spi import SpiBus

PROGRAM = """
import sys, asyncio, time, hashlib; sys.path.insert(0, '/a')
from machine import SPI, Pin, Timer
from rover.camera.arducam_mega import ArducamMega
spi = SPI(0, baudrate=8_000_000, sck=Pin(18), mosi=Pin(19), miso=Pin(16))
c = ArducamMega(spi, Pin(17, Pin.OUT, value=1))
asyncio.run(c.capture(11, 3))
buf = bytearray(c.length)
ticks = []
pin = Pin(22, Pin.IN, Pin.PULL_UP)
pin.irq(lambda p: ticks.append(time.ticks_us() - t), Pin.IRQ_FALLING, hard=False)
t = time.ticks_us()
n = c.read_into(buf)
print((n, time.ticks_diff(time.ticks_us(), t), hashlib.sha256(buf).digest(), len(ticks)))
"""


def once(make_board, firmware_package):
    board = make_board(firmware_package, devices=[SpiBus(0, {17: ArducamMega(PatternScene())})])
    return ast.literal_eval(board.exec(PROGRAM).strip())


def test_reading_takes_the_same_board_time_with_and_without(make_board, firmware_package, monkeypatch):
    slept = []
    real = dmawait.DmaWait._sleep
    monkeypatch.setattr(dmawait.DmaWait, "_sleep", lambda self: (slept.append(1), real(self)))
    quick = once(make_board, firmware_package)
    assert slept
    monkeypatch.setattr(dmawait.DmaWait, "watch", lambda self: None)
    full = once(make_board, firmware_package)
    assert quick[0] == full[0] == 128 * 128 * 2
    assert quick[2] == full[2]
    assert abs(quick[1] - full[1]) <= 5
