"""The standard unit: the devices of a camera unit on the Pico's default pins (firmware/rover/board/pico.py, PINS)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rovercam_hil.devices.arducam_mega import ArducamMega
from rovercam_hil.devices.i2c import I2cBus
from rovercam_hil.devices.radio import RadioBridge
from rovercam_hil.devices.scene import PatternScene, Scene
from rovercam_hil.devices.sensors import BME280, INA219, MPU6050
from rovercam_hil.devices.servo import Release, Servo
from rovercam_hil.devices.spi import SpiBus, SpiDevice
from rovercam_hil.devices.trace import Trace
from rovercam_hil.devices.vehicle import Chassis

if TYPE_CHECKING:
    from rovercam_hil.boards.base import Device

CAMERA_PINS = {"mast": 17, "mast_right": 20, "hazard": 21}
RADIO_PIN = 28


@dataclass
class Rig:
    """``devices`` go to the board; the models are there to be set, broken and looked at."""

    cameras: dict[str, ArducamMega]
    weather: BME280
    power: INA219
    attitude: MPU6050
    pan: Servo
    tilt: Servo
    release: Release
    chassis: Chassis
    radio: RadioBridge
    devices: list[Device]
    trace: Trace | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def camera(self) -> ArducamMega:
        """The mast camera."""
        return self.cameras["mast"]


def standard_rig(
    scene: Scene | None = None,
    *,
    scenes: dict[str, Scene] | None = None,
    seed: int = 1,
    trace: Trace | None = None,
    model: str = "5MP",
) -> Rig:
    """Three cameras (looking at ``scene``, or each at its own in ``scenes``), three sensors on a Martian noon, servos, wheels."""
    default = scene if scene is not None else PatternScene()
    looks = {name: (scenes or {}).get(name, default) for name in CAMERA_PINS}
    cameras = {name: ArducamMega(looks[name], model=model, seed=seed + k) for k, name in enumerate(CAMERA_PINS)}
    weather = BME280(temperature=-12.0, pressure=730.0, humidity=2.0)
    power = INA219(voltage=5.02, current=0.21)
    attitude = MPU6050(seed=seed)
    chassis = Chassis(attitude)
    on_spi: dict[int, SpiDevice] = {CAMERA_PINS[name]: camera for name, camera in cameras.items()}
    radio = RadioBridge()
    on_spi[RADIO_PIN] = radio
    spi = SpiBus(0, on_spi, trace)
    i2c = I2cBus(0, 4, 5, [weather, power, attitude], trace)
    pan, tilt, release = Servo(14), Servo(15), Release(13)
    return Rig(
        cameras=cameras,
        weather=weather,
        power=power,
        attitude=attitude,
        pan=pan,
        tilt=tilt,
        release=release,
        chassis=chassis,
        radio=radio,
        devices=[spi, i2c, pan, tilt, release, chassis],
        trace=trace,
    )
