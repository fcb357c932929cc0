"""Register-level models of the sensors on the I2C bus: BME280, INA219, MPU-6050.

Each has its physical truth as attributes (a number, or a function of the board's time in seconds) and delivers it the
way the chip does: through calibration words, ranges, conversion times and status bits.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import ClassVar

from rovercam_hil.devices.i2c import I2cDevice

Truth = float | Callable[[float], float]


def value_of(truth: Truth, time: float) -> float:
    return truth(time) if callable(truth) else truth


class BME280(I2cDevice):
    """Bosch BME280 (BST-BME280-DS001 1.23). ``temperature`` °C, ``pressure`` Pa, ``humidity`` %.

    The calibration words are those of a typical part (the data sheet's own compensation example for temperature and
    pressure). A measurement is made as ctrl_meas asks, takes the typical time of 9.1, and shows in ``status``; skipped
    channels read 0x80000 (0x8000). Values outside what the words can express end at the converter's limits.
    """

    KNOWN: ClassVar[dict[str, str]] = {**I2cDevice.KNOWN, "frozen": "stops measuring"}
    T = (27504, 26435, -1000)
    P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    H = (75, 362, 0, 324, 50, 30)
    _OVERSAMPLING = (0, 1, 2, 4, 8, 16, 16, 16)
    _STANDBY_MS = (0.5, 62.5, 125, 250, 500, 1000, 10, 20)

    def __init__(
        self,
        address: int = 0x76,
        *,
        temperature: Truth = 20.0,
        pressure: Truth = 101325.0,
        humidity: Truth = 40.0,
    ) -> None:
        super().__init__(address)
        self.temperature, self.pressure, self.humidity = temperature, pressure, humidity
        self._calibration()
        self.power_on()

    def _calibration(self) -> None:
        h1, h2, h3, h4, h5, h6 = self.H
        self._constant = dict(enumerate(struct.pack("<HhhHhhhhhhhh", *self.T, *self.P), 0x88))
        self._constant[0xA1] = h1
        tail = struct.pack("<hB", h2, h3) + bytes((h4 >> 4 & 255, (h5 & 15) << 4 | h4 & 15, h5 >> 4 & 255, h6 & 255))
        self._constant.update(enumerate(tail, 0xE1))

    def power_on(self) -> None:
        self.ctrl_hum = self.ctrl_meas = self.config = self._hum_in_force = 0
        self._data = struct.pack(">I", 0x80000 << 12)[:3] * 2 + b"\x80\x00"
        self._latched = self._data
        self._ready_at = self.now() + 2e-3
        self._done_at: float | None = None
        self._iir: tuple[float, float] | None = None

    # -- measuring ---------------------------------------------------------------------------------------------------

    def _oversampling(self) -> tuple[int, int, int]:
        o = self._OVERSAMPLING
        return o[self.ctrl_meas >> 5], o[self.ctrl_meas >> 2 & 7], o[self._hum_in_force & 7]

    def measuring_time(self) -> float:
        """Seconds of one measurement, typical (9.1)."""
        t, p, h = self._oversampling()
        ms = 1 + 2 * t + (2 * p + 0.5 if p else 0) + (2 * h + 0.5 if h else 0)
        return ms * 1e-3

    def _advance(self) -> None:
        """Bring measurements up to the present."""
        if "frozen" in self.faults:
            return
        now = self.now()
        mode = self.ctrl_meas & 3
        while self._done_at is not None and now >= self._done_at:
            self._measure(self._done_at)
            if mode == 3:
                period = self._STANDBY_MS[self.config >> 5] * 1e-3 + self.measuring_time()
                missed = int((now - self._done_at) / period)  # only the last one matters, and the filter's state
                self._done_at += period * max(1, missed)
            else:
                self.ctrl_meas &= ~3
                self._done_at = None

    def _measure(self, at: float) -> None:
        t, p, h = self._oversampling()
        raw_t = self._raw_temperature(value_of(self.temperature, at)) if t else 0x80000
        fine = self._fine(raw_t)
        raw_p = self._raw_pressure(value_of(self.pressure, at), fine) if p else 0x80000
        raw_h = self._raw_humidity(value_of(self.humidity, at), fine) if h else 0x8000
        factor = (1, 2, 4, 8, 16, 16, 16, 16)[self.config >> 2 & 7]
        if factor > 1 and self._iir is not None and t and p:
            raw_t = round((self._iir[0] * (factor - 1) + raw_t) / factor)
            raw_p = round((self._iir[1] * (factor - 1) + raw_p) / factor)
        self._iir = (raw_t, raw_p) if t and p else None
        # With the filter off the resolution is 16 bits plus one per doubling (3.4.4).
        self._data = b"".join(
            (
                (raw_p << 4).to_bytes(3, "big"),
                (raw_t << 4).to_bytes(3, "big"),
                raw_h.to_bytes(2, "big"),
            )
        )

    def _fine(self, raw: int) -> int:
        t1, t2, t3 = self.T
        a, b = (raw >> 3) - (t1 << 1), (raw >> 4) - t1
        return (a * t2 >> 11) + ((b * b >> 12) * t3 >> 14)

    def _raw_temperature(self, celsius: float) -> int:
        want = celsius * 5120.0
        return _search(self._fine, want, 0, (1 << 20) - 1)

    def _raw_pressure(self, pascal: float, fine: int) -> int:
        def falling(raw: int) -> float:
            return -self.pascal(raw, fine)

        return _search(falling, -pascal, 0, (1 << 20) - 1)

    def pascal(self, raw: int, fine: int) -> float:
        """Floating-point form of the compensation (8.1), independent of the driver's integers."""
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self.P
        v1 = fine / 2.0 - 64000.0
        v2 = v1 * v1 * p6 / 32768.0 + v1 * p5 * 2.0
        v2 = v2 / 4.0 + p4 * 65536.0
        v1 = (p3 * v1 * v1 / 524288.0 + p2 * v1) / 524288.0
        v1 = (1.0 + v1 / 32768.0) * p1
        p = (1048576.0 - raw - v2 / 4096.0) * 6250.0 / v1
        return p + (p9 * p * p / 2147483648.0 + p * p8 / 32768.0 + p7) / 16.0

    def _raw_humidity(self, percent: float, fine: int) -> int:
        return _search(lambda raw: self.percent(raw, fine), percent, 0, 0xFFFF)

    def percent(self, raw: int, fine: int) -> float:
        """Floating-point form of the humidity compensation (8.1)."""
        h1, h2, h3, h4, h5, h6 = self.H
        v = fine - 76800.0
        v = (raw - (h4 * 64.0 + h5 / 16384.0 * v)) * (
            h2 / 65536.0 * (1.0 + h6 / 67108864.0 * v * (1.0 + h3 / 67108864.0 * v))
        )
        return v * (1.0 - h1 * v / 524288.0)

    # -- registers ---------------------------------------------------------------------------------------------------

    def read_started(self) -> None:
        self._advance()
        self._latched = self._data  # shadowed during a burst read (4.1)

    def next_pointer(self, pointer: int, *, writing: bool) -> int:
        return pointer if writing else (pointer + 1) & 0xFF

    def put(self, value: int) -> bool:
        """Writes are pairs of register address and value (6.2.1)."""
        if "nack_data" in self.faults:
            return False
        if self._first:
            self.pointer = value
        else:
            self.write_register(self.pointer, value)
        self._first = not self._first
        return True

    def read_register(self, register: int) -> int:
        if register == 0xD0:
            return int(self.faults.get("wrong_id", 0x60))
        if register in self._constant:
            return self._constant[register]
        if register == 0xF2:
            return self.ctrl_hum
        if register == 0xF3:
            self._advance()
            now = self.now()
            measuring = self._done_at is not None and self._done_at - self.measuring_time() <= now
            return (8 if measuring else 0) | (1 if now < self._ready_at else 0)
        if register == 0xF4:
            self._advance()
            return self.ctrl_meas
        if register == 0xF5:
            return self.config
        if 0xF7 <= register <= 0xFE:
            return self._latched[register - 0xF7]
        return 0

    def write_register(self, register: int, value: int) -> None:
        self._advance()
        if register == 0xE0 and value == 0xB6:
            self.power_on()
        elif register == 0xF2:
            self.ctrl_hum = value & 7
        elif register == 0xF4:
            self.ctrl_meas = value
            self._hum_in_force = self.ctrl_hum
            self._done_at = self.now() + self.measuring_time() if value & 3 else None
        elif register == 0xF5:
            self.config = value & 0xFD


