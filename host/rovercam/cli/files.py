"""get, put, files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rovercam.cli.common import (
    BaudOption,
    JsonOption,
    PortOption,
    QuietOption,
    UnitOption,
    print_json,
    print_table,
    run_async,
    size_text,
)


def register(app: typer.Typer) -> None:
    app.command()(get)
    app.command()(put)
    app.command()(files)


def get(
    remote: Annotated[str, typer.Argument(help="File on the unit, like /config.json.")],
    local: Annotated[Path, typer.Argument(help="File or folder here.")],
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring a file of the unit here; an interrupted transfer goes on where it was."""
    if local.is_dir():
        local = local / Path(remote).name
    if not local.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {local.parent}")
    run_async(_get(remote, local, port, baud, unit, json, quiet))


async def _get(
    remote: str, local: Path, port: str | None, baud: int, unit: int | None, json: bool, quiet: bool
) -> None:
    from rovercam.cli.progress import Watcher
    from rovercam.station import actions
    from rovercam.station.session import open_session

    async with open_session(port, baudrate=baud, program="get") as session:
        with Watcher(remote, quiet=quiet or json) as watch:
            file = await actions.get(session, await session.unit(unit), remote, progress=watch)
    new = local.with_name(local.name + ".part")
    new.write_bytes(file.data)
    new.replace(local)
    if json:
        print_json({"file": str(local), "bytes": len(file.data), "seconds": round(file.seconds, 3)})
    else:
        print(f"{local}: {size_text(len(file.data))} in {file.seconds:.1f} s")


def put(
    local: Annotated[Path, typer.Argument(help="File here.", exists=True, dir_okay=False)],
    remote: Annotated[str, typer.Argument(help="File on the unit, like /t/tables.bin.")],
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring a file to the unit; goes on over interruptions of the line."""
    run_async(_put(local, remote, port, baud, unit, json, quiet))


async def _put(
    local: Path, remote: str, port: str | None, baud: int, unit: int | None, json: bool, quiet: bool
) -> None:
    from rovercam.cli.progress import Watcher
    from rovercam.station import actions
    from rovercam.station.session import open_session

    data = local.read_bytes()
    async with open_session(port, baudrate=baud, program="put") as session:
        with Watcher(remote, quiet=quiet or json) as watch:
            seconds = await actions.put(session, await session.unit(unit), data, remote, progress=watch)
    if json:
        print_json({"file": remote, "bytes": len(data), "seconds": round(seconds, 3)})
    else:
        print(f"{remote}: {size_text(len(data))} in {seconds:.1f} s")


def files(
    folder: Annotated[str, typer.Argument(help="Folder on the unit.")] = "/",
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
    json: JsonOption = False,
) -> None:
    """List a folder of the unit."""
    run_async(_files(folder, port, baud, unit, json))


async def _files(folder: str, port: str | None, baud: int, unit: int | None, json: bool) -> None:
    from rovercam.station import actions
    from rovercam.station.session import open_session

    async with open_session(port, baudrate=baud, program="files") as session:
        _, answers = await actions.send(session, await session.unit(unit), "list_files", {"path": folder})
    items = [i for a in answers if a.name == "file_list" for i in a.values["items"]]
    if json:
        print_json(items)
        return
    rows = [(i["name"] + ("/" if i["folder"] else ""), "" if i["folder"] else i["size"]) for i in items]
    print_table(f"files in {folder}", ("name", "bytes"), rows, "empty folder")
