"""Plots: up to three parameters one above the other, with limits, zoom and the whole history behind them."""

from __future__ import annotations

import math
from typing import Any

from nicegui import background_tasks, events, ui

from rovercam.archive import ArchiveError
from rovercam.archive.samples import Series
from rovercam.dictionary import Parameter
from rovercam.web.context import Context

MOST = 3
SIZE = 600
"""Samples of one curve: two for each pixel or so."""
INTERVAL = 1.5
SPANS = {"15 min": 900.0, "2 h": 7200.0, "1 day": 86400.0, "30 days": 30 * 86400.0, "all": 0.0}
CURVES = ("#e07a4b", "#5eb1ef", "#57c98a")
PREFERRED = ("chip_temperature", "bus_voltage", "air_temperature", "heap_free")


class PlotPanel:
    def __init__(self, context: Context, page: Any):
        self._context, self._page = context, page
        self.names: list[str] = []
        self._chosen = False
        self._drawn = 0.0
        self._busy = False
        self._zoomed: tuple[float, float] | None = None
        """Times looked at, None: live."""
        with ui.element("section").classes("rc-panel").style("flex:1"):
            with ui.element("div").classes("rc-head"):
                ui.html("<span class=rc-title>Plots</span>", sanitize=False)
                self._state = ui.html("", sanitize=False)
                ui.element("div").classes("rc-grow")
                self._live = ui.button("live", on_click=self.follow).props("dense flat size=sm no-caps")
                self._span = ui.select(list(SPANS), value="15 min", on_change=self.follow).props("dense borderless")
            self._chart = (
                ui.echart(self._options([])).style("width:100%; flex:1; min-height:0; height:auto").mark("plot")
            )
            self._chart.on(
                "chart:datazoom", self._zoom, throttle=0.4, leading_events=False, args=["start", "end", "batch"]
            )

    def toggle(self, name: str) -> None:
        self._chosen = True
        if name in self.names:
            self.names.remove(name)
        else:
            self.names = [*self.names[1 - MOST :], name] if len(self.names) >= MOST else [*self.names, name]
        self.follow()

    def follow(self) -> None:
        """Back to now."""
        self._zoomed = None
        self._drawn = 0.0
        self.refresh()

    def _defaults(self) -> None:
        values = self._context.model.values.get(self._page.unit or 0, {})
        if not self._chosen and values:
            self.names = [n for n in PREFERRED if n in values][:2]

    def refresh(self) -> None:
        now = self._context.now()
        if self._busy or now - self._drawn < INTERVAL or self._zoomed is not None:
            return
        self._drawn = now
        self._defaults()
        background_tasks.create(self._load(self._range()))

    def _range(self) -> tuple[float, float]:
        """Times asked for."""
        if self._zoomed is not None:
            return self._zoomed
        now = self._context.now()
        span = SPANS[self._span.value]
        if not span:
            return 0.0, now + 1.0
        return now - span, now + 1.0

    async def _load(self, wanted: tuple[float, float]) -> None:
        self._busy = True
        unit, names = self._page.unit or 0, tuple(self.names)
        try:
            found = await self._context.reads.ask(
                lambda a: [a.history(unit, n, *wanted, strategy="minmax", size=SIZE) for n in names]
            )
        except (ArchiveError, RuntimeError):
            return
        finally:
            self._busy = False
        if names != tuple(self.names):
            self._drawn = 0.0
            return
        self._extent = wanted if wanted[0] else _extent(found, wanted)
        options = self._options(found)
        self._chart.options.clear()
        self._chart.options.update(options)
        self._chart.update()
        count = sum(len(s) for s in found)
        self._state.content = f"<span class=dim>{'zoomed' if self._zoomed else 'live'} · {count} points</span>"

    def _zoom(self, event: events.GenericEventArguments) -> None:
        """A part was chosen: its samples are asked for, finer than before."""
        args = event.args.get("batch") or [event.args]
        start, end = args[0].get("start"), args[0].get("end")
        if start is None or end is None or not self.names:
            return
        if end - start > 99.5:
            return
        low, high = self._extent
        self._zoomed = (low + (high - low) * start / 100, low + (high - low) * end / 100)
        background_tasks.create(self._load(self._zoomed))

    _extent = (0.0, 1.0)

    def _options(self, found: list[Series]) -> dict[str, Any]:
        parameters = self._context.station.dictionary.parameters
        n = max(1, len(found))
        low, high = self._extent
        share = 88.0 / n
        common = {"axisLine": {"lineStyle": {"color": "#3a4757"}}, "splitLine": {"lineStyle": {"color": "#1e2630"}}}
        return {
            "animation": False,
            "backgroundColor": "transparent",
            "textStyle": {"color": "#8494a7", "fontSize": 10},
            "title": [
                {
                    "text": f"{s.name}{f' [{s.engineering_unit}]' if s.engineering_unit else ''}",
                    "left": 8,
                    "top": f"{i * share + 0.5}%",
                    "textStyle": {"color": CURVES[i % 3], "fontSize": 11, "fontWeight": "normal"},
                }
                for i, s in enumerate(found)
            ]
            or [{"text": "choose a parameter in the table", "left": "center", "top": "45%", "textStyle": {"fontSize": 12}}],
            "grid": [
                {"left": 58, "right": 14, "top": f"{i * share + 7}%", "height": f"{share - 10.5}%"} for i in range(n)
            ],
            "tooltip": {"trigger": "axis", "backgroundColor": "#1b222c", "borderColor": "#33404f", "textStyle": {"color": "#dbe2ea", "fontSize": 11}},
            "axisPointer": {"link": [{"xAxisIndex": "all"}]},
            "xAxis": [
                {"type": "time", "gridIndex": i, "min": low * 1000, "max": high * 1000, "axisLabel": {"show": i == n - 1, "hideOverlap": True}, **common}
                for i in range(n)
            ],
            "yAxis": [{"type": "value", "gridIndex": i, "scale": True, "splitNumber": 3, **common} for i in range(n)],
            "dataZoom": [
                {"type": "inside", "xAxisIndex": list(range(n)), "filterMode": "none", "start": 0, "end": 100},
                {"type": "slider", "xAxisIndex": list(range(n)), "filterMode": "none", "height": 14, "bottom": 4, "start": 0, "end": 100,
                 "borderColor": "#242c37", "fillerColor": "rgba(224,122,75,.12)", "showDetail": False, "brushSelect": False},
            ],
            "series": [
                {
                    "type": "line",
                    "name": s.name,
                    "xAxisIndex": i,
                    "yAxisIndex": i,
                    "showSymbol": len(s) < 40,
                    "symbolSize": 4,
                    "lineStyle": {"width": 1.4},
                    "itemStyle": {"color": CURVES[i % 3]},
                    "data": [
                        [round(t * 1000), None if math.isnan(v) else v]
                        for t, v in zip(s.times.tolist(), s.values.tolist(), strict=True)
                    ],
                    "markLine": _limits(parameters.get(s.name)),
                }
                for i, s in enumerate(found)
            ],
        }  # fmt: skip


def _limits(parameter: Parameter | None) -> dict[str, Any]:
    lines = []
    if parameter is not None:
        for color, code in (("yellow", "#e6c04a"), ("red", "#ff5d5d")):
            for end in ("min", "max"):
                level = getattr(parameter, f"{color}_{end}")
                if level is not None:
                    lines.append({"yAxis": level, "lineStyle": {"color": code, "type": "dashed", "opacity": 0.6}})
    return {"silent": True, "symbol": "none", "animation": False, "label": {"show": False}, "data": lines}


def _extent(found: list[Series], wanted: tuple[float, float]) -> tuple[float, float]:
    """The times that there are samples of."""
    first = min((float(s.times[0]) for s in found if len(s)), default=wanted[1] - 900)
    return first, wanted[1]
