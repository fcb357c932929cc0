"""An archive with products as a station leaves them: raw pixels of 10 bits, camera JPEGs, a mast that was pointed."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rovercam.archive import Archive
from rovercam.marstime import ZHURONG

TAKEN = ZHURONG.time_of(18, 13.2)
FIELD = 46.5
PANS = (-20.0, 0.0, 20.0)
"""Servo angles, positive to the left; the head turns twice as far."""


def scene(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Ground, horizon and a texture that matches nowhere but with itself, 0 … 255."""
    rng = np.random.default_rng(8)
    out = np.where(elevation > 0, 190.0, 110.0) + np.zeros(np.broadcast(azimuth, elevation).shape)
    for _ in range(40):
        k, m, phase = int(rng.integers(2, 90)), rng.uniform(-60, 60), rng.uniform(0, 7)
        out += 5.0 * np.sin(k * azimuth + m * elevation + phase)
    return np.clip(out, 5, 245)


def mast_picture(pan: float, width: int = 160, height: int = 120) -> np.ndarray:
    """What the mast camera of the models sees at `pan` degrees right, level."""
    half, k1 = math.tan(math.radians(FIELD / 2)), -0.06
    f = width / 2 / (half * (1 + k1 * half * half))
    u, v = np.meshgrid((np.arange(width) + 0.5 - width / 2) / f, (np.arange(height) + 0.5 - height / 2) / f)
    r = np.hypot(u, v)
    t = r.copy()
    for _ in range(20):
        t = r / (1 + k1 * t * t)
    s = np.where(r > 0, t / np.where(r > 0, r, 1), 1.0)
    azimuth = np.arctan(u * s) + math.radians(pan)
    grey = scene(azimuth, np.arctan2(-v * s, np.hypot(1.0, u * s)))
    return np.stack([grey, grey * 0.8, grey * 0.6], axis=2).astype(np.uint8)


def add(archive: Archive, number: int, data: bytes, at: float, **fields: Any) -> int:
    """A whole picture of one layer, with its frames; returns its row."""
    row = archive.product(1, number, at)
    entry = {"version": 1, "product": number, "kind": "picture", "layers": 1, "depth": 8, "seconds": int(at),
             "fraction": at - int(at), "time_status": "synchronised", "size": len(data), "exposure": 0, "gain": 0,
             "camera": "mast", "codec": "raw", "format": "grey", "boot_count": 1} | fields  # fmt: skip
    archive.update_product(
        row, at, kind="picture", width=entry["width"], height=entry["height"], state="down", fields=entry
    )
    for k in range(3):
        archive.add_frame(at + k, "port", 1, 1, 0, data[k * 50 : k * 50 + 200])
    for layer, content in ((-1, b"entry"), (0, data)):
        transfer = archive.transfer(1, 1, 100 * number + layer + 1, at)
        archive.update_transfer(transfer, name=f"/p/{number:04d}.{'m' if layer < 0 else layer}")
        archive.finish_transfer(transfer, at + 2, content)
        archive.add_layer(row, layer, transfer)
    return row


def jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95)
    return out.getvalue()


@pytest.fixture(scope="module")
def ten_bits() -> np.ndarray:
    y, x = np.mgrid[0:48, 0:64]
    return ((x * 16 + y * 5) % 1024).astype(np.uint16)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, ten_bits: np.ndarray) -> Iterator[Archive]:
    path = tmp_path_factory.mktemp("release") / "archive.db"
    with Archive(path) as made:
        made.add_packet(
            frame=None, time=TAKEN, received=TAKEN, unit=1, apid=272, sequence=0, source=1 << 24, body=0, data=b""
        )
        for k, pan in enumerate(PANS):
            at = TAKEN + 10 * k
            command = made.add_command(
                time=at - 5, unit=1, name="point_mast", arguments={"pan": pan, "tilt": 0.0}, sender="test", apid=272,
                sequence=k, data=b"",
            )  # fmt: skip
            made.set_command_state(command, "done", at - 4)
            add(made, k + 1, jpeg(mast_picture(-2 * pan)), at, format="jpeg", width=160, height=120)
        add(
            made, 4, ten_bits.astype("<u2").tobytes(), TAKEN + 60, depth=10, width=64, height=48, camera="hazard",
            exposure=321, gain=7,
        )  # fmt: skip
        made.commit()
        yield made
