"""Serves the console and the API from the event loop that the station runs on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import uvicorn

from rovercam.station.core import Station, StationError
from rovercam.web.access import OPERATOR, VIEWER, Access, Guard, Receive, Scope, Send
from rovercam.web.api import make_api
from rovercam.web.console import shell
from rovercam.web.context import Clockwork, Context
from rovercam.web.live import Hub
from rovercam.web.model import Model
from rovercam.web.reads import Pictures, Reads
from rovercam.web.sitemap import SiteMap

START_TIMEOUT = 20.0


class Host(Protocol):
    """What is served; a station.session.OwnSession is one."""

    @property
    def station(self) -> Station: ...
    @property
    def runner(self) -> Clockwork: ...
    @property
    def sender(self) -> str: ...


class _Server(uvicorn.Server):
    """Leaves signals to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _address(text: str) -> tuple[str, int]:
    host, mark, port = text.rpartition(":")
    if not mark or not port.isdigit() or int(port) > 65535:
        raise StationError(f"{text!r} is no address: HOST:PORT is needed, as in 127.0.0.1:8080")
    return host.strip("[]") or "127.0.0.1", int(port)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
    except OSError as error:
        raise StationError(f"the console cannot listen on {host}:{port}: {error}; choose another with --web") from error
    return found


@asynccontextmanager
async def serve(session: Host, web: str = "127.0.0.1:8080", site_map: SiteMap | None = None) -> AsyncIterator[str]:
    """Console and API of a station for as long as the context lasts; gives the address to open. Port 0: any free one.

    On an address that others can reach, the address given carries the operator's token. Raises StationError.
    """
    host, port = _address(web)
    station = session.station
    station.commit(session.runner.clock())
    access = Access.for_host(host, station.archive.path.parent)
    reads, pictures = Reads(station.archive.path), Reads(station.archive.path)
    context = Context(
        station=station,
        runner=session.runner,
        access=access,
        reads=reads,
        pictures=Pictures(pictures),
        hub=Hub(),
        model=Model(station.archive),
        sender=session.sender,
        site_map=site_map,
    )
    for name, is_open in station.ports().items():
        context.model.ports[name] = ("open" if is_open else "waiting", "")
    with contextlib.closing(_listen(host, port)) as listening:
        ends = [station.subscribe(context.model.tell), station.subscribe(context.hub.tell)]
        api, pages = make_api(context), shell(context)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope.get("path", "")
            mine: Any = api if path == "/api" or path.startswith("/api/") else pages
            await mine(scope, receive, send)

        config = uvicorn.Config(
            Guard(app, access), log_level="warning", lifespan="on", access_log=False, ws_max_size=1 << 20,
            timeout_graceful_shutdown=2, server_header=False,
        )  # fmt: skip
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listening]), name="web")
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not server.started:
                    if task.done():
                        raise StationError("the console's server ended at its start")
                    await asyncio.sleep(0.01)
            yield _url(host, listening.getsockname()[1], access)
        finally:
            for end in ends:
                end()
            server.should_exit = True
            with contextlib.suppress(Exception):
                await task
            reads.close()
            pictures.close()


def _url(host: str, port: int, access: Access) -> str:
    shown = f"[{host}]" if ":" in host else host
    if access.local:
        return f"http://{shown}:{port}/"
    if host in ("0.0.0.0", "::"):
        shown = socket.gethostname()
    base = f"http://{shown}:{port}/?token="
    return f"{base}{access.tokens[OPERATOR]} (commands)  {base}{access.tokens[VIEWER]} (looking only)"
