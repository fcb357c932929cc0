"""A station with the firmware's link, paced by the wall clock in a thread of its own, and its web address."""

from __future__ import annotations

import asyncio
import concurrent.futures
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rovercam.archive import Archive
from rovercam.keys import KeyStore
from rovercam.protocol.imaging import decode_slots
from rovercam.station.core import Station
from rovercam_hil.devices.scene import MarsScene
from rovercam_hil.image_encoder import ImageEncoder
from rovercam_hil.micropython.station_unit import KEY, Unit
from rovercam_hil.micropython.worker import Worker

pytest.importorskip("nicegui", reason="the console needs rovercam[web]")

WIDTH, HEIGHT = 320, 240
SLOT = 200  # bytes of a picture layer that stand alone
STEP = 0.05
PORT = "test line"


class Clockwork:
    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.time

    def kick(self) -> None:
        pass


class Ground:
    """station, runner, sender: as rovercam.web.serve takes them. call: runs something where the station lives."""

    def __init__(self, worker: Worker, folder: Path, web: str = "127.0.0.1:0", site_map: Any = None):
        (folder / "t").mkdir(parents=True)
        self.folder = folder
        self.unit = Unit(worker, folder / "t")
        self.sender = "tester"
        self.runner = Clockwork()
        self.address = ""
        self.quiet = False
        self.line_bytes: int | None = None
        """How many more bytes the line carries down, about; None: no limit."""
        self.beat: Callable[[float], None] = lambda now: None
        """Called each second: telemetry."""
        self._web = web
        self._map = site_map
        self._ready: concurrent.futures.Future[str] = concurrent.futures.Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        self.address = self._ready.result(60)

    async def _main(self) -> None:
        from rovercam.web import serve

        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        try:
            keys = KeyStore(self.folder / "keys")
            keys.put(1, KEY)
            with Archive(self.folder / "archive.db") as archive:
                self.station = Station(archive, keys, now=time.time())
                self.station.attach(PORT, time.time())
                async with serve(self, self._web, self._map) as address:
                    task = asyncio.create_task(self._steps())
                    self._ready.set_result(address)
                    await self._end.wait()
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _steps(self) -> None:
        next_beat = 0.0
        while True:
            now = time.time()
            if now >= next_beat:
                next_beat = now + 1.0
                self.beat(now)
            if not self.quiet:
                self.unit.tick(int(STEP * 1000))
                data = self.unit.frames(True, 3) if self.line_bytes is None or self.line_bytes > 0 else b""
                if self.line_bytes is not None:
                    self.line_bytes -= len(data)
                if data:
                    self.station.receive(PORT, data, now)
            self.station.poll(now)
            up = self.station.transmit(PORT, now)
            if not self.quiet:
                self.unit.feed(up, now)
            await asyncio.sleep(STEP)

    def call(self, what: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return what()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def until(self, what: Callable[[], Any], seconds: float = 15.0) -> Any:
        """The first true answer; fails after so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.call(what):
                return found
            time.sleep(0.05)
        raise AssertionError(f"not so within {seconds:g} s")

    def put(self, name: str, data: bytes, priority: int = 3) -> None:
        """The unit sends a file."""
        path = self.folder / f"file-{name.replace('/', '-')}"
        path.write_bytes(data)
        self.call(lambda: self.unit.worker.eval(f"files.put({str(path)!r}, {name!r}, {priority}, 2, 0, 0)"))

    def put_picture(
        self,
        number: int,
        layers: list[bytes],
        width: int,
        height: int,
        seconds: int,
        camera: int = 0,
        between: Callable[[int], None] = lambda layer: None,
    ) -> None:
        """As the firmware does: the catalogue entry, then the layers. `between` is called before each layer."""
        entry = struct.pack(
            ">BHBBBBBBBBBHHHHBIHBIIHH", 1, number, 0, 1, 0, 5, len(layers), 2, 0, camera, 8, width, height, 0, 0, 1,
            seconds, 0, 1, sum(map(len, layers)), 0, 0, 1,
        )  # fmt: skip
        self.put(f"/p/{number:04d}.m", entry, 1)
        for k, data in enumerate(layers):
            between(k)
            self.put(f"/p/{number:04d}.{k}", data, 2 + k)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(20)
        assert not self._thread.is_alive(), "the web server does not end"


@pytest.fixture(scope="session")
def mars_layers(micropython: str) -> tuple[np.ndarray, list[bytes]]:
    """A picture and its layers, as the unit encodes it."""
    pixels = MarsScene(3).picture(0.0, WIDTH, HEIGHT)
    grey = np.asarray(pixels, np.float64).mean(axis=2).astype(np.uint8) if np.ndim(pixels) == 3 else np.asarray(pixels)
    with ImageEncoder() as encoder:
        layers = [la for la in encoder.slots(grey) if la]
    # The decoder is compiled at its first use in a new checkout, which takes longer than the picture is on its way.
    slots = [layer[at : at + SLOT] for layer in layers for at in range(0, len(layer), SLOT)]
    decode_slots(slots, width=WIDTH, height=HEIGHT, depth=8)
    return grey, layers


def site_map(folder: Path) -> Any:
    """30 m from west to east, 20 m from south to north; the pose was set 10 m from its west and 5 m from its south."""
    from rovercam.web.sitemap import load

    sand = np.random.default_rng(5).integers(90, 140, (200, 300), np.uint8)
    Image.fromarray(sand).save(folder / "site.png")
    return load(folder / "site.png", 0.1, (100.0, 150.0))


@pytest.fixture(scope="package")
def ground(micropython: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    from rovercam.places import firmware_dir

    with Worker([firmware_dir()]) as worker:
        running = Ground(worker, tmp_path_factory.mktemp("ground"), site_map=site_map(tmp_path_factory.mktemp("map")))
        yield running
        running.close()