def _search(f: Callable[[int], float], want: float, low: int, high: int) -> int:
    """The integer at which the rising ``f`` comes nearest to ``want``."""
    first, last = low, high
    while low < high:
        middle = (low + high) // 2
        if f(middle) < want:
            low = middle + 1
        else:
            high = middle
    if low > first and abs(f(low - 1) - want) <= abs(f(low) - want):
        return low - 1
    return min(low, last)


class INA219(I2cDevice):
    """TI INA219 (SBOS448G). ``voltage`` V on the bus, ``current`` A through ``shunt`` ohms."""

    KNOWN: ClassVar[dict[str, str]] = {**I2cDevice.KNOWN, "frozen": "stops converting"}
    _ADC_S: ClassVar[dict[int, float]] = {
        0: 84e-6, 1: 148e-6, 2: 276e-6, 3: 532e-6, 8: 532e-6, 9: 1.06e-3, 10: 2.13e-3, 11: 4.26e-3, 12: 8.51e-3,
        13: 17.02e-3, 14: 34.05e-3, 15: 68.10e-3,
    }  # fmt: skip

    def __init__(self, address: int = 0x40, *, voltage: Truth = 5.0, current: Truth = 0.2, shunt: float = 0.1) -> None:
        super().__init__(address)
        self.voltage, self.current, self.shunt = voltage, current, shunt
        self.power_on()

    def power_on(self) -> None:
        self.config, self.calibration = 0x399F, 0
        self._shunt = self._bus = 0
        self._overflow = self._ready = False
        self._high: int | None = None
        self._latch = 0
        self._done_at: float | None = self.now() + self.conversion_time()

    def conversion_time(self) -> float:
        """Seconds of one conversion of what the mode asks for."""
        bus, shunt = self.config >> 7 & 15, self.config >> 3 & 15
        mode = self.config & 7
        time = self._adc(bus) if mode & 2 else 0.0
        return (time + self._adc(shunt)) if mode & 1 else max(time, 84e-6)

    def _adc(self, code: int) -> float:
        return self._ADC_S[code if code & 8 else code & 3]

    def _advance(self) -> None:
        if self._done_at is None or "frozen" in self.faults:
            return
        now = self.now()
        if now < self._done_at:
            return
        mode = self.config & 7
        if mode & 1:
            gain = 1 << (self.config >> 11 & 3)
            limit = 4000 * gain
            raw = round(value_of(self.current, now) * self.shunt / 10e-6)
            self._shunt = max(-limit, min(limit, raw))
        if mode & 2:
            full = 8000 if self.config & 0x2000 else 4000  # 32 V or 16 V range, 4 mV per bit
            self._bus = max(0, min(full, round(value_of(self.voltage, now) / 4e-3)))
        self._ready = True
        self._overflow = abs(self._current()) > 32767 or self._power() > 65535
        self._done_at = now + self.conversion_time() if mode & 4 else None

    def _current(self) -> int:
        return int(self._shunt * self.calibration / 4096)

    def _power(self) -> int:
        return abs(self._current()) * self._bus // 5000

    def put(self, value: int) -> bool:
        if "nack_data" in self.faults:
            return False
        if self._first:
            self._first = False
            self.pointer = value & 7
            self._high = None
        elif self._high is None:
            self._high = value
        else:
            self._write_word(self.pointer, self._high << 8 | value)
            self._high = None
        return True

    def read_started(self) -> None:
        self._half = 0
        self._latch = self._read_word(self.pointer)

    def get(self) -> int:
        self._half ^= 1
        return self._latch >> 8 if self._half else self._latch & 0xFF

    def _read_word(self, register: int) -> int:
        self._advance()
        if register == 0:
            return int(self.faults.get("wrong_id", self.config))
        if register == 1:
            return self._shunt & 0xFFFF
        if register == 2:
            return self._bus << 3 | self._ready << 1 | self._overflow
        if register == 3:
            self._ready = False
            return self._power() & 0xFFFF
        if register == 4:
            return self._current() & 0xFFFF
        return self.calibration if register == 5 else 0

    def _write_word(self, register: int, value: int) -> None:
        self._advance()
        if register == 0:
            if value & 0x8000:
                self.power_on()
                return
            self.config = value
            self._ready = False
            self._done_at = self.now() + self.conversion_time() if value & 3 else None
        elif register == 5:
            self.calibration = value & 0xFFFE


