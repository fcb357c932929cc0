"""The table of newest values with their limits."""

from __future__ import annotations

from typing import Any

from nicegui import events, ui

from rovercam.web.console.text import age_text, value_text
from rovercam.web.context import Context

LEAST_INTERVAL = 0.7
STALE = 30.0
STALE_ASLEEP = 150.0
"""Seconds: a unit reports every 5, and every 60 while it sleeps."""
ROW = """
<q-tr :props="props" @click="$parent.$emit('choose', props.row.name)" :title="props.row.help">
  <q-td key="name" :props="props"><span :style="{opacity: props.row.on ? 1 : .0, color: 'var(--mars)'}">▍</span>{{ props.row.name }}</q-td>
  <q-td key="value" :props="props" :class="'mono st-' + props.row.state">{{ props.row.value }}</q-td>
  <q-td key="unit" :props="props" class="dim">{{ props.row.unit }}</q-td>
  <q-td key="age" :props="props" :class="props.row.stale ? 'mono st-yellow' : 'mono dim'">{{ props.row.age }}</q-td>
</q-tr>
"""


class TelemetryPanel:
    def __init__(self, context: Context, page: Any):
        self._context, self._page = context, page
        self._drawn = 0.0
        with ui.element("section").classes("rc-panel").style("flex:1.15"):
            with ui.element("div").classes("rc-head"):
                ui.html("<span class=rc-title>Telemetry</span>", sanitize=False)
                self._alarms = ui.html("", sanitize=False)
                ui.element("div").classes("rc-grow")
                self.filter = ui.input(placeholder="filter  /").props(
                    "dense borderless clearable input-style='width:110px'"
                )
            columns: list[dict[str, Any]] = [
                {"name": "name", "label": "parameter", "field": "name", "align": "left", "sortable": True},
                {"name": "value", "label": "value", "field": "value", "align": "right"},
                {"name": "unit", "label": "", "field": "unit", "align": "left"},
                {"name": "age", "label": "age", "field": "age", "align": "right"},
            ]
            with ui.element("div").classes("rc-body rc-flush"):
                self._table = ui.table(columns=columns, rows=[], row_key="name", pagination=0)
                self._table.props("dense flat hide-bottom").classes("w-full").mark("telemetry")
                self._table.add_slot("body", ROW)
                self._table.on("choose", self._chosen)
        self.filter.on_value_change(lambda _: self.refresh(force=True))

    def _chosen(self, event: events.GenericEventArguments) -> None:
        self._page.plots.toggle(str(event.args))
        self.refresh(force=True)

    def refresh(self, force: bool = False) -> None:
        now = self._context.now()
        if not force and now - self._drawn < LEAST_INTERVAL:
            return
        self._drawn = now
        parameters = self._context.station.dictionary.parameters
        values = self._context.model.values.get(self._page.unit or 0, {})
        wanted = (self.filter.value or "").lower().split()
        rows = []
        counts = {"red": 0, "yellow": 0}
        stale = STALE_ASLEEP if "mode" in values and values["mode"].value == "sleep" else STALE
        for name, v in values.items():
            if v.state in counts:
                counts[v.state] += 1
            p = parameters.get(name)
            if p is None or not all(w in name or w in v.state for w in wanted):
                continue
            limits = [
                f"{color} {'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}"
                for color, low, high in (("yellow", p.yellow_min, p.yellow_max), ("red", p.red_min, p.red_max))
                if low is not None or high is not None
            ]
            rows.append(
                {
                    "name": name,
                    "value": f"{v.value:08x}"
                    if name.endswith("_hash") and isinstance(v.value, int)
                    else value_text(v.value),
                    "unit": p.unit,
                    "state": v.state,
                    "age": age_text(now - v.time),
                    "stale": now - v.time > stale,
                    "on": name in self._page.plots.names,
                    "help": "; ".join([p.text, *limits]),
                }
            )
        order = {"red": 0, "yellow": 1}
        rows.sort(key=lambda r: order.get(str(r["state"]), 2))
        if rows != self._table.rows:
            self._table.rows = rows
        self._alarms.content = "".join(
            f"<span class='chip {kind}'>{counts[color]} {color}</span> "
            for color, kind in (("red", "bad"), ("yellow", "warn"))
            if counts[color]
        )
