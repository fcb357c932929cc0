"""Progress of pictures, files and commands on a terminal (stderr, so that output stays clean)."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from rovercam.station.updates import (
    CommandChanged,
    EventReceived,
    Notice,
    PictureChanged,
    PortChanged,
    TransferChanged,
    Update,
)


class Watcher:
    """Call it with every update. A bar on a terminal; single lines where stderr is not one; nothing when quiet."""

    def __init__(self, title: str, *, quiet: bool = False):
        self._title = title
        self._quiet = quiet
        self._live = not quiet and sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._last = ""

    def __enter__(self) -> Watcher:
        if self._live:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            self._bar = Progress(
                TextColumn("[progress.description]{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                TextColumn("[dim]{task.fields[note]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=None, note="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, update: Update) -> None:
        if self._quiet:
            return
        if isinstance(update, (PictureChanged, TransferChanged)):
            layers = ""
            if isinstance(update, PictureChanged) and len(update.layers) > 1:
                layers = "layers " + " ".join(f"{k}:{_percent(got, size)}" for k, got, size in update.layers)
            if self._bar is not None:
                self._bar.update(self._task, completed=update.received, total=update.size, note=layers)
        elif isinstance(update, CommandChanged):
            self._say(f"{update.name}: {update.state}")
        elif isinstance(update, EventReceived):
            self._say(update.text)
        elif isinstance(update, Notice) or (isinstance(update, PortChanged) and update.state != "open"):
            self._say(update.text, lasting=True)

    def _say(self, text: str, *, lasting: bool = False) -> None:
        if text == self._last:
            return
        self._last = text
        if self._bar is None:
            print(f"{self._title}: {text}", file=sys.stderr)
        elif lasting:
            self._bar.console.print(text, style="yellow", highlight=False)
        else:
            self._bar.update(self._task, note=text)


def _percent(got: int, size: int | None) -> str:
    return "?" if not size else f"{100 * got // size}%"
