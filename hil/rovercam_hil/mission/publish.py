"""The public release: the four pictures with captions and credits, motion sequence, views from orbit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from rovercam_hil.mission.flight import Flight, Shot
from rovercam_hil.mission.orbit import FromOrbit
from rovercam_hil.mission.steps import Mission

CREDIT = "Emulated by rovercam: a ray-traced model, not a photograph. After the pictures of CNSA's Zhurong released on 11 June 2021."


@dataclass(frozen=True)
class Released:
    file: str
    title: str
    caption: str
    credit: str
    when: str
    size: tuple[int, int]
    products: tuple[int, ...]


def save(picture: np.ndarray, path: Path, scale: int = 1) -> tuple[int, int]:
    """As PNG, or JPEG by the name's suffix; returns (width, height)."""
    image = Image.fromarray(picture)
    if scale > 1:
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
    image.save(path, quality=90) if path.suffix == ".jpg" else image.save(path, optimize=False)
    return image.size


def four(mission: Mission, out: Path) -> list[Released]:
    """Writes release/*.png and release/captions.json."""
    folder = out / "release"
    folder.mkdir(exist_ok=True)
    shots = {s.name: s for s in mission.flight.shots}
    panorama = mission.panorama
    assert panorama is not None
    rover = mission.places
    items: list[tuple[str, str, str, np.ndarray, list[Shot]]] = [
        ("1-panorama", "The landing site, all round",
         f"Panorama from the mast before roll-off, {len([s for s in mission.flight.shots if s.name.startswith('panorama')])} pictures joined on "
         f"the ground. "
         "The rails point south, where the rover will go.", cropped(panorama.picture, panorama.covered),
         [s for s in mission.flight.shots if s.name.startswith("panorama")]),
        ("2-surface", "Down from the platform", "The first view of the terrain from the surface, minutes after roll-off: dust, stones and low dunes "
         "under a tan sky.", shots["first view of the terrain from the surface"].pixels, [shots["first view of the terrain from the surface"]]),
        ("3-platform", "The landing platform", "The platform with its rails and flag, from 6 m, 60° south of east.",
         shots["the landing platform from 6 m"].pixels, [shots["the landing platform from 6 m"]]),
        ("4-portrait", "Group portrait", f"Rover and platform, taken by the camera the rover set down {mission.plan.distance:.0f} m to the south. "
         f"The rover stands at {rover['portrait'][0]:.1f} m east, {-rover['portrait'][1]:.1f} m south of the platform's middle.",
         shots["group portrait, from the front"].pixels, [shots["group portrait, from the front"]]),
    ]  # fmt: skip
    released = []
    for file, title, caption, picture, of in items:
        size = save(picture, folder / f"{file}.png")
        released.append(
            Released(f"release/{file}.png", title, caption, CREDIT, of[-1].when, size, tuple(s.product for s in of))
        )
    (folder / "captions.json").write_text(
        json.dumps([r.__dict__ for r in released], indent=2, ensure_ascii=False), encoding="utf-8"
    )
    return released


def cropped(picture: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """The rows that are covered all the way round."""
    rows = np.nonzero(covered.mean(axis=1) > 0.995)[0]
    return picture[rows[0] : rows[-1] + 1] if len(rows) else picture


def others(flight: Flight, out: Path) -> None:
    """Every picture as received; sets each shot's ``file``."""
    folder = out / "pictures"
    folder.mkdir(exist_ok=True)
    for k, shot in enumerate(flight.shots, 1):
        shot.file = f"pictures/{k:02d}.png"
        save(shot.pixels, out / shot.file)


def motion(mission: Mission, out: Path) -> str:
    """The sequence as an animated GIF; returns its name."""
    frames = [Image.fromarray(s.pixels) for s in mission.motion]
    name = "pictures/motion.gif"
    frames[0].save(out / name, save_all=True, append_images=frames[1:], duration=350, loop=0)
    return name


def orbit(views: FromOrbit, out: Path) -> None:
    folder = out / "orbit"
    folder.mkdir(exist_ok=True)
    for name, picture in zip(("6-june", "11-june"), views.pictures, strict=True):
        save(picture, folder / f"{name}.png")
    sheet = []
    for k, picture in enumerate(
        (views.pictures[0], np.clip(np.nan_to_num(views.moved), 0, 255).astype(np.uint8), views.changed)
    ):
        image = Image.fromarray(picture).convert("RGB").resize((480, 480), Image.Resampling.BICUBIC)
        draw, z = ImageDraw.Draw(image), 480 / picture.shape[0]
        rings: list[tuple[Any, str]] = [(views.result.platform, "#ffd060")]
        rings += [(views.result.rover_a, "#60e0ff")] if k != 1 else []
        rings += [(views.result.rover_b, "#ff6060")] if k != 0 else []
        for (u, v), colour in rings:
            draw.ellipse((z * u - 12, z * v - 12, z * u + 12, z * v + 12), outline=colour, width=2)
        sheet.append(np.asarray(image))
    save(np.concatenate(sheet, axis=1), folder / "comparison.png")
    (folder / "comparison.json").write_text(
        json.dumps({**views.result.as_dict(), "truth": views.truth, "odometry": views.odometry}, indent=2),
        encoding="utf-8",
    )
