"""ports, record, replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rovercam.cli.common import BaudOption, JsonOption, print_json, print_table, run_async, size_text


def register(app: typer.Typer) -> None:
    app.command()(ports)
    app.command()(record)
    app.command()(replay)


def ports(json: JsonOption = False) -> None:
    """List the serial ports of this computer."""
    import dataclasses

    from rovercam.line.ports import holder
    from rovercam.line.ports import ports as all_ports

    found = [dataclasses.asdict(p) | {"held_by": holder(p.device)} for p in all_ports()]
    if json:
        print_json(found)
        return
    rows = [(p["device"], p["board"], p["description"], p["held_by"]) for p in found]
    print_table(
        "ports", ("port", "board", "description", "in use by"), rows, "no serial ports; is the board plugged in?"
    )


def record(
    file: Annotated[Path, typer.Argument(help="Recording to write or to append to.")],
    port: Annotated[str, typer.Option("--port", "-p", envvar="ROVERCAM_PORT", help="Port or pyserial URL.")],
    baud: BaudOption = 115200,
    seconds: Annotated[float | None, typer.Option(help="End after so long.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No count.")] = False,
) -> None:
    """Record the bytes of a port, without understanding them; Ctrl-C ends it."""
    total = 0
    try:
        total = run_async(_record(file, port, baud, seconds, quiet))
    except KeyboardInterrupt:
        if seconds is not None:
            raise
    if not quiet:
        print(f"{file}: {size_text(total or file.stat().st_size)}")


async def _record(file: Path, port: str, baud: int, seconds: float | None, quiet: bool) -> int:
    import asyncio
    import sys
    from contextlib import suppress

    from rovercam.line.recording import Recorder
    from rovercam.line.stream import Line, keep_open

    total = 0

    def state(name: str, text: str) -> None:
        if not quiet:
            print(f"{name}: {text}", file=sys.stderr)

    with Recorder(file) as recorder, suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for data in keep_open(Line(port, baudrate=baud, recorder=recorder), on_state=state, forever=False):
                total += len(data)
    return total


def replay(
    file: Annotated[Path, typer.Argument(help="Recording.", exists=True, dir_okay=False)],
    speed: Annotated[float, typer.Option(help="Times real time; 0: as fast as possible.")] = 1.0,
    tcp: Annotated[int | None, typer.Option(help="Serve it on this TCP port of the loopback, as a unit would.")] = None,
    archive: Annotated[Path | None, typer.Option(help="Into this archive instead of the station's.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end (with --tcp).")] = False,
    json: JsonOption = False,
) -> None:
    """Receive a recording as if it came now, or serve it on a TCP port."""
    if tcp is not None:
        run_async(_serve(file, speed, tcp, loop))
    else:
        run_async(_replay(file, speed, archive, json))


async def _replay(file: Path, speed: float, path: Path | None, json: bool) -> None:
    """Received at the recorded times: the archive looks as it would have then."""
    import asyncio

    from rovercam import places
    from rovercam.archive import Archive
    from rovercam.keys import KeyStore
    from rovercam.line.recording import FROM_UNIT, records
    from rovercam.station.core import Station
    from rovercam.station.updates import EventReceived

    port = f"replay:{file.name}"
    counts = {"bytes": 0, "frames": 0, "events": 0}

    def show(update: object) -> None:
        if isinstance(update, EventReceived):
            counts["events"] += 1
            if speed and not json:
                print(f"unit {update.unit}  {update.severity:6}  {update.text}", flush=True)

    with Archive(path or places.home() / "archive.db") as store:
        station: Station | None = None
        before = now = 0.0
        for record in records(file):
            if record.direction != FROM_UNIT:
                continue
            if station is None:
                station = Station(store, KeyStore(places.home() / "keys"), now=record.time)
                station.subscribe(show)
                station.attach(port, record.time)
                before = record.time
            now = max(now, record.time)
            if speed and now > before:
                await asyncio.sleep((now - before) / speed)
                before = now
            station.receive(port, record.data, now)
            counts["bytes"] += len(record.data)
        if station is not None:
            station.detach(port, now)
            counts["frames"] = sum(station.link(u).frames for u in station.units())
    if json:
        print_json(counts)
    else:
        print(f"{file}: {size_text(counts['bytes'])}, {counts['frames']} frames, {counts['events']} events")


async def _serve(file: Path, speed: float, port: int, loop: bool) -> None:
    import asyncio
    import sys
    from contextlib import suppress

    from rovercam.line import LineLost
    from rovercam.line.recording import Replay

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                line = Replay(file, speed=speed)
                await line.open()
                with suppress(LineLost):
                    while True:
                        writer.write(await line.read())
                        await writer.drain()
                if not loop:
                    break
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", port)
    address = server.sockets[0].getsockname()
    print(f"serving {file} on socket://{address[0]}:{address[1]}", file=sys.stderr, flush=True)
    async with server:
        await server.serve_forever()
