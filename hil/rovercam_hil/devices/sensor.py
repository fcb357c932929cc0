"""The image sensor behind the camera models: exposure, gain, colour settings, pixel formats, JPEG.

At power-on defaults (everything automatic, scene of light 1.0) the scene's picture passes unchanged, pixel for pixel.
With automatic exposure the sensor looks for the exposure that brings the scene's light to 1.0, within its limits. With a
manual one the picture is scaled by (exposure × gain × light) / (nominal exposure × nominal gain) and clips at 255.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from rovercam_hil.devices.scene import Picture, Scene, fit

JPEG, RGB565, YUV = 1, 2, 3
NOMINAL_EXPOSURE = 500  # lines that suit a scene of light 1.0 at nominal gain
NOMINAL_GAIN = 16


@dataclass(slots=True)
class Settings:
    """What the registers of a camera set; levels are the signed steps of the manual."""

    auto_exposure: bool = True
    auto_gain: bool = True
    auto_balance: bool = True
    exposure: int = NOMINAL_EXPOSURE
    gain: int = NOMINAL_GAIN
    exposure_max: int = 30000
    brightness: int = 0
    contrast: int = 0
    saturation: int = 0
    ev: int = 0
    balance: int = 0
    effect: int = 0
    quality: int = 1  # of JPEG: 0 high, 1 default, 2 low
    noise: float = 0.0  # standard deviation in counts at nominal gain

    @property
    def is_default(self) -> bool:
        """Whether the picture passes unchanged."""
        return (
            self.auto_exposure
            and self.auto_gain
            and self.balance == 0
            and not (self.brightness or self.contrast or self.saturation or self.ev or self.effect or self.noise)
        )


# Gains of red and blue for the fixed white balances: sun, office, cloudy, home; relative to the automatic one.
_BALANCES = {1: (1.05, 0.95), 2: (0.90, 1.15), 3: (1.12, 0.88), 4: (0.78, 1.30)}
_TINTS = {1: (20, -10), 2: (-20, 20), 4: (-30, 15), 6: (-20, -20), 9: (-25, 5)}  # effect: added to U and V
_QUALITIES = (90, 75, 50)


def exposure_factor(settings: Settings, light: float) -> float:
    """What the picture's values are multiplied by."""
    ev = 2.0 ** (settings.ev / 3.0)
    exposure = float(settings.exposure)
    gain = float(settings.gain)
    if settings.auto_exposure:
        used_gain = NOMINAL_GAIN if settings.auto_gain else gain
        wanted = NOMINAL_EXPOSURE * NOMINAL_GAIN * ev / (max(light, 1e-6) * used_gain)
        exposure = min(max(wanted, 1.0), float(settings.exposure_max))
        ev = 1.0  # contained in the exposure found
    if settings.auto_gain:
        left = (
            NOMINAL_EXPOSURE * NOMINAL_GAIN / (max(light, 1e-6) * exposure) if settings.auto_exposure else NOMINAL_GAIN
        )
        gain = (
            min(max(left, NOMINAL_GAIN), 1023.0)
            if settings.auto_exposure and exposure >= settings.exposure_max
            else NOMINAL_GAIN
        )
    return exposure * gain * light * ev / (NOMINAL_EXPOSURE * NOMINAL_GAIN)


