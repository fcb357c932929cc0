"""ground: the station, with a live view in the terminal, the web console or neither."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rovercam.cli.common import BaudOption, number, run_async, size_text, utc

if TYPE_CHECKING:
    from rovercam.station.session import OwnSession
    from rovercam.station.updates import Update

EVENTS_SHOWN = 10
TRANSFERS_SHOWN = 6
VALUES_SHOWN = 18
COLORS = {"red": "bold red", "yellow": "yellow", "high": "bold red", "medium": "yellow", "low": "cyan", "info": ""}


def register(app: typer.Typer) -> None:
    app.command()(ground)


def ground(
    port: Annotated[
        list[str], typer.Option("--port", "-p", envvar="ROVERCAM_PORT", help="Port or pyserial URL; several.")
    ],
    baud: BaudOption = 115200,
    web: Annotated[str, typer.Option(help="Address of the console in the browser.")] = "127.0.0.1:8080",
    no_web: Annotated[bool, typer.Option("--no-web", help="Terminal only.")] = False,
    site_map: Annotated[
        Path | None, typer.Option("--map", help="Picture from orbit, north up, to show the traverse on.")
    ] = None,
    map_scale: Annotated[
        float | None, typer.Option(help="Metres per pixel of --map; else its world file says so.")
    ] = None,
    map_site: Annotated[
        str | None, typer.Option(metavar="X,Y", help="Pixel of --map where the pose was set, right and down.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Folder to record every port to.")] = None,
    set_clocks: Annotated[bool, typer.Option(help="Set the clock of units that ask for it.")] = True,
    yamcs: Annotated[
        bool, typer.Option("--yamcs", help="Serve Yamcs too (`rovercam yamcs export` writes its side).")
    ] = False,
    yamcs_port: Annotated[int, typer.Option(help="First of the three ports for Yamcs.")] = 10016,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Bench mode without authentication; the units must be set to it too.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the live view (as when piped).")] = False,
) -> None:
    """Run the ground station on one or more ports, until Ctrl-C."""
    console = None if no_web else Console(web, site_map, map_scale, None if map_site is None else _pixel(map_site))
    try:
        run_async(_ground(port, baud, console, record, set_clocks, plain, yamcs, yamcs_port, insecure))
    except KeyboardInterrupt:
        print("station ended; everything received is in the archive")


@dataclass(frozen=True)
class Console:
    """Where the console is served, and the map it shows: file, metres per pixel, pixel of the site."""

    address: str
    map: Path | None
    scale: float | None
    site: tuple[float, float] | None


def _pixel(text: str) -> tuple[float, float]:
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no pixel: X,Y is needed, as in 512,380", param_hint="--map-site"
        ) from None
    return x, y


async def _ground(
    ports: list[str],
    baud: int,
    console: Console | None,
    record: Path | None,
    set_clocks: bool,
    plain: bool,
    yamcs: bool,
    yamcs_port: int,
    insecure: bool,
) -> None:
    import sys
    from contextlib import AsyncExitStack

    from rovercam import places
    from rovercam.line.recording import Recorder
    from rovercam.line.stream import Line
    from rovercam.station.server import Server
    from rovercam.station.session import own_session, sender_name

    home = places.home()
    lines = []
    async with AsyncExitStack() as stack:
        for url in ports:
            recorder = None
            if record is not None:
                record.mkdir(parents=True, exist_ok=True)
                name = "".join(c if c.isalnum() else "-" for c in url).strip("-")
                recorder = stack.enter_context(Recorder(record / f"{name}.rec"))
            lines.append(Line(url, baudrate=baud, recorder=recorder))
        session = await stack.enter_async_context(
            own_session(lines, home=home, sender=sender_name("ground"), set_clocks=set_clocks, insecure=insecure)
        )
        await stack.enter_async_context(Server(session.runner, home))
        address = ""
        if console is not None:
            address = await _start_web(stack, session, console)
            print(f"console: {address}", flush=True)
        if yamcs:
            from rovercam.yamcs import gateway

            await stack.enter_async_context(gateway.serve(session, address, yamcs_port))
            print(
                f"yamcs: telemetry on TCP port {yamcs_port}, files on the next, commands on UDP after that", flush=True
            )
        if plain or not sys.stdout.isatty():
            await _lines(session)
        else:
            await _view(session)


async def _start_web(stack: Any, session: OwnSession, console: Console) -> str:
    from rovercam.station.core import StationError

    try:
        from rovercam.web import serve
        from rovercam.web.sitemap import load
    except ImportError as error:
        raise StationError(
            f"the console needs more than is installed ({error}): pip install 'rovercam[web]', or say --no-web"
        ) from error
    site_map = None if console.map is None else load(console.map, console.scale, console.site)
    address: str = await stack.enter_async_context(serve(session, console.address, site_map))
    return address


async def _lines(session: OwnSession) -> None:
    """One line per update, for logs."""
    async for update in session.updates():
        text = describe(update)
        if text:
            print(f"{utc(update.time)}  {text}", flush=True)


def describe(update: Update) -> str:
    """One line, or nothing for what comes too often to be worth one."""
    from rovercam.station import updates

    if isinstance(update, updates.EventReceived):
        return f"unit {update.unit}  {update.severity}  {update.text}"
    if isinstance(update, updates.PortChanged):
        return f"port {update.port}  {update.state}  {update.text}".rstrip()
    if isinstance(update, updates.UnitHeard):
        return f"unit {update.unit}  heard on {update.port}"
    if isinstance(update, updates.CommandChanged) and update.stages:
        last = update.stages[-1]
        return (
            f"unit {update.unit}  {update.name}: {last.stage} {'' if last.success else 'FAILED '}{last.text}".rstrip()
        )
    if isinstance(update, updates.TransferChanged) and update.status != "active":
        return (
            f"unit {update.unit}  {update.name}: {update.status}, {size_text(update.received)} {update.text}".rstrip()
        )
    return ""


class View:
    """What the live view shows, brought up to date by updates."""

    def __init__(self, session: OwnSession):
        self.session = session
        self.values: dict[tuple[int, str], tuple[float, Any, str]] = {}
        self.events: list[Any] = []
        self.transfers: dict[int, Any] = {}
        self.commands: dict[int, Any] = {}

    def update(self, update: Update) -> None:
        from rovercam.station import updates

        if isinstance(update, updates.Telemetry):
            for name, value in update.values.items():
                self.values[update.unit, name] = (update.time, value, update.alarms.get(name, ""))
        elif isinstance(update, updates.EventReceived):
            self.events = [*self.events[1 - EVENTS_SHOWN :], update]
        elif isinstance(update, updates.TransferChanged):
            self.transfers.pop(update.transfer, None)
            self.transfers[update.transfer] = update
            for row in list(self.transfers)[:-TRANSFERS_SHOWN]:
                del self.transfers[row]
        elif isinstance(update, updates.CommandChanged):
            self.commands[update.id] = update
            for row in list(self.commands)[:-EVENTS_SHOWN]:
                del self.commands[row]

    def render(self) -> Any:
        from rich.console import Group
        from rich.panel import Panel

        parts = [Panel(self._links(), title="link", title_align="left")]
        if self.values:
            parts.append(Panel(self._telemetry(), title="telemetry", title_align="left"))
        if self.transfers:
            parts.append(Panel(self._files(), title="files", title_align="left"))
        if self.commands:
            parts.append(Panel(self._commands(), title="commands", title_align="left"))
        parts.append(Panel(self._events(), title="events", title_align="left"))
        return Group(*parts)

    def _table(self, *columns: str) -> Any:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
        for column in columns:
            table.add_column(column, no_wrap=True)
        return table

    def _links(self) -> Any:
        station = self.session.station
        table = self._table("port", "unit", "last heard", "frames", "lost", "corrected", "profile", "uplink")
        now = self.session.runner.clock()
        heard = set()
        for unit in station.units():
            link = station.link(unit)
            heard.add(link.port)
            up = ", ".join(f"{k} {number(v)}" for k, v in link.uplink.items())
            warn = " [bold red]insecure[/bold red]" if link.insecure else ""
            table.add_row(
                link.port, f"{unit}{warn}", f"{now - link.heard:.0f} s ago", str(link.frames), str(link.lost),
                str(link.corrected), link.profile, up,
            )  # fmt: skip
        for port, is_open in station.ports().items():
            if port not in heard:
                table.add_row(port, "–", "nothing heard" if is_open else "[yellow]waiting for the port[/yellow]")
        return table

    def _telemetry(self) -> Any:
        from rich.columns import Columns
        from rich.text import Text

        shown = []
        parameters = self.session.station.dictionary.parameters
        several = len({u for u, _ in self.values}) > 1
        ordered = sorted(self.values.items(), key=lambda item: (item[1][2] == "", item[0]))
        for (unit, name), (_, value, alarm) in ordered[: VALUES_SHOWN * 2]:
            who = f"{unit}." if several else ""
            shown.append(Text(f"{who}{name} {number(value)} {parameters[name].unit}", style=COLORS.get(alarm, "")))
        return Columns(shown, equal=True, expand=True)

    def _files(self) -> Any:
        from rich.progress_bar import ProgressBar

        table = self._table("unit", "file", "", "received", "state")
        for t in self.transfers.values():
            arrow = "↓" if t.direction == "down" else "↑"
            bar = ProgressBar(total=t.size or 1, completed=t.received, width=24)
            table.add_row(f"{t.unit} {arrow}", t.name, bar, f"{size_text(t.received)} / {size_text(t.size)}", t.status)
        return table

    def _commands(self) -> Any:
        table = self._table("time", "unit", "command", "state", "")
        for c in self.commands.values():
            style = {"done": "green", "failed": "bold red", "lost": "bold red"}.get(c.state, "")
            table.add_row(
                utc(c.time, date=False), str(c.unit), c.name, f"[{style}]{c.state}[/]" if style else c.state, c.reason
            )
        return table

    def _events(self) -> Any:
        from rich.text import Text

        table = self._table("time", "unit", "severity", "event")
        for e in self.events:
            style = COLORS.get(e.severity, "")
            table.add_row(utc(e.time, date=False), str(e.unit), Text(e.severity, style=style), Text(e.text))
        return table


async def _view(session: OwnSession) -> None:
    import asyncio

    from rich.live import Live

    view = View(session)
    for event in session.archive.events(limit=EVENTS_SHOWN):
        from rovercam.station.updates import EventReceived

        view.events.append(
            EventReceived(
                time=event["time"], id=event["id"], unit=event["unit"], received=event["received"], name=event["name"],
                severity=event["severity"], text=event["text"],
            )
        )  # fmt: skip
    reader = session.updates()

    async def take() -> None:
        async for update in reader:
            view.update(update)

    task = asyncio.create_task(take())
    try:
        with Live(view.render(), refresh_per_second=4, screen=True) as live:
            while not task.done():
                await asyncio.sleep(0.25)
                live.update(view.render())
    finally:
        task.cancel()