class MPU6050(I2cDevice):
    """InvenSense MPU-6050 (RM-MPU-6000A-00 4.2). ``acceleration`` m/s² and ``rotation`` °/s, each three truths."""

    KNOWN: ClassVar[dict[str, str]] = {**I2cDevice.KNOWN, "frozen": "stops sampling"}

    def __init__(
        self,
        address: int = 0x68,
        *,
        acceleration: tuple[Truth, Truth, Truth] = (0.0, 0.0, 3.71),
        rotation: tuple[Truth, Truth, Truth] = (0.0, 0.0, 0.0),
        temperature: Truth = 20.0,
        noise: float = 0.0,
        seed: int = 1,
    ) -> None:
        super().__init__(address)
        self.acceleration, self.rotation, self.temperature = acceleration, rotation, temperature
        self.noise = noise
        self._rng = random.Random(seed)
        self.power_on()

    def power_on(self) -> None:
        self.registers = bytearray(128)
        self.registers[0x6B] = 0x40  # asleep
        self.registers[0x75] = 0x68
        self._sampled_at = -1.0

    def _sample(self) -> None:
        r = self.registers
        if r[0x6B] & 0x40 or "frozen" in self.faults:
            return
        now = self.now()
        rate = (1000 if 0 < r[0x1A] & 7 < 7 else 8000) / (1 + r[0x19])
        if self._sampled_at >= 0 and now - self._sampled_at < 1 / rate:
            return
        self._sampled_at = now
        per_g = 16384 >> (r[0x1C] >> 3 & 3)
        per_degree = 131.0 / (1 << (r[0x1B] >> 3 & 3))
        words = [self._counts(value_of(t, now) / 9.80665, per_g) for t in self.acceleration]
        words.append(self._counts(value_of(self.temperature, now) - 36.53, 340.0))
        words += [self._counts(value_of(t, now), per_degree) for t in self.rotation]
        struct.pack_into(">7h", r, 0x3B, *words)
        r[0x3A] |= 1  # DATA_RDY_INT

    def _counts(self, value: float, scale: float) -> int:
        noisy = value * scale + (self._rng.gauss(0.0, self.noise) if self.noise else 0.0)
        return max(-32768, min(32767, round(noisy)))

    def read_started(self) -> None:
        self._sample()

    def read_register(self, register: int) -> int:
        register &= 0x7F
        value = self.registers[register]
        if register == 0x75:
            return int(self.faults.get("wrong_id", value))
        if register == 0x3A:
            self.registers[0x3A] = 0
        return value

    def write_register(self, register: int, value: int) -> None:
        register &= 0x7F
        if register == 0x6B and value & 0x80:
            self.power_on()
        elif not 0x3A <= register <= 0x60 and register != 0x75:
            self.registers[register] = value
