"""shoot, images, products."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from rovercam.station.actions import Shot


def register(app: typer.Typer) -> None:
    app.command()(shoot)
    app.command()(refine)
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
    color: Annotated[bool, typer.Option("--color", help="Colour: luminance and two planes of chroma.")] = False,
    jpeg: Annotated[
        bool,
        typer.Option("--jpeg", help="What the camera itself coded, whole; not with --lossless, --bpp, --roi, --raw."),
    ] = False,
    binning: Annotated[int, typer.Option(help="1, 2 or 4: so many pixels each way become one.")] = 1,
    focus: Annotated[
        str | None, typer.Option(help="Region of interest X,Y,W,H in the picture: coded finer and sent first.")
    ] = None,
    refinable: Annotated[
        bool, typer.Option("--refinable", help="Bring the base of --bpp now, keep the rest for `rovercam refine`.")
    ] = False,
    thumbnail: Annotated[
        bool, typer.Option("--thumbnail", help="Bring the thumbnail only; see `rovercam refine`.")
    ] = False,
    exposure: Annotated[int | None, typer.Option(help="Exposure in camera lines; automatic without it.")] = None,
    gain: Annotated[int | None, typer.Option(help="Camera gain; automatic without it.")] = None,
    meter: Annotated[
        bool,
        typer.Option("--meter", help="Exposure metered by the unit: parameters exposure_target, exposure_percentile."),
    ] = False,
    balance: Annotated[
        str | None, typer.Option("--white-balance", help="Lock it: sun, office, cloudy, home; automatic without it.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take a picture, bring it down and write it as a PNG."""
    if lossless + raw + (bpp is not None) > 1:
        raise typer.BadParameter("--lossless, --raw and --bpp exclude each other")
    if jpeg and (lossless or raw or color or refinable or focus or bpp is not None or roi is not None or binning != 1):
        raise typer.BadParameter("--jpeg brings the camera's own JPEG, whole: leave out the other choices of coding")
    if raw and (color or focus or refinable or thumbnail):
        raise typer.BadParameter(
            "--raw is one layer of grey pixels: leave out --color, --focus, --refinable, --thumbnail"
        )
    if binning not in (1, 2, 4):
        raise typer.BadParameter(f"--binning {binning}: 1, 2 or 4 is expected")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}")
    arguments: dict[str, Any] = {"size": size, "binning": binning}
    rate = bpp is not None and not refinable
    arguments["codec"] = "rate" if rate else "raw" if raw else "lossless"
    if bpp is not None:
        arguments["rate"] = bpp
    if color or jpeg:
        arguments["format"] = "color" if color else "jpeg"
    for name, value in (("camera", camera), ("exposure", exposure), ("gain", gain), ("white_balance", balance)):
        if value is not None:
            arguments[name] = value
    if meter:
        arguments["metering"] = "histogram"
    if roi is not None:
        arguments |= _region("--roi", roi)
    if focus is not None:
        arguments |= {f"roi_{k}": v for k, v in _region("--focus", focus).items()}
    if thumbnail:
        arguments["last_layer"] = 0
    elif refinable:
        arguments["last_layer"] = 1 if focus is None else 2
    run_async(_shoot(out, port, baud, unit, arguments, json, quiet))


def _region(option: str, text: str) -> dict[str, int]:
    try:
        x, y, width, height = (int(n) for n in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r}: four whole numbers X,Y,W,H are expected") from None
    return {"x": x, "y": y, "width": width, "height": height}


def refine(
    product: Annotated[int, typer.Argument(help="Number of the picture on the unit; see `rovercam images`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG to write.")],
    layer: Annotated[int, typer.Option(min=0, max=15, help="Highest layer to bring; all of them without it.")] = 15,
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring more of a picture that is partly down, nothing twice, and write it as a PNG."""
    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}")
    run_async(_refine(out, port, baud, unit, product, layer, json, quiet))


async def _refine(
    out: Path, port: str | None, baud: int, unit: int | None, product: int, layer: int, json: bool, quiet: bool
) -> None:
    from rovercam.cli.progress import Watcher
    from rovercam.station import actions
    from rovercam.station.session import open_session

    async with open_session(port, baudrate=baud, program="refine") as session:
        with Watcher("picture", quiet=quiet or json) as watch:
            number = await session.unit(unit)
            shot = await actions.refine(session, number, product, last=layer, progress=watch)
    _written(out, shot, json)


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
    _written(out, shot, json)


def _written(out: Path, shot: Shot, json: bool) -> None:
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
