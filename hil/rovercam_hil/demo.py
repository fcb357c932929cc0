"""The main job, end to end, on virtual time: an emulated unit takes pictures, a ground station receives them.

Everything follows from the seed: two runs give the same bytes on the line.
"""

from __future__ import annotations

import csv
import html
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rovercam.archive import Archive
from rovercam.keys import KeyStore
from rovercam.line.recording import FROM_UNIT, Recorder
from rovercam.station import updates
from rovercam.station.core import Station
from rovercam.station.pictures import render

from rovercam_hil.boards.unit import Unit, make_unit
from rovercam_hil.clock.session import Session
from rovercam_hil.devices.scene import MarsScene, PatternScene, Scene

BAUD = 115200
PORT = "emulated line"
SHOTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("mast camera, lossless", {"camera": "mast", "size": "vga", "codec": "lossless"}),
    ("hazard camera, 1 bit per pixel", {"camera": "hazard", "size": "vga", "codec": "rate", "rate": 1.0}),
    ("test pattern, raw", {"camera": "pattern", "size": "qvga", "codec": "raw"}),
)


class DemoFailed(RuntimeError):
    """A check of the demo did not hold; the message says which."""


@dataclass
class Demo:
    """One run. say: called with a line of progress."""

    out: Path
    seed: int = 1
    image: Path | None = None
    say: Callable[[str], None] = print
    pictures: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> list[Path]:
        """Writes pictures, telemetry, events, the downlink recording and report.html to ``out``; raises DemoFailed."""
        self.out.mkdir(parents=True, exist_ok=True)
        scenes: dict[str, Scene] = {
            "mast": MarsScene(self.seed),
            "hazard": MarsScene(self.seed + 1),
            "mast_right": PatternScene(),
        }
        unit = make_unit(unit=1, seed=self.seed, scenes=scenes, baud=BAUD, image=self.image)
        keys = KeyStore(self.out / "keys")
        keys.put(unit.number, unit.key, overwrite=True)
        database = self.out / "archive.db"
        for old in self.out.glob("archive.db*"):
            old.unlink()
        with Archive(database) as archive:
            station = Station(archive, keys, now=0.0, name="demo", set_clocks=True)
            session = Session(station, record=True)
            link = session.add(unit.board, PORT)
            try:
                self._fly(session, station, unit)
            finally:
                unit.board.close()
                station.commit(session.now)
            self._pictures(archive)
            self._recording(link.recording, session.start)
            self._telemetry(archive, unit.number)
        return sorted(p for p in self.out.iterdir() if p.is_file())

    # ------------------------------------------------------------------------------------------------ what happens
    def _fly(self, session: Session, station: Station, unit: Unit) -> None:
        heard: list[updates.Update] = []
        station.subscribe(heard.append)
        unit.board.power_on()
        session.run_until(lambda: any(isinstance(u, updates.Telemetry) for u in heard), 10, "the first telemetry")
        self.say(f"unit {unit.number} started {session.elapsed:.1f} s after power-on")
        session.run(2.0)
        for name, arguments in SHOTS:
            self._shoot(session, station, unit, name, arguments, heard)

    def _shoot(
        self,
        session: Session,
        station: Station,
        unit: Unit,
        name: str,
        arguments: dict[str, Any],
        heard: list[updates.Update],
    ) -> None:
        start = session.elapsed
        heard.clear()
        command = station.command(unit.number, "capture", arguments, session.now)

        def failed() -> str:
            return next(
                (
                    u.reason
                    for u in heard
                    if isinstance(u, updates.CommandChanged) and u.id == command.id and u.state == "failed"
                ),
                "",
            )

        def down() -> updates.PictureChanged | None:
            return next((u for u in heard if isinstance(u, updates.PictureChanged) and u.state == "down"), None)

        session.run_until(lambda: bool(failed() or down()), 180, f"the picture of the {name}")
        if failed():
            raise DemoFailed(f"{name}: {failed()}")
        picture = down()
        assert picture is not None
        seconds = session.elapsed - start
        self.pictures.append({"name": name, "product": picture.product, "seconds": seconds, "bytes": picture.received})
        self.say(f"{name}: {picture.received} bytes, down {seconds:.1f} s after the command")

    # ------------------------------------------------------------------------------------------------ what is written
    def _pictures(self, archive: Archive) -> None:
        for number, picture in enumerate(self.pictures, 1):
            rendered = render(archive, picture["product"])
            picture["file"] = f"picture-{number}.png"
            picture["size"] = f"{rendered.fields['width']}×{rendered.fields['height']}"
            (self.out / picture["file"]).write_bytes(rendered.png())
            if not rendered.complete:
                raise DemoFailed(f"{picture['name']}: layers are missing although the unit says it is down")

    def _recording(self, pieces: list[tuple[float, bytes]], start: float) -> None:
        path = self.out / "downlink.rec"
        path.unlink(missing_ok=True)
        with Recorder(path) as recorder:
            for time, data in pieces:
                recorder.add(FROM_UNIT, data, start + time)

    def _telemetry(self, archive: Archive, unit: int) -> None:
        rows = []
        with (self.out / "telemetry.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("utc", "parameter", "value", "unit"))
            for name in archive.parameter_names(unit):
                series = archive.history(unit, name, 0, 1e11)
                for t, v in zip(series.times.tolist(), series.values.tolist(), strict=True):
                    writer.writerow(
                        (
                            datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds"),
                            name,
                            v,
                            series.engineering_unit,
                        )
                    )
                if len(series):
                    rows.append((name, series.values[-1], series.engineering_unit, len(series)))
        events = archive.events(0, 1e11, unit=unit, limit=1000)
        (self.out / "report.html").write_text(self._report(rows, events), encoding="utf-8")

    def _report(self, rows: list[tuple[str, Any, str, int]], events: list[dict[str, Any]]) -> str:
        def cell(value: object) -> str:
            return html.escape(f"{value:.6g}" if isinstance(value, float) else str(value))

        figures = "".join(
            f'<figure><img src="{p["file"]}" alt="{cell(p["name"])}"><figcaption>{cell(p["name"])}: {p["size"]}, {p["bytes"]} bytes, '
            f"down after {p['seconds']:.1f} s</figcaption></figure>"
            for p in self.pictures
        )
        telemetry = "".join(
            f"<tr><td>{cell(n)}</td><td>{cell(v)} {cell(u)}</td><td>{k}</td></tr>" for n, v, u, k in rows
        )
        log = "".join(
            f"<tr><td>{datetime.fromtimestamp(e['time'], UTC).isoformat(sep=' ', timespec='milliseconds')}</td><td>{cell(e['severity'])}</td>"
            f"<td>{cell(e['text'])}</td></tr>"
            for e in events
        )
        return _PAGE.format(seed=self.seed, figures=figures, telemetry=telemetry, events=log)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>rovercam demo</title><style>
body {{ background: #16120f; color: #e8e0d8; font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }}
figure {{ display: inline-block; margin: 0 1rem 1rem 0; max-width: 33rem }} img {{ max-width: 100%; border-radius: 4px }}
figcaption {{ color: #b8a898; font-size: .9rem }} table {{ border-collapse: collapse; margin-bottom: 2rem }}
td, th {{ padding: .15rem 1rem .15rem 0; text-align: left; border-bottom: 1px solid #362c24; font-variant-numeric: tabular-nums }}
h1, h2 {{ font-weight: 500; color: #e8a070 }}
</style></head><body>
<h1>What came down</h1>
<p>An emulated camera unit (MicroPython on an emulated RP2040, camera and sensors at register level), a serial line at 115200 baud, and the ground
station, on one virtual clock. Seed {seed}.</p>
{figures}
<h2>Last telemetry</h2><table><tr><th>parameter</th><th>value</th><th>samples</th></tr>{telemetry}</table>
<h2>Events</h2><table><tr><th>UTC</th><th>severity</th><th>event</th></tr>{events}</table>
</body></html>
"""
