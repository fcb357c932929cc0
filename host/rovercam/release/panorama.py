"""Pictures of one unit joined to one: cylindrical, seams corrected, cut to where it is covered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rovercam.release.errors import ReleaseError
from rovercam.release.mosaic import Mosaic, View, mosaic
from rovercam.release.subject import EXACT, Frames, Subject

WIDTH_LIMIT = 24_000
"""Pixels; a full turn of the largest camera mode has about 20,000."""


def view(subject: Subject) -> View:
    """Raises ReleaseError when it is not known where the camera looked."""
    if subject.pan is None or subject.tilt is None:
        raise ReleaseError(
            f"product {subject.numbers[0]} of unit {subject.unit} has no pointing: a mosaic joins mast pictures after `point_mast`"
        )
    pixels = subject.pixels
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> (subject.depth - 8)).astype(np.uint8)
    return View(
        picture=eight,
        pan=subject.pan,
        tilt=subject.tilt,
        field=subject.model.field,
        distortion=subject.model.distortion,
        falloff=subject.model.falloff,
        valid=subject.confidence > 0,
    )


def covered_rows(found: Mosaic) -> slice:
    """The rows that are covered nearly all the way along."""
    rows = np.nonzero(found.covered.mean(axis=1) > 0.995)[0]
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, found.covered.shape[0])


def panorama(subjects: Sequence[Subject], words: Mapping[str, str] | None = None) -> Subject:
    """One subject made of several, in colour when one is. Raises ReleaseError."""
    words = words or {}
    if len(subjects) < 2:
        raise ReleaseError("a mosaic needs at least two pictures")
    if len({s.unit for s in subjects}) > 1:
        raise ReleaseError("a mosaic is made of pictures of one unit")
    views = [view(s) for s in subjects]
    width = 360 / views[0].field * views[0].picture.shape[1]
    scale = None if width <= WIDTH_LIMIT else 360 / WIDTH_LIMIT
    found = mosaic(views, scale)
    rows = covered_rows(found)
    pixels = found.picture[rows]
    if not any(s.colour for s in subjects):
        pixels = np.ascontiguousarray(pixels[:, :, 1])
    turn = found.picture.shape[1] * found.degrees_per_pixel
    last = max(subjects, key=lambda s: s.time)
    numbers = tuple(n for s in subjects for n in s.numbers)
    how = "All the way round" if turn > 359 else f"{turn:.0f}° wide"
    caption = words.get("caption") or (
        f"{how}: {len(subjects)} pictures of the {last.model.title[0].lower()}{last.model.title[1:]}, joined on the ground with their"
        " seams corrected."
    )
    title = words.get("title") or f"Panorama of pictures {numbers[0]} to {numbers[-1]}"
    digest = hashlib.sha256("".join(s.frames.sha256 for s in subjects).encode())
    return replace(
        last,
        name=f"unit{last.unit}-{numbers[0]:04d}-{numbers[-1]:04d}-panorama",
        title=title,
        caption=caption,
        alt=words.get("alt") or f"{title}. {caption}",
        numbers=numbers,
        rows=tuple(r for s in subjects for r in s.rows),
        pixels=pixels,
        # Resampled and balanced: nothing in it is what the camera gave to the last bit.
        confidence=np.where(found.covered[rows], EXACT - 1, 0).astype(np.uint8),
        depth=8,
        first_time=min(s.time for s in subjects),
        time_from_unit=all(s.time_from_unit for s in subjects),
        pan=found.first_pan + turn / 2,
        tilt=found.top - (rows.start + rows.stop) / 2 * found.degrees_per_pixel,
        model=replace(last.model, field=min(turn, 359.9)),
        complete=all(s.complete for s in subjects),
        layers=tuple(layer for s in subjects for layer in s.layers),
        frames=Frames(
            count=sum(s.frames.count for s in subjects),
            first=min((s.frames.first for s in subjects if s.frames.first is not None), default=None),
            last=max((s.frames.last for s in subjects if s.frames.last is not None), default=None),
            sha256=digest.hexdigest(),
        ),
        jpeg=None,
        extra={
            "degrees_per_pixel": round(found.degrees_per_pixel, 5),
            "left_edge_pan": round(found.first_pan, 2),
            "pointing_corrections": [[round(a, 3), round(b, 3)] for a, b in found.corrections],
            "gains": np.round(found.gains, 4).tolist(),
        },
    )
