"""keys list, export, import, rotate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rovercam.cli.common import BaudOption, JsonOption, PortOption, print_json, print_table, run_async

keys_app = typer.Typer(help="Keys that commands are authenticated with, one per unit.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(keys_app, name="keys")


def _store():  # type: ignore[no-untyped-def]
    from rovercam import places
    from rovercam.keys import KeyStore

    return KeyStore(places.home() / "keys")


@keys_app.command("list")
def list_keys(json: JsonOption = False) -> None:
    """Units with a key here; fingerprints, never the keys."""
    import hashlib

    store = _store()
    rows = [(u, hashlib.sha256(store.get(u)).hexdigest()[:16], str(store.path(u))) for u in store.units()]
    if json:
        print_json([dict(zip(("unit", "fingerprint", "file"), r, strict=True)) for r in rows])
    else:
        print_table("keys", ("unit", "fingerprint", "file"), rows, "no keys; `rovercam flash` and `emulate` make them")


@keys_app.command()
def export(
    unit: Annotated[int, typer.Argument(help="Unit id.")],
    file: Annotated[Path, typer.Argument(help="File to write, readable by you only.")],
) -> None:
    """Write a unit's key to a file, to bring it to another computer."""
    import os

    from rovercam.keys import text_of

    key = _store().keys(unit)[0]
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise typer.BadParameter(f"{file} exists already") from None
    with os.fdopen(descriptor, "w") as out:
        out.write(text_of(key) + "\n")
    print(f"{file}: key of unit {unit}; whoever has it can command the unit")


@keys_app.command("import")
def import_key(
    unit: Annotated[int, typer.Argument(help="Unit id.", min=1, max=99)],
    file: Annotated[Path, typer.Argument(help="File with 64 hexadecimal digits.", exists=True, dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace another key.")] = False,
) -> None:
    """Take a unit's key from a file."""
    from rovercam.keys import parse_key

    key = parse_key(file.read_text(errors="replace"), str(file))
    store = _store()
    print(store.put(unit, key.value, overwrite=force))
    store.settle(unit, key)


@keys_app.command()
def rotate(
    unit: Annotated[int, typer.Argument(help="Unit id.", min=1, max=99)],
    port: PortOption = None,
    baud: BaudOption = 115200,
) -> None:
    """Go over to a new key over the line. It is not sent: both ends derive it from the old key and a nonce. Interrupted anywhere, run it again."""
    run_async(_rotate(unit, port, baud))


async def _rotate(unit: int, port: str | None, baud: int) -> None:
    import secrets

    from rovercam.keys import NONCE_BYTES
    from rovercam.station import actions
    from rovercam.station.session import open_session

    _store().get(unit)
    async with open_session(port, baudrate=baud, program="keys") as session:
        await session.unit(unit)
        # A rotation that was cut off is settled by any command; under whichever key this one is taken, the next follows from that.
        await actions.send(session, unit, "ping")
        await actions.send(session, unit, "rotate_key", {"nonce": secrets.token_bytes(NONCE_BYTES).hex()})
        await actions.send(session, unit, "ping")
    print(f"unit {unit} has a new key, number {_store().keys(unit)[0].index}")
