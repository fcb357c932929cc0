"""A set of pictures to a folder that can be handed out: files, labels, captions, provenance, press page."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rovercam.archive import Archive
from rovercam.dictionary import Dictionary
from rovercam.marstime import Site
from rovercam.release import pds4, png, tiff
from rovercam.release.cameras import CameraModel
from rovercam.release.errors import ReleaseError
from rovercam.release.metadata import exif, facts, into_jpeg, iso, xmp
from rovercam.release.page import Item, page
from rovercam.release.panorama import panorama
from rovercam.release.subject import Subject, gather

QUALITY = 92
THUMB = (960, 640)
"""Largest width and height of the pictures on the page, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to publish and how it is to be called. words: product number, or "1-9" for a mosaic → title, caption, alt."""

    title: str
    credit: str
    made: float
    """POSIX seconds."""
    site: Site | None
    models: Mapping[str, CameraModel]
    introduction: str = ""
    mosaics: Sequence[tuple[int, ...]] = ()
    """Product numbers of each panorama."""
    hidden: frozenset[int] = frozenset()
    """Products that are only parts of a mosaic."""
    words: Mapping[str, Mapping[str, str]] | None = None
    collection: str = pds4.COLLECTION


def software() -> str:
    return f"rovercam {packages.version('rovercam')}"


def eight_bits(pixels: NDArray[Any], depth: int) -> NDArray[np.uint8]:
    """For JPEG and screens: the upper 8 significant bits."""
    return pixels if pixels.dtype == np.uint8 else (pixels >> max(0, depth - 8)).clip(0, 255).astype(np.uint8)


def publish(
    archive: Archive,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    order: Order,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Writes the release of these product rows; returns what provenance.json says of each. Raises ReleaseError."""
    subjects = _subjects(archive, rows, order)
    for name in ("pictures", "thumbs", "pds4"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    items, records = [], []
    for subject in subjects:
        progress(subject.name)
        written = _write(subject, folder, order)
        records.append(_record(subject, written, folder, order, archive.dictionary))
        items.append(
            Item(subject=subject, files=written, sizes={f: (folder / f).stat().st_size for f in written.values()})
        )
    captions = [
        {"picture": s.name, "title": s.title, "caption": s.caption, "alt": s.alt, "credit": order.credit}
        for s in subjects
    ]
    _json(folder / "captions.json", captions)
    _json(folder / "provenance.json", {"software": software(), "made": iso(order.made), "pictures": records})
    (folder / "index.html").write_text(page(items, order, software()), encoding="utf-8")
    _sums(folder)
    return records


def _subjects(archive: Archive, rows: Sequence[Mapping[str, Any]], order: Order) -> list[Subject]:
    if not rows:
        raise ReleaseError("no picture was chosen; `rovercam images` lists what there is")
    words = order.words or {}
    single = {
        row["number"]: gather(archive, row, order.models, order.site, words.get(str(row["number"]))) for row in rows
    }
    joined = []
    for numbers in order.mosaics:
        missing = [n for n in numbers if n not in single]
        if missing:
            raise ReleaseError(f"the mosaic asks for products {missing}, which are not among those released")
        key = f"{numbers[0]}-{numbers[-1]}"
        joined.append(panorama([single[n] for n in numbers], words.get(key)))
    return [*joined, *(s for n, s in single.items() if n not in order.hidden)]


def _write(subject: Subject, folder: Path, order: Order) -> dict[str, str]:
    """The picture's files; kind → path below the folder."""
    from PIL import Image

    credit, made_by = order.credit, software()
    block, packet = exif(subject, credit, made_by), xmp(subject, credit, made_by, order.site)
    eight = Image.fromarray(eight_bits(subject.pixels, subject.depth))
    plain = subject.jpeg
    if plain is None:
        out = io.BytesIO()
        eight.save(out, "JPEG", quality=QUALITY, subsampling=0)
        plain = out.getvalue()
    text = {
        "Title": subject.title,
        "Description": subject.caption,
        "Author": credit,
        "Copyright": credit,
        "Creation Time": iso(subject.time),
        "Software": made_by,
    }
    wide = png.widened(subject.pixels, subject.depth)
    ascii_tags = {270: subject.caption, 305: made_by, 306: iso(subject.time)[:19].replace("-", ":").replace("T", " ")}
    array = pds4.array_file(subject)
    thumb = eight.copy()
    thumb.thumbnail((1600, THUMB[1]) if len(subject.rows) > 1 else THUMB)
    small = io.BytesIO()
    thumb.save(small, "JPEG", quality=85)
    label = pds4.label(
        subject, array, f"{subject.name}.img", made=order.made, credit=credit, software=made_by, site=order.site,
        collection=order.collection,
    )  # fmt: skip
    contents = {
        "png": (
            f"pictures/{subject.name}.png",
            png.encode(subject.pixels, subject.depth, text=text, exif=block, xmp=packet),
        ),
        "jpeg": (f"pictures/{subject.name}.jpg", into_jpeg(plain, block, packet)),
        "tiff": (
            f"pictures/{subject.name}.tif",
            tiff.encode(wide, ascii_tags=ascii_tags | {315: credit, 33432: credit}, xmp=packet),
        ),
        "array": (f"pds4/{subject.name}.img", array),
        "label": (f"pds4/{subject.name}.xml", label),
        "thumb": (f"thumbs/{subject.name}.jpg", small.getvalue()),
    }
    for path, data in contents.values():
        (folder / path).write_bytes(data)
    return {kind: path for kind, (path, _) in contents.items()}


def _record(
    subject: Subject, written: Mapping[str, str], folder: Path, order: Order, dictionary: Dictionary
) -> dict[str, Any]:
    return {
        "name": subject.name,
        "title": subject.title,
        "unit": subject.unit,
        "products": list(subject.numbers),
        "archive_rows": list(subject.rows),
        "time": iso(subject.time),
        "facts": dict(facts(subject, order.site)) | {"layerSha256": None},
        "layers": [asdict(layer) for layer in subject.layers],
        "frames": asdict(subject.frames),
        "pixels_sha256": hashlib.sha256(np.ascontiguousarray(subject.pixels).tobytes()).hexdigest(),
        "mosaic": subject.extra,
        "dictionary": f"{dictionary.hash:08x}",
        "software": software(),
        "files": {kind: {"path": p, "sha256": _hash(folder / p)} for kind, p in written.items()},
    }


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def _sums(folder: Path) -> None:
    """SHA256SUMS of every file, as `sha256sum --check` reads it."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    text = "".join(f"{_hash(p)}  {p.relative_to(folder).as_posix()}\n" for p in files)
    (folder / "SHA256SUMS").write_text(text, encoding="utf-8")
