"""Events; those of severity medium and high are alarms until somebody acknowledges them."""

from __future__ import annotations

from typing import Any

from nicegui import events, ui

from rovercam.web.console.text import utc
from rovercam.web.context import Context

SHOWN = 120
ROW = """
<q-tr :props="props">
  <q-td key="time" :props="props" class="mono dim">{{ props.row.time }}</q-td>
  <q-td key="severity" :props="props" :class="'sev-' + props.row.severity">{{ props.row.severity }}</q-td>
  <q-td key="text" :props="props" style="white-space:normal">{{ props.row.text }}</q-td>
  <q-td key="ack" :props="props"><q-btn v-if="props.row.alarm" dense outline size="sm" padding="0 8px" color="red-4" label="seen" no-caps
    @click="$parent.$emit('ack', props.row.id)" /><span v-else-if="props.row.by" class="dim" :title="props.row.by">✓</span></q-td>
</q-tr>
"""


class EventPanel:
    def __init__(self, context: Context, page: Any, may_command: bool):
        self._context, self._page, self._may = context, page, may_command
        self._revision = -1
        with ui.element("section").classes("rc-panel").style("flex:1.1"):
            with ui.element("div").classes("rc-head"):
                ui.html("<span class=rc-title>Events</span>", sanitize=False)
                self._count = ui.html("", sanitize=False)
                ui.element("div").classes("rc-grow")
                self._all = ui.button("acknowledge all", on_click=self.acknowledge_all).props(
                    "dense flat size=sm no-caps color=red-4"
                )
                self._only = ui.switch("alarms", on_change=self._again).props("dense size=xs")
            columns = [
                {"name": n, "label": label, "field": n, "align": "left"}
                for n, label in (("time", "UTC"), ("severity", "severity"), ("text", "event"), ("ack", ""))
            ]
            with ui.element("div").classes("rc-body rc-flush"):
                self._table = ui.table(columns=columns, rows=[], row_key="id", pagination=0)
                self._table.props("dense flat hide-bottom").classes("w-full").mark("events")
                self._table.add_slot("body", ROW)
                self._table.on("ack", self._acknowledged)

    def _again(self) -> None:
        self._revision = -1
        self.refresh()

    def _acknowledged(self, event: events.GenericEventArguments) -> None:
        if self._may and isinstance(event.args, int):
            self._context.acknowledge(event.args, self._context.sender)

    def acknowledge_all(self) -> None:
        if self._may:
            for alarm in self._context.model.alarms():
                self._context.acknowledge(alarm.id, self._context.sender)

    def refresh(self) -> None:
        revision = self._context.model.revision["events"]
        if revision == self._revision:
            return
        self._revision = revision
        unit = self._page.unit
        found = [e for e in self._context.model.events.values() if unit in (None, e.unit, 0) or e.alarming]
        found.sort(key=lambda e: -e.id)
        if self._only.value:
            found = [e for e in found if e.alarming]
        alarms = len(self._context.model.alarms())
        self._count.content = f"<span class='chip bad'>{alarms} to acknowledge</span>" if alarms else ""
        self._all.set_visibility(bool(alarms) and self._may)
        self._table.rows = [
            {
                "id": e.id,
                "time": utc(e.time),
                "severity": e.severity,
                "text": e.text if e.unit in (unit, 0) else f"unit {e.unit}: {e.text}",
                "alarm": e.alarming and self._may,
                "by": f"seen by {e.acknowledged}" if e.acknowledged else "",
            }
            for e in found[:SHOWN]
        ]
