"""`rovercam flash`: the unit's firmware onto a board with MicroPython."""

from __future__ import annotations

import json as jsonlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rovercam.cli.common import JsonOption

if TYPE_CHECKING:
    from rovercam_hil.flashing.prompt import Prompt


def register(app: typer.Typer) -> None:
    app.command("flash", help=__doc__)(flash)


def flash(
    port: Annotated[
        str | None, typer.Option("--port", "-p", help="Port of MicroPython's prompt; default: the only board there is.")
    ] = None,
    unit: Annotated[
        int | None, typer.Option("--unit", "-u", min=1, max=255, help="Unit id; default: what the board has, else 1.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="rover or remote.")] = None,
    line: Annotated[str | None, typer.Option(help="The unit's line: usb (default) or uart.")] = None,
    baud: Annotated[int | None, typer.Option(help="Rate of the unit's UART.")] = None,
    pins: Annotated[Path | None, typer.Option(help="Pin map (TOML) that replaces the board's own.")] = None,
    micropython: Annotated[Path | None, typer.Option(help="UF2 to put onto the boot drive first.")] = None,
    firmware: Annotated[Path | None, typer.Option(help="Firmware folder; default: the one of this rovercam.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    erase: Annotated[bool, typer.Option("--erase", help="Make the board's file system anew first.")] = False,
    backup: Annotated[Path | None, typer.Option(help="Copy the board's files here first.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hash every file on the board even if its manifest is right.")
    ] = False,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Run the self-test even if nothing was written.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Bench mode: commands are not authenticated (also `ground --insecure`).")
    ] = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="Leave the board at its prompt.")] = False,
    json: JsonOption = False,
) -> None:
    from rovercam.line.errors import LineError

    from rovercam_hil.boards.base import BoardError
    from rovercam_hil.boards.pinmaps import PinMapError
    from rovercam_hil.flashing import micropython as images
    from rovercam_hil.flashing.prompt import open_prompt

    if role not in (None, "rover", "remote"):
        raise typer.BadParameter(f"--role {role}: expected rover or remote")
    if line not in (None, "usb", "uart"):
        raise typer.BadParameter(f"--line {line}: expected usb or uart")
    asked: dict[str, Any] = {"unit": unit, "role": role, "line": line, "baud": baud, "insecure": insecure or None}
    try:
        if micropython is not None:
            drive = images.put(micropython)
            typer.echo(f"MicroPython copied to {drive}; the board restarts", err=True)
            time.sleep(4.0)
        with open_prompt(port or only_board(), 115200) as prompt:
            result = _flash(
                prompt, asked, pins, firmware, dry_run=dry_run, erase=erase, backup=backup, start=not no_start, say=not json,
                verify=verify, self_test=self_test,
            )  # fmt: skip
    except PinMapError as error:
        raise typer.BadParameter(str(error)) from None
    except (BoardError, LineError) as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None
    if json:
        print(jsonlib.dumps(result))
    if not result["good"]:
        raise typer.Exit(1)


def only_board() -> str:
    """Its port. Raises FlashError when there is none, or more than one."""
    from rovercam.line.ports import ports

    from rovercam_hil.flashing.prompt import FlashError

    found = [p for p in ports() if p.board]
    if not found:
        raise FlashError("no board is plugged in (no port of a known board); name its port with --port")
    if len(found) > 1:
        raise FlashError(
            "several boards: " + ", ".join(f"{p.device} ({p.board})" for p in found) + "; name one with --port"
        )
    return found[0].device


def _flash(
    prompt: Prompt,
    asked: dict[str, Any],
    pins: Path | None,
    firmware: Path | None,
    *,
    dry_run: bool,
    erase: bool,
    backup: Path | None,
    start: bool,
    say: bool,
    verify: bool = False,
    self_test: bool = False,
) -> dict[str, Any]:
    from rovercam import places
    from rovercam.keys import KeyStore

    from rovercam_hil.boards import pinmaps
    from rovercam_hil.flashing import install, selftest

    began = time.monotonic()

    def tell(text: str) -> None:
        if say:
            typer.echo(f"{time.monotonic() - began:5.1f} s  {text}")

    found = prompt.recognise()
    version = ".".join(map(str, found.version))
    tell(
        f"{found.machine}, MicroPython {version}"
        + ("" if found.proven else " - UNPROVEN on hardware: please tell us how it goes")
    )
    old = install.read_settings(prompt)
    if backup is not None:
        tell(f"{install.backup(prompt, backup)} files copied to {backup}")
    if pins is not None:
        wiring = pinmaps.load_file(pins)
        pinmaps.check(wiring)
        asked["pins"] = wiring.pins
    config = install.settings(found, {} if erase else old, asked)
    if erase and not dry_run:
        install.erase(prompt)
        tell("file system made anew")
    keys = KeyStore(places.home() / "keys")
    seen = prompt.glance()
    if dry_run:
        key, decided = keys.find(config["unit"]) or bytes(32), "a key"
    else:
        key, decided = install.unit_key(keys, config["unit"], seen[2].get("/key.bin"))
    made = install.compare(prompt, install.contents(found, config, key, firmware), verify=verify, seen=seen)
    if dry_run:
        for path in made.remove:
            tell(f"would remove {path}")
        for path, data in made.write.items():
            tell(f"would write {path} ({len(data)} bytes)")
        tell(f"{made.unchanged} files are right already")
        return {
            "good": True,
            "dry_run": True,
            "write": list(made.write),
            "remove": made.remove,
            "unchanged": made.unchanged,
        }
    install.install(prompt, made)
    tell(
        f"{len(made.write)} files written ({made.size} bytes), {len(made.remove)} removed, {made.unchanged} right already; all verified"
        if not made.empty
        else f"all {made.unchanged} files are right already"
    )
    tell(f"unit {config['unit']}, role {config['role']}, line {config['line']}, {decided}")
    checks = [] if made.empty and not self_test else selftest.run(prompt, config["unit"])
    if say and checks:
        typer.echo(selftest.text(checks))
    good = not selftest.worst(checks)
    if start:
        prompt.restart()
    tell("the unit starts" if start else "the board stays at its prompt")
    return {
        "good": good, "board": found.board, "machine": found.machine, "micropython": version, "unit": config["unit"],
        "written": list(made.write), "removed": made.remove, "unchanged": made.unchanged, "key": decided,
        "selftest": [vars(c) for c in checks], "seconds": round(time.monotonic() - began, 2),
    }  # fmt: skip
