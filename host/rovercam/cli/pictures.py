"""shoot, images, products."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rovercam.cli.common import (
    BaudOption,
    JsonOption,
    PortOption,
    QuietOption,
    UnitOption,
    open_archive,
    print_json,
    print_table,
    run_async,
    size_text,
    utc,
)


def register(app: typer.Typer) -> None:
    app.command()(shoot)
    app.command()(images)
    app.command()(products)


def shoot(
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG to write.")],
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
    size: Annotated[str, typer.Option(help="Camera resolution: qvga, vga, hd, uxga, …")] = "vga",
    camera: Annotated[str | None, typer.Option(help="Which camera: mast, mast_right, hazard, pattern.")] = None,
    roi: Annotated[str | None, typer.Option(help="Region X,Y,W,H in pixels.")] = None,
    bpp: Annotated[float | None, typer.Option(help="Budget in bits per pixel.")] = None,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Every pixel exact (the default without --bpp).")
    ] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Pixels uncoded.")] = False,
    color: Annotated[
        bool, typer.Option("--color", help="Colour, as the camera's own JPEG; not with --lossless, --bpp, --roi.")
    ] = False,
    exposure: Annotated[int | None, typer.Option(help="Exposure in camera lines; automatic without it.")] = None,
    gain: Annotated[int | None, typer.Option(help="Camera gain; automatic without it.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take a picture, bring it down and write it as a PNG."""
    if lossless + raw + (bpp is not None) > 1:
        raise typer.BadParameter("--lossless, --raw and --bpp exclude each other")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}")
    arguments: dict[str, Any] = {"size": size, "codec": "rate" if bpp is not None else "raw" if raw else "lossless"}
    if bpp is not None:
        arguments["rate"] = bpp
    if color:
        if lossless or bpp is not None or roi is not None:
            raise typer.BadParameter(
                "--color brings the camera's own JPEG, whole: leave out --lossless, --bpp and --roi"
            )
        arguments["format"] = "jpeg"
    for name, value in (("camera", camera), ("exposure", exposure), ("gain", gain)):
        if value is not None:
            arguments[name] = value
    if roi is not None:
        arguments |= _region(roi)
    run_async(_shoot(out, port, baud, unit, arguments, json, quiet))


def _region(text: str) -> dict[str, int]:
    try:
        x, y, width, height = (int(n) for n in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"--roi {text!r}: four whole numbers X,Y,W,H are expected") from None
    return {"x": x, "y": y, "width": width, "height": height}


async def _shoot(
    out: Path, port: str | None, baud: int, unit: int | None, arguments: dict[str, Any], json: bool, quiet: bool
) -> None:
    from rovercam.cli.progress import Watcher
    from rovercam.station import actions
    from rovercam.station.session import open_session

    async with open_session(port, baudrate=baud, program="shoot") as session:
        with Watcher("picture", quiet=quiet or json) as watch:
            number = await session.unit(unit)
            shot = await actions.shoot(session, number, arguments, progress=watch)
    out.write_bytes(shot.picture.png())
    height, width = shot.picture.pixels.shape[:2]
    if json:
        print_json(
            {
                "file": str(out),
                "unit": shot.unit,
                "product": shot.number,
                "width": width,
                "height": height,
                "bytes": shot.bytes,
                "seconds": round(shot.seconds, 3),
                "bits_per_pixel": round(8 * shot.bytes / (width * height), 4),
                "fields": dict(shot.picture.fields),
            }
        )
    else:
        print(f"{out}: {width}×{height}, {size_text(shot.bytes)} in {shot.seconds:.1f} s (product {shot.number})")


def images(
    unit: UnitOption = None,
    export: Annotated[Path | None, typer.Option(help="Folder to write every picture to, as PNG.")] = None,
    product: Annotated[int | None, typer.Option(help="Only this product of the unit.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Export also what is not complete.")] = False,
    json: JsonOption = False,
) -> None:
    """List the pictures received, or write them as PNG."""
    from rovercam.station.pictures import NoPicture, render

    with open_archive() as archive:
        found = [p for p in archive.products(unit=unit, kind="picture") if product in (None, p["number"])]
        if export is not None:
            export.mkdir(parents=True, exist_ok=True)
            for p in found:
                try:
                    picture = render(archive, p["id"])
                except NoPicture as error:
                    p["exported"] = f"not shown: {error}"
                    continue
                if picture.complete or partial:
                    target = export / f"unit{p['unit']}-{p['number']:04d}-{p['id']}.png"
                    target.write_bytes(picture.png())
                    p["exported"] = str(target)
    if json:
        print_json(found)
        return
    rows = [
        (
            p["unit"],
            p["number"],
            utc(p["fields"].get("seconds") if p["fields"].get("time_status") == "synchronised" else p["began"]),
            f"{p['width']}×{p['height']}" if p["width"] else "",
            p["fields"].get("codec", ""),
            p["state"],
            size_text(sum(la["received"] for la in p["layers"] if la["layer"] >= 0)),
            p.get("exported", ""),
        )
        for p in found
    ]
    print_table(
        "pictures", ("unit", "product", "time", "size", "codec", "state", "bytes", "file"), rows, "no pictures yet"
    )


def products(
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
    json: JsonOption = False,
) -> None:
    """List the products that are on the unit."""
    run_async(_products(port, baud, unit, json))


async def _products(port: str | None, baud: int, unit: int | None, json: bool) -> None:
    from rovercam.station import actions
    from rovercam.station.session import open_session

    async with open_session(port, baudrate=baud, program="products") as session:
        _, answers = await actions.send(session, await session.unit(unit), "list_products")
    items = [i for a in answers if a.name == "product_list" for i in a.values["items"]]
    if json:
        print_json(items)
        return
    columns = ("product", "kind", "state", "protected", "priority", "layers", "time", "size")
    print_table("products on the unit", columns, [[i[c] for c in columns] for i in items], "no products")
