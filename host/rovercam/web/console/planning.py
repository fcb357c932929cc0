"""Tabs about time and place: contacts and light time, the unit's schedule, its traverse."""

from __future__ import annotations

import html
from typing import Any

from nicegui import background_tasks, ui

from rovercam import marstime
from rovercam.archive import Archive, ArchiveError
from rovercam.dictionary import DictionaryError
from rovercam.station.core import StationError
from rovercam.web.console.text import age_text, command_name, utc
from rovercam.web.console.timeline import DAY, contacts, timeline
from rovercam.web.console.traverse import traverse
from rovercam.web.context import Context

INTERVAL = 3.0
TRACK_POINTS = 2000


class PlanningTabs:
    """Draws into three tab panels that the page has made."""

    def __init__(self, context: Context, page: Any, may_command: bool):
        self._context, self._page, self._may = context, page, may_command
        self._drawn = 0.0
        self._unit: int | None = None
        self._busy = False
        self._whole: Any = None

    def passes(self) -> None:
        self._passes = ui.html("", sanitize=False).style("width:100%").mark("passes")

    def schedule(self) -> None:
        with ui.element("div").classes("rc-row"):
            self._state = ui.html("", sanitize=False)
            ui.element("div").classes("rc-grow")
            if self._may:
                ui.button("read from the unit", on_click=self._read).props("dense flat size=sm no-caps").mark(
                    "schedule"
                )
        self._entries = ui.html("", sanitize=False).style("width:100%").mark("entries")

    def map(self) -> None:
        with ui.element("div").classes("rc-map"):
            self._map = ui.html("", sanitize=False).mark("map")
            if self._context.site_map is not None:
                self._whole = ui.switch("whole map", on_change=self._again).props("dense size=xs")

    def _again(self) -> None:
        self._drawn = 0.0
        self.refresh()

    def _read(self) -> None:
        unit = self._page.unit
        if unit is None:
            return
        try:
            self._context.station.command(unit, "list_schedule", {}, self._context.now(), sender=self._context.sender)
        except (StationError, DictionaryError) as error:
            ui.notify(str(error))
            return
        self._context.runner.kick()

    def refresh(self) -> None:
        now = self._context.now()
        if self._busy or (now - self._drawn < INTERVAL and self._unit == self._page.unit):
            return
        self._drawn, self._unit = now, self._page.unit
        if self._unit is not None:
            self._draw_schedule(now)
            background_tasks.create(self._load(self._unit, now))

    async def _load(self, unit: int, now: float) -> None:
        self._busy = True

        def question(archive: Archive) -> Any:
            found = contacts(archive, unit, now - DAY, now)
            x = archive.history(unit, "position_x", strategy="latest", size=TRACK_POINTS)
            y = archive.history(unit, "position_y", strategy="latest", size=TRACK_POINTS)
            heading = archive.history(unit, "heading", strategy="latest", size=1)
            return found, x.values.tolist(), y.values.tolist(), heading.values.tolist()

        try:
            found, xs, ys, heading = await self._context.reads.ask(question)
        except (ArchiveError, RuntimeError):
            return
        finally:
            self._busy = False
        schedule = self._context.model.schedules.get(unit)
        times = [e["seconds"] for e in schedule.entries] if schedule else []
        self._passes.content = timeline(found, times, now, marstime.light_time(now))
        count = min(len(xs), len(ys))
        if not count:
            xs = ys = []
        whole = self._whole is not None and bool(self._whole.value)
        self._map.content = traverse(
            xs[-count:], ys[-count:], heading[-1] if heading else None, self._context.site_map, whole
        )

    def _draw_schedule(self, now: float) -> None:
        found = self._context.model.schedules.get(self._unit or 0)
        if found is None:
            self._state.content = "<span class=dim>not read since the station began</span>"
            self._entries.content = ""
            return
        on = "<span class='chip ok'>enabled</span>" if found.enabled else "<span class='chip warn'>disabled</span>"
        self._state.content = f"{on} <span class=dim>read {age_text(now - found.time)} ago</span>"
        rows = "".join(
            f"<tr><td class=mono>{e['entry']}</td><td class=mono>{utc(e['seconds'], date=True)}</td><td>"
            f"{html.escape(command_name(self._context.station.dictionary, e['service'], e['subtype'], e['function']))}</td></tr>"
            for e in sorted(found.entries, key=lambda e: e["seconds"])
        )
        table = f"<table class=rc-plain><tr><th>entry</th><th>UTC</th><th>command</th></tr>{rows}</table>"
        self._entries.content = table if rows else "<div class=dim>nothing is scheduled</div>"
