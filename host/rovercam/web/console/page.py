"""The page: header with clocks, panels, keys."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from nicegui import events, ui

from rovercam import marstime
from rovercam.web.access import OPERATOR
from rovercam.web.console.commanding import CommandPanel
from rovercam.web.console.events import EventPanel
from rovercam.web.console.linkpanel import LinkPanel
from rovercam.web.console.pictures import PicturePanel
from rovercam.web.console.plots import PlotPanel
from rovercam.web.console.telemetry import TelemetryPanel
from rovercam.web.console.text import age_text, utc
from rovercam.web.context import Context

CSS = Path(__file__).with_name("console.css").read_text(encoding="utf-8")
PERIOD = 0.4
"""Seconds between two looks at what changed."""
KEYS = (
    ("c", "choose a command"),
    ("Ctrl Enter", "send the command in the form"),
    ("/", "filter telemetry"),
    ("a", "acknowledge all alarms"),
    ("← →", "previous, next picture"),
    ("m", "map of confidence over the picture"),
    ("l", "plots live again"),
    ("1 … 9", "unit"),
    ("?", "this help"),
)


def _heard(quiet: float, asleep: bool) -> str:
    """quiet: seconds since the last frame; one that sleeps sends a frame a minute."""
    usual = 75.0 if asleep else 10.0
    kind = "ok" if quiet < usual else "warn" if quiet < usual + 60 else "bad"
    text = (
        "heard" if quiet < 10 else f"heard {age_text(quiet)} ago" if quiet < usual else f"silent for {age_text(quiet)}"
    )
    return f"<span class='chip {kind}'>{text}</span>"


class Console:
    """One browser window. unit: the one looked at; None until one is heard."""

    def __init__(self, context: Context, role: str):
        self._context = context
        self._may = role == OPERATOR
        self.unit: int | None = None
        self._units: list[int] = []
        ui.add_css(CSS)
        self._header()
        with ui.element("main").classes("rc-grid"):
            with ui.element("div").classes("rc-col"):
                self.pictures = PicturePanel(context, self)
                self.link = LinkPanel(context, self, self._may)
            with ui.element("div").classes("rc-col"):
                self.telemetry = TelemetryPanel(context, self)
                self.plots = PlotPanel(context, self)
            with ui.element("div").classes("rc-col"):
                self.commands = CommandPanel(context, self, self._may)
                self.events = EventPanel(context, self, self._may)
        self._help = self._help_dialog()
        ui.keyboard(on_key=self._key, repeating=False)
        # Inside a form the keyboard belongs to the form, but for this one.
        ui.on("send-command", lambda _: self.commands.send())
        ui.add_body_html(
            "<script>document.addEventListener('keydown',e=>{if(e.ctrlKey&&e.key==='Enter'){e.preventDefault();"
            "if(document.activeElement)document.activeElement.blur();setTimeout(()=>emitEvent('send-command'),60)}})</script>"
        )
        self._refresh()
        ui.timer(PERIOD, self._refresh)

    # --------------------------------------------------------------------------------------------------------- header
    def _header(self) -> None:
        with ui.element("header").classes("rc-top"):
            ui.html("<span class=rc-brand>rover<b>cam</b></span>", sanitize=False)
            self._unit_select = (
                ui.select({}, on_change=self._unit_chosen)
                .props("dense borderless options-dense")
                .style("min-width:80px")
            )
            self._state = ui.html("", sanitize=False).mark("state")
            if not self._may:
                ui.html("<span class='chip warn'>looking only</span>", sanitize=False)
            ui.element("div").classes("rc-grow")
            self._clocks = {
                name: self._clock(label)
                for name, label in (("sol", "Zhurong"), ("lmst", "mean solar"), ("ls", "season"), ("light", "light time"), ("utc", "UTC"))
            }  # fmt: skip
            ui.button("?", on_click=self._open_help).props("dense flat round size=sm").tooltip("keys")

    @staticmethod
    def _clock(label: str) -> Any:
        with ui.element("div").classes("rc-clock"):
            value = ui.label("").classes("v")
            ui.html(f"<span class=k>{label}</span>", sanitize=False)
        return value

    def _help_dialog(self) -> Any:
        with ui.dialog() as dialog, ui.card():
            ui.html("<span class=rc-title>Keys</span>", sanitize=False)
            ui.html(
                "<div class=rc-kv>"
                + "".join(f"<span><kbd>{k}</kbd></span><span>{t}</span>" for k, t in KEYS)
                + "</div>",
                sanitize=False,
            )
        return dialog

    def _open_help(self) -> None:
        self._help.open()

    def _unit_chosen(self, event: Any) -> None:
        if event.value != self.unit:
            self._look_at(event.value)

    def _look_at(self, unit: int | None) -> None:
        self.unit = unit
        if self._unit_select.value != unit:
            self._unit_select.value = unit
        for panel in (self.pictures, self.commands, self.events):
            panel._revision = -1
        self.plots.follow()
        self.telemetry.refresh(force=True)

    # ----------------------------------------------------------------------------------------------------------- keys
    def _key(self, event: events.KeyEventArguments) -> None:
        if not event.action.keydown or event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta:
            return
        key = event.key.name
        if key == "c":
            self.commands.select.run_method("focus")
            self.commands.select.run_method("showPopup")
        elif key == "/":
            self.telemetry.filter.run_method("focus")
        elif key == "a":
            self.events.acknowledge_all()
        elif key == "ArrowLeft":
            self.pictures.step(-1)
        elif key == "ArrowRight":
            self.pictures.step(1)
        elif key == "m":
            self.pictures.toggle_confidence()
        elif key == "l":
            self.plots.follow()
        elif key == "?":
            self._open_help()
        elif key.isdigit() and int(key) in self._units:
            self._look_at(int(key))

    # -------------------------------------------------------------------------------------------------------- drawing
    def _refresh(self) -> None:
        self._choose_unit()
        self._draw_header()
        for panel in (self.pictures, self.telemetry, self.plots, self.commands, self.events, self.link):
            panel.refresh()

    def _choose_unit(self) -> None:
        model = self._context.model
        units = sorted(
            set(self._context.station.units()) | set(model.values) | {p.unit for p in model.pictures.values()}
        )
        units = [u for u in units if u]
        if units != self._units:
            self._units = units
            self._unit_select.set_options(
                {u: f"unit {u}" for u in units}, value=self.unit if self.unit in units else None
            )
        if self.unit is None and units:
            heard = self._context.station.units()
            self._look_at(heard[0] if heard else units[0])

    def _draw_header(self) -> None:
        now = time.time()
        moment = marstime.ZHURONG.moment(now)
        texts = {
            "sol": f"sol {moment.sol}",
            "lmst": marstime.clock(moment.lmst, seconds=True),
            "ls": f"Ls {moment.ls:.1f}°",
            "light": f"{marstime.light_time(now) / 60:.1f} min",
            "utc": utc(now, date=True),
        }
        for name, text in texts.items():
            if self._clocks[name].text != text:
                self._clocks[name].text = text
        content = self._state_html()
        if content != self._state.content:
            self._state.content = content

    def _state_html(self) -> str:
        parts = []
        told = self._context.model.values.get(self.unit or 0, {}).get("mode")
        mode = None if told is None else told.value
        for port, is_open in self._context.station.ports().items():
            if not is_open:
                parts.append(f"<span class='chip bad'>port lost: {port}</span>")
        try:
            link = self._context.station.link(self.unit) if self.unit is not None else None
        except Exception:
            link = None
        if link is None:
            parts.append("<span class='chip warn'>not heard</span>")
        else:
            parts.append(_heard(self._context.now() - link.heard, asleep=mode == "sleep"))
            if link.insecure:
                parts.append("<span class='chip bad'>insecure</span>")
        if mode is not None:
            kind = {"normal": "ok", "sleep": "warn"}.get(str(mode), "bad")
            parts.append(f"<span class='chip {kind}'>{mode}</span>")
        alarms = len(self._context.model.alarms())
        if alarms:
            parts.append(f"<span class='chip bad'>{alarms} alarm{'s' if alarms > 1 else ''}</span>")
        return " ".join(parts)
