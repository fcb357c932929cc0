"""Bosch BME280: pressure, temperature, humidity over I2C (data sheet BST-BME280-DS001, revision 1.23).

Runs in normal mode, one measurement a second; read() takes the latest. The formulas are those of 4.2.3 and 8.1, with
64-bit pressure.
"""

import struct
import time

from micropython import const

_CALIB_TP = const(0x88)
_CALIB_H1 = const(0xA1)
_ID = const(0xD0)
_RESET = const(0xE0)
_CALIB_H2 = const(0xE1)
_CTRL_HUM = const(0xF2)
_STATUS = const(0xF3)
_CTRL_MEAS = const(0xF4)
_CONFIG = const(0xF5)
_DATA = const(0xF7)

_CHIP = const(0x60)
_SKIPPED = const(0x80000)  # what the data registers hold when nothing has been measured
_EIO = const(5)


class BME280:
    """temperature: °C × 100; pressure: Pa × 256; humidity: % × 100, after read()."""

    def __init__(self, i2c, address=0x76):
        self._i2c = i2c
        self._address = address
        self._data = bytearray(8)
        self._calibration = None
        self.temperature = 0
        self.pressure = 0
        self.humidity = 0

    def probe(self):
        """Whether a BME280 answers."""
        try:
            return self._i2c.readfrom_mem(self._address, _ID, 1)[0] == _CHIP
        except OSError:
            return False

    def _write(self, register, value):
        self._i2c.writeto_mem(self._address, register, bytes((value,)))

    def _status(self):
        return self._i2c.readfrom_mem(self._address, _STATUS, 1)[0]

    def _begin(self):
        if not self.probe():
            raise OSError(_EIO)
        self._write(_RESET, 0xB6)
        time.sleep_ms(3)  # start-up time 2 ms, then the calibration is copied (im_update)
        self._wait(1, 20)
        tp = self._i2c.readfrom_mem(self._address, _CALIB_TP, 24)
        h1 = self._i2c.readfrom_mem(self._address, _CALIB_H1, 1)[0]
        h = self._i2c.readfrom_mem(self._address, _CALIB_H2, 7)
        h2, h3 = struct.unpack("<hB", h)
        # H4 and H5 share a byte: 12 bits each, signed by the high byte (4.2.2, table 16)
        h4 = (h[3] - 256 if h[3] > 127 else h[3]) << 4 | h[4] & 15
        h5 = (h[5] - 256 if h[5] > 127 else h[5]) << 4 | h[4] >> 4
        h6 = h[6] - 256 if h[6] > 127 else h[6]
        t = struct.unpack("<HhhHhhhhhhhh", tp)
        if t[0] in (0, 0xFFFF) or t[3] in (0, 0xFFFF):
            raise OSError(_EIO)
        self._write(_CTRL_HUM, 1)  # ×1; takes effect with the next write of ctrl_meas
        self._write(_CONFIG, 5 << 5)  # standby 1000 ms, no filter
        self._write(_CTRL_MEAS, 1 << 5 | 1 << 2 | 3)  # ×1, ×1, normal mode
        time.sleep_ms(10)  # the first measurement: 9.3 ms at most (9.1)
        self._calibration = t + (h1, h2, h3, h4, h5, h6)

    def _wait(self, mask, limit_ms):
        for _ in range(limit_ms):
            if not self._status() & mask:
                return
            time.sleep_ms(1)
        raise OSError(_EIO)

    def read(self):
        """Take the latest measurement. Raises OSError when the chip is silent, another one, or has lost its setting."""
        try:
            if self._calibration is None:
                self._begin()
            self._i2c.readfrom_mem_into(self._address, _DATA, self._data)
            d = self._data
            adc_p = d[0] << 12 | d[1] << 4 | d[2] >> 4
            adc_t = d[3] << 12 | d[4] << 4 | d[5] >> 4
            adc_h = d[6] << 8 | d[7]
            if adc_t in (_SKIPPED, 0xFFFFF):
                raise OSError(_EIO)
            self._compensate(adc_t, adc_p, adc_h)
        except OSError:
            self._calibration = None
            raise

    def _compensate(self, adc_t, adc_p, adc_h):
        t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9, h1, h2, h3, h4, h5, h6 = self._calibration
        a = (adc_t >> 3) - (t1 << 1)
        b = (adc_t >> 4) - t1
        fine = (a * t2 >> 11) + ((b * b >> 12) * t3 >> 14)
        self.temperature = fine * 5 + 128 >> 8

        v1 = fine - 128000
        v2 = v1 * v1 * p6 + (v1 * p5 << 17) + (p4 << 35)
        v1 = (v1 * v1 * p3 >> 8) + (v1 * p2 << 12)
        v1 = ((1 << 47) + v1) * p1 >> 33
        if v1 == 0:
            self.pressure = 0
        else:
            p = ((1048576 - adc_p << 31) - v2) * 3125 // v1
            v1 = p9 * (p >> 13) * (p >> 13) >> 25
            v2 = p8 * p >> 19
            self.pressure = max(0, (p + v1 + v2 >> 8) + (p7 << 4))

        v = fine - 76800
        scale = (((v * h6 >> 10) * ((v * h3 >> 11) + 32768) >> 10) + 2097152) * h2 + 8192 >> 14
        v = ((adc_h << 14) - (h4 << 20) - h5 * v + 16384 >> 15) * scale
        v -= ((v >> 15) * (v >> 15) >> 7) * h1 >> 4
        # Q22.10 percent, limited to 0…100
        self.humidity = min(max(v, 0), 419430400) * 100 >> 22
