"""A picture with everything a reader wants to know of it, gathered from the archive."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rovercam.archive import Archive
from rovercam.marstime import Moment, Site, clock
from rovercam.release.cameras import CameraModel
from rovercam.release.errors import ReleaseError
from rovercam.station.pictures import NoPicture, render
from rovercam.station.products import ENTRY

FILES_CHANNEL = 1
"""Virtual channel of files and pictures."""
EXACT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One file of the product as it came down."""

    name: str
    size: int
    sha256: str
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Transfer frames of the unit's file channel that were received while the product came down; None in the archive: 0."""

    count: int
    first: int | None
    last: int | None
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """pixels: (H, W) or (H, W, 3), uint8 or uint16, as received (raw numbers, `depth` significant bits)."""

    name: str
    """Stem of its files."""
    title: str
    caption: str
    alt: str
    """What a reader who cannot see it is told."""
    unit: int
    numbers: tuple[int, ...]
    """Product numbers on the unit; several for a mosaic."""
    rows: tuple[int, ...]
    """Rows in the archive."""
    pixels: NDArray[Any]
    confidence: NDArray[np.uint8]
    depth: int
    time: float
    """POSIX seconds of the exposure (the last one of a mosaic)."""
    first_time: float
    time_from_unit: bool
    """False: the unit's clock was not set, and this is when its first bytes came."""
    moment: Moment | None
    """Time on Mars; None for pictures taken on Earth."""
    camera: str
    model: CameraModel
    exposure: int
    """Camera lines; 0 automatic."""
    gain: int
    pan: float | None
    """Degrees to the right of straight ahead; None when not known."""
    tilt: float | None
    complete: bool
    layers: tuple[Layer, ...]
    frames: Frames
    jpeg: bytes | None = None
    """The camera's own JPEG, when it is one."""
    extra: Mapping[str, Any] | None = None

    @property
    def colour(self) -> bool:
        return self.pixels.ndim == 3

    @property
    def exact(self) -> float:
        """Share of pixels that are exactly what the camera gave."""
        return float((self.confidence == EXACT).mean())


def gather(
    archive: Archive,
    row: Mapping[str, Any],
    models: Mapping[str, CameraModel],
    site: Site | None,
    words: Mapping[str, str] | None = None,
) -> Subject:
    """A product row of the archive; words: title and caption given by people. Raises ReleaseError."""
    words = words or {}
    try:
        picture = render(archive, row["id"])
    except NoPicture as error:
        raise ReleaseError(f"unit {row['unit']}, product {row['number']}: {error}") from error
    fields = picture.fields
    known = fields.get("time_status") == "synchronised"
    time = fields["seconds"] + fields["fraction"] if known else float(row["began"])
    moment = site.moment(time) if site else None
    camera = str(fields["camera"])
    model = models.get(camera) or CameraModel(title=f"Camera {camera}", field=46.5)
    pan, tilt = pointing(archive, row["unit"], time, model)
    title = words.get("title") or f"{model.title}, picture {row['number']}"
    caption = words.get("caption") or _caption(model, row["unit"], moment, pan, tilt)
    if not picture.complete:
        share = 100 * float((picture.confidence > 0).mean())
        caption += f" As received so far: {share:.0f} % of the pixels, not all at full quality."
    jpeg = fields["format"] == "jpeg" and picture.complete
    return Subject(
        name=f"unit{row['unit']}-{row['number']:04d}" + (f"-sol{moment.sol:04d}" if moment else ""),
        title=title,
        caption=caption,
        alt=words.get("alt") or f"{title}. {caption}",
        unit=row["unit"],
        numbers=(row["number"],),
        rows=(row["id"],),
        pixels=picture.pixels,
        confidence=picture.confidence,
        depth=8 if picture.pixels.dtype == np.uint8 else int(fields["depth"]),
        time=time,
        first_time=time,
        time_from_unit=known,
        moment=moment,
        camera=camera,
        model=model,
        exposure=int(fields["exposure"]),
        gain=int(fields["gain"]),
        pan=pan,
        tilt=tilt,
        complete=picture.complete,
        layers=_layers(archive, row),
        frames=_frames(archive, row),
        jpeg=archive.content(next(la["transfer"] for la in row["layers"] if la["layer"] == 0)) if jpeg else None,
    )


def pointing(archive: Archive, unit: int, time: float, model: CameraModel) -> tuple[float | None, float | None]:
    """(pan to the right, tilt up) in degrees at a time: what was commanded last and done, else what telemetry said last."""
    if not model.pan_gear:
        return None, None
    done = [
        c
        for c in archive.commands(0.0, time, unit=unit, limit=1 << 30)
        if c["name"] == "point_mast" and c["state"] == "done" and (c["finished"] or 0) <= time
    ]
    if done:
        arguments = done[-1]["arguments"]
        return float(arguments["pan"]) * model.pan_gear, float(arguments["tilt"])
    pan = archive.history(unit, "mast_pan", 0.0, time, strategy="latest", size=1)
    tilt = archive.history(unit, "mast_tilt", 0.0, time, strategy="latest", size=1)
    if not len(pan) or not len(tilt):
        return None, None
    return float(pan.values[-1]) * model.pan_gear, float(tilt.values[-1])


def direction(pan: float | None, tilt: float | None) -> str:
    """Where it looked, in words; empty when not known."""
    if pan is None or tilt is None:
        return ""
    side = "straight ahead" if abs(pan) < 0.5 else f"{abs(pan):.0f}° to the {'right' if pan > 0 else 'left'}"
    height = "level" if abs(tilt) < 0.5 else f"{abs(tilt):.0f}° {'up' if tilt > 0 else 'down'}"
    return f"looking {side}, {height}"


def _caption(model: CameraModel, unit: int, moment: Moment | None, pan: float | None, tilt: float | None) -> str:
    parts = [f"Taken by the {model.title[0].lower()}{model.title[1:]} of unit {unit}"]
    if moment is not None:
        parts.append(f"on sol {moment.sol} at {clock(moment.lmst)} local mean solar time")
    looked = direction(pan, tilt)
    text = " ".join(parts) + (f", {looked}" if looked else "") + "."
    if moment is not None:
        where = f"{moment.sun_elevation:.0f}° above" if moment.sun_elevation >= 0 else "below"
        text += f" The Sun stood {where} the horizon."
    return text


def _layers(archive: Archive, row: Mapping[str, Any]) -> tuple[Layer, ...]:
    found = []
    for layer in row["layers"]:
        data = archive.assemble(layer["transfer"])
        found.append(
            Layer(
                name=layer["name"] or ("catalogue entry" if layer["layer"] == ENTRY else f"layer {layer['layer']}"),
                size=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                whole=layer["status"] == "finished",
            )
        )
    return tuple(found)


def _frames(archive: Archive, row: Mapping[str, Any]) -> Frames:
    transfers = [layer["transfer"] for layer in row["layers"]]
    marks = ",".join("?" * len(transfers))
    (begin, end) = archive.db.execute(
        f"SELECT min(began), max(coalesce(finished, 1e12)) FROM transfer WHERE id IN ({marks})", transfers
    ).fetchone()
    digest = hashlib.sha256()
    count, first, last = 0, None, None
    for number, data in archive.db.execute(
        "SELECT id, data FROM frame WHERE received >= ? AND received <= ? AND unit = ? AND channel = ? ORDER BY id",
        (begin, end, row["unit"], FILES_CHANNEL),
    ):
        digest.update(data)
        count, first, last = count + 1, first or number, number
    return Frames(count=count, first=first, last=last, sha256=digest.hexdigest())
