"""`rovercam emulate`: an emulated unit whose line is a port of this computer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rovercam_hil.boards.endpoint import Endpoint


def register(app: typer.Typer) -> None:
    app.command("emulate", help=__doc__)(emulate)


def emulate(
    scene: Annotated[str, typer.Option(help="What the cameras see: mars, pattern, or a picture file.")] = "mars",
    link: Annotated[Path | None, typer.Option(help="Name (symbolic link) for the pseudo-terminal.")] = None,
    tcp: Annotated[
        int | None, typer.Option(help="Serve the line on this TCP port instead; 0 takes a free one.")
    ] = None,
    baud: Annotated[int, typer.Option(help="Rate of the unit's UART.")] = 115200,
    usb: Annotated[bool, typer.Option("--usb", help="The unit's USB port is its line.")] = False,
    line: Annotated[str, typer.Option(help="Impair the line: key=value,… (rovercam line --help).")] = "",
    file: Annotated[list[str] | None, typer.Option(help="LOCAL:REMOTE, a file put on the unit first.")] = None,
    unit: Annotated[int, typer.Option(min=1, max=255, help="Unit id.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of everything random, and of the unit's key.")] = 1,
    image: Annotated[Path | None, typer.Option(help="MicroPython UF2; by itself the pinned one is fetched.")] = None,
    repl: Annotated[
        str | None, typer.Option(help="Serve the REPL too: a TCP port number, or a name for a pseudo-terminal.")
    ] = None,
    flash: Annotated[Path | None, typer.Option(help="File that keeps the unit's flash between runs.")] = None,
    bare: Annotated[bool, typer.Option("--bare", help="No camera, no sensors: the board alone.")] = False,
    native: Annotated[
        bool,
        typer.Option(
            "--native", help="Run the firmware as a program of this computer, without a chip: hardly any load, no REPL."
        ),
    ] = False,
    strap: Annotated[bool, typer.Option("--strap", help="Strap pin to ground: MicroPython's prompt only.")] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Bench mode: commands are not authenticated (also `ground --insecure`).")
    ] = False,
) -> None:
    from rovercam import places
    from rovercam.keys import FIRST_INDEX, KeyStore

    from rovercam_hil.boards.base import BoardError
    from rovercam_hil.boards.endpoint import Pty, Tcp
    from rovercam_hil.boards.serve import Service, stopping
    from rovercam_hil.boards.unit import make_unit
    from rovercam_hil.devices.scene import SceneError, open_scene
    from rovercam_hil.line import LineSpec, LineSpecError

    if link is not None and tcp is not None:
        raise typer.BadParameter("--link names a pseudo-terminal, --tcp serves a port: one of them")
    if repl is not None and usb:
        raise typer.BadParameter("with --usb the line is the only USB port: there is no REPL beside it")
    if native and (usb or strap or image or repl is not None):
        raise typer.BadParameter("--native: there is no chip with a USB port, a strap pin, an image or a REPL")
    if not 300 <= baud <= 4_000_000:
        raise typer.BadParameter(f"--baud {baud}: expected 300 to 4000000")
    try:
        spec = LineSpec.parse(line, baud=0 if usb else baud, seed=seed) if line else None
        looking_at = open_scene(scene, seed)
        extra = dict(_file(text) for text in file or [])
    except (LineSpecError, SceneError) as error:
        raise typer.BadParameter(str(error)) from None

    kept = flash is not None and flash.exists()
    endpoints: list[Endpoint] = []
    made = None
    with stopping() as stop:
        try:
            made = make_unit(
                unit=unit,
                seed=seed,
                scene=looking_at,
                bare=bare,
                baud=baud,
                usb=usb,
                image=image,
                extra=extra,
                flash_file=flash,
                strap=strap,
                native=native,
                config={"insecure": True} if insecure else None,
            )
            keys = KeyStore(places.home() / "keys")
            if not (kept and unit in keys.units() and keys.keys(unit)[0].index > FIRST_INDEX):  # rotated: in that flash
                keys.put(unit, made.key, overwrite=True)
            port = Tcp(tcp) if tcp is not None else Pty(link)
            endpoints.append(port)
            console = None
            if repl is not None:
                console = Tcp(int(repl)) if repl.isdigit() else Pty(repl)
                endpoints.append(console)
            made.board.power_on()
            print(f"unit {unit}: {port.name}", flush=True)
            if console is not None:
                print(f"REPL: {console.name}", flush=True)
            service = Service(made.board, port, console, spec)
            service.run(stop)
            if service.lag > 1.0:
                share = made.board.time / (made.board.time + service.lag)
                print(f"this machine kept up with {share:.0%} of real time", file=sys.stderr)
        except BoardError as error:
            print(f"rovercam: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        finally:
            if made is not None:
                made.board.close()
            for endpoint in endpoints:
                endpoint.close()


def _file(text: str) -> tuple[str, bytes]:
    """LOCAL:REMOTE; the last colon separates, so that Windows paths work."""
    local, colon, remote = text.rpartition(":")
    if not colon or not local or not remote:
        raise typer.BadParameter(f"--file {text}: expected LOCAL:REMOTE")
    path = Path(local)
    if not path.is_file():
        raise typer.BadParameter(f"--file {local}: no such file")
    return "/" + remote.lstrip("/"), path.read_bytes()
