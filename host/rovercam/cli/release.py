"""release: pictures to a folder that can be handed out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rovercam.cli.common import (
    JsonOption,
    QuietOption,
    SinceOption,
    UnitOption,
    UntilOption,
    only_unit,
    open_archive,
    print_json,
    when,
)


def register(app: typer.Typer) -> None:
    app.command()(release)


def release(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; made when it is not there.")],
    products: Annotated[list[str] | None, typer.Argument(help="Product numbers (5, 7-9); all without any.")] = None,
    unit: UnitOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    mosaic: Annotated[
        list[str] | None,
        typer.Option(
            help="Join these to a panorama (1-9, or 1,4,6); several. Its parts appear alone only if named too."
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the press page.")] = "Pictures from the rover",
    credit: Annotated[str, typer.Option(help="Who is to be named.")] = "rovercam",
    introduction: Annotated[str, typer.Option(help="The page's first paragraph.")] = "",
    captions: Annotated[
        Path | None, typer.Option(help='JSON: {"5": {"title": …, "caption": …, "alt": …}, "1-9": …}.')
    ] = None,
    cameras: Annotated[
        Path | None, typer.Option(help="JSON with other lenses: {camera: {field, distortion, …}}.")
    ] = None,
    collection: Annotated[
        str | None, typer.Option(help="PDS4 collection, urn:agency:archive:bundle:collection.")
    ] = None,
    earth: Annotated[bool, typer.Option("--earth", help="Taken on Earth: no sol, no solar time.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Also pictures that are not complete.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Publish pictures: PNG, JPEG, TIFF, PDS4, captions, provenance and a press page."""
    import time

    from rovercam.marstime import ZHURONG
    from rovercam.release import pds4
    from rovercam.release.cameras import load
    from rovercam.release.errors import ReleaseError
    from rovercam.release.publish import Order, publish

    if collection is not None and not pds4.COLLECTION_FORM.match(collection):
        raise typer.BadParameter(f"{collection!r}: expected urn:agency:archive:bundle:collection in small letters")
    wanted = {n for text in products or () for n in _numbers(text)}
    joined = [tuple(_numbers(m)) for m in mosaic or ()]
    with open_archive() as archive:
        unit = only_unit(archive, unit)
        start, end = when(since, 0.0), when(until, 1e12)
        found: dict[int, Any] = {}
        for row in archive.products(unit=unit, kind="picture", limit=1 << 30):
            chosen = row["number"] in wanted or any(row["number"] in m for m in joined) or not (wanted or joined)
            at = row["fields"].get("seconds") if row["fields"].get("time_status") == "synchronised" else row["began"]
            if chosen and start <= at < end and (partial or row["state"] == "down"):
                found[row["number"]] = row  # the newest of a number
        missing = sorted(wanted - found.keys())
        if missing:
            raise ReleaseError(
                f"unit {unit} has no complete picture {', '.join(map(str, missing))}; see `rovercam images`"
            )
        order = Order(
            title=title,
            credit=credit,
            made=time.time(),
            site=None if earth else ZHURONG,
            models=load(cameras),
            introduction=introduction,
            mosaics=joined,
            hidden=frozenset(n for m in joined for n in m) - wanted,
            words=_words(captions),
            collection=collection or pds4.COLLECTION,
        )
        show = (lambda _: None) if quiet or json else (lambda name: print(name, flush=True))
        records = publish(archive, list(found.values()), folder, order, show)
    if json:
        print_json({"folder": str(folder), "page": str(folder / "index.html"), "pictures": records})
    else:
        print(f"{len(records)} pictures; open {folder / 'index.html'}")


def _numbers(text: str) -> list[int]:
    """ "3", "7-9" or "1,4,6"; raises BadParameter."""
    found: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            found += range(int(first), int(last) + 1) if dash else [int(first)]
    except ValueError:
        found = []
    if not found or len(found) > 10_000:
        raise typer.BadParameter(f"{text!r}: product numbers are written 5, 7-9 or 1,4,6")
    return found


def _words(path: Path | None) -> Any:
    import json

    if path is None:
        return None
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(v, dict) and all(isinstance(t, str) for t in v.values()) for v in words.values()):
            raise ValueError("each product's words are an object of texts")
    except (ValueError, AttributeError, OSError) as error:
        raise typer.BadParameter(f"{path}: {error}") from error
    return words
