"""Texas Instruments INA219: bus voltage and current over I2C (data sheet SBOS448G).

Power-on settings serve: 32 V range, ±320 mV shunt range, 12 bits, continuous. The current is taken from the shunt
voltage (10 µV per bit) and the shunt's resistance, so that the calibration register is not needed.
"""

from micropython import const

_CONFIG = const(0)
_SHUNT = const(1)
_BUS = const(2)
_CONFIG_DEFAULT = const(0x399F)
_EIO = const(5)


class INA219:
    """voltage: mV; current: mA, after read(). shunt: milliohms."""

    def __init__(self, i2c, address=0x40, shunt=100):
        self._i2c = i2c
        self._address = address
        self._shunt = shunt
        self._word = bytearray(2)
        self._ready = False
        self.voltage = 0
        self.current = 0

    def _read(self, register):
        self._i2c.readfrom_mem_into(self._address, register, self._word)
        return self._word[0] << 8 | self._word[1]

    def probe(self):
        """Whether an INA219 answers: the configuration register must hold what is written to it."""
        try:
            self._i2c.writeto_mem(self._address, _CONFIG, b"\x39\x9f")
            return self._read(_CONFIG) == _CONFIG_DEFAULT
        except OSError:
            return False

    def read(self):
        """Take the latest conversion. Raises OSError when the chip is silent or not one."""
        try:
            if not self._ready:
                if not self.probe():
                    raise OSError(_EIO)
                self._ready = True
            bus = self._read(_BUS)
            shunt = self._read(_SHUNT)
        except OSError:
            self._ready = False
            raise
        if shunt > 32767:
            shunt -= 65536
        self.voltage = (bus >> 3) * 4
        self.current = shunt * 10 // self._shunt