def develop(picture: Picture, settings: Settings, light: float, rng: np.random.Generator) -> Picture:
    """The scene's picture as the sensor delivers it under ``settings``."""
    factor = exposure_factor(settings, light)
    if settings.is_default and abs(factor - 1.0) < 1e-9:
        return picture
    out: NDArray[np.float64] = picture.astype(np.float64) * factor
    if settings.balance in _BALANCES and out.ndim == 3:
        red, blue = _BALANCES[settings.balance]
        out[..., 0] *= red
        out[..., 2] *= blue
    if settings.noise:
        gain = settings.gain / NOMINAL_GAIN if not settings.auto_gain else 1.0
        out += rng.normal(0.0, settings.noise * gain, out.shape)
    if settings.contrast:
        out = (out - 128.0) * (1.0 + 0.15 * settings.contrast) + 128.0
    if settings.brightness:
        out += 16.0 * settings.brightness
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def to_yuv(picture: Picture, settings: Settings) -> tuple[Picture, Picture, Picture]:
    """Full-range Y, U, V planes (BT.601); a grey picture is Y itself."""
    if picture.ndim == 2:
        y = picture
        u = v = np.full_like(picture, 128)
    else:
        r, g, b = (picture[..., k].astype(np.float64) for k in range(3))
        y = np.rint(0.299 * r + 0.587 * g + 0.114 * b).clip(0, 255).astype(np.uint8)
        u = np.rint(128 - 0.168736 * r - 0.331264 * g + 0.5 * b).clip(0, 255).astype(np.uint8)
        v = np.rint(128 + 0.5 * r - 0.418688 * g - 0.081312 * b).clip(0, 255).astype(np.uint8)
    if settings.effect == 5:
        y, u, v = 255 - y, 255 - u, 255 - v
    elif settings.effect == 3:
        u = v = np.full_like(y, 128)
    elif settings.effect in _TINTS:
        du, dv = _TINTS[settings.effect]
        u = np.clip(u.astype(int) + du, 0, 255).astype(np.uint8)
        v = np.clip(v.astype(int) + dv, 0, 255).astype(np.uint8)
    if settings.saturation:
        scale = 1.0 + 0.2 * settings.saturation
        u, v = (np.clip((p.astype(float) - 128) * scale + 128, 0, 255).astype(np.uint8) for p in (u, v))
    return y, u, v


def to_rgb(planes: tuple[Picture, Picture, Picture]) -> Picture:
    y, u, v = (p.astype(np.float64) for p in planes)
    r = y + 1.402 * (v - 128)
    g = y - 0.344136 * (u - 128) - 0.714136 * (v - 128)
    b = y + 1.772 * (u - 128)
    return np.rint(np.stack((r, g, b), axis=-1)).clip(0, 255).astype(np.uint8)


def yuyv(planes: tuple[Picture, Picture, Picture]) -> bytes:
    """4:2:2 packed: Y0 U Y1 V; chroma is that of the pair's mean."""
    y, u, v = planes
    out = np.empty((*y.shape, 2), np.uint8)
    out[..., 0] = y
    out[:, 0::2, 1] = (u[:, 0::2].astype(np.uint16) + u[:, 1::2] + 1) // 2
    out[:, 1::2, 1] = (v[:, 0::2].astype(np.uint16) + v[:, 1::2] + 1) // 2
    return out.tobytes()


def rgb565(picture: Picture) -> bytes:
    """Two bytes per pixel, high byte first."""
    rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    r, g, b = (rgb[..., k].astype(np.uint16) for k in range(3))
    return ((r >> 3) << 11 | (g >> 2) << 5 | b >> 3).astype(">u2").tobytes()


def jpeg(picture: Picture, quality: int) -> bytes:
    out = io.BytesIO()
    PillowImage.fromarray(picture).save(out, "JPEG", quality=_QUALITIES[min(quality, 2)])
    return out.getvalue()


def expose(
    scene: Scene, time: float, width: int, height: int, fmt: int, settings: Settings, rng: np.random.Generator
) -> bytes:
    """The bytes a camera puts into its memory for one picture."""
    picture = develop(fit(scene.picture(time, width, height), width, height), settings, scene.light(time), rng)
    coloured = settings.effect or settings.saturation
    if fmt == YUV:
        return yuyv(to_yuv(picture, settings))
    if coloured:
        picture = to_rgb(to_yuv(picture, settings))
    return rgb565(picture) if fmt == RGB565 else jpeg(picture, settings.quality)
