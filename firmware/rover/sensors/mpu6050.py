"""InvenSense MPU-6050: acceleration and angular rate over I2C (register map RM-MPU-6000A-00, revision 4.2).

Ranges ±2 g and ±250 °/s, 44 Hz filter. The chip sleeps at power-on.
"""

import struct
import time

from micropython import const

_CONFIG = const(0x1A)
_GYRO_CONFIG = const(0x1B)
_ACCEL_CONFIG = const(0x1C)
_DATA = const(0x3B)
_POWER = const(0x6B)
_WHO_AM_I = const(0x75)
_CHIP = const(0x68)
_EIO = const(5)


class MPU6050:
    """acceleration: [x, y, z] in mm/s²; rotation: [x, y, z] in 0.01 °/s; temperature: °C × 100, after read()."""

    def __init__(self, i2c, address=0x68):
        self._i2c = i2c
        self._address = address
        self._data = bytearray(14)
        self._byte = bytearray(1)
        self._ready = False
        self.acceleration = [0, 0, 0]
        self.rotation = [0, 0, 0]
        self.temperature = 0

    def _read(self, register):
        self._i2c.readfrom_mem_into(self._address, register, self._byte)
        return self._byte[0]

    def _write(self, register, value):
        self._byte[0] = value
        self._i2c.writeto_mem(self._address, register, self._byte)

    def probe(self):
        """Whether an MPU-6050 answers."""
        try:
            return self._read(_WHO_AM_I) == _CHIP
        except OSError:
            return False

    def _begin(self):
        if not self.probe():
            raise OSError(_EIO)
        self._write(_POWER, 1)  # awake, clock from the X gyroscope
        self._write(_CONFIG, 3)
        self._write(_GYRO_CONFIG, 0)
        self._write(_ACCEL_CONFIG, 0)
        time.sleep_ms(35)  # gyroscope start-up, 30 ms typical
        self._ready = True

    def read(self):
        """Take the latest sample. Raises OSError when the chip is silent, another one, or has fallen asleep."""
        try:
            if not self._ready:
                self._begin()
            if self._read(_POWER) & 0x40:
                raise OSError(_EIO)
            self._i2c.readfrom_mem_into(self._address, _DATA, self._data)
        except OSError:
            self._ready = False
            raise
        v = struct.unpack(">7h", self._data)
        for i in range(3):
            self.acceleration[i] = v[i] * 14039 // 23455  # 9806.65 / 16384; the products stay small integers
            self.rotation[i] = v[4 + i] * 100 // 131
        self.temperature = v[3] * 100 // 340 + 3653
