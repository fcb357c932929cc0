"""Commands: forms made from the dictionary, two-step commands as two steps, verification stages as they come."""

from __future__ import annotations

import html
from typing import Any

from nicegui import ui

from rovercam.dictionary import Command, Dictionary, DictionaryError, Field
from rovercam.dictionary.fields import raw_range
from rovercam.station.core import StationError
from rovercam.station.updates import CommandChanged
from rovercam.web.console.text import command_name, utc
from rovercam.web.context import Context

SHOWN = 25
ARMED_FOR = 60.0
"""Seconds after `arm` in which the second step is taken (the dictionary's text of arm)."""
STAGES = ("sent", "received", "acceptance", "start", "completion")
FIRST = ("capture", "ping", "set_mode", "point_mast")


class CommandPanel:
    def __init__(self, context: Context, page: Any, may_command: bool):
        self._context, self._page, self._may = context, page, may_command
        self._dictionary = context.station.dictionary
        self._revision = -1
        self._inputs: dict[str, Any] = {}
        self._armed: tuple[int, str] | None = None
        """(row of the arm command, name of what it arms)."""
        names = [n for n in FIRST if n in self._dictionary.commands]
        names += sorted(n for n in self._dictionary.commands if n not in names)
        labels = {n: n + ("  ⚠ two steps" if self._dictionary.commands[n].two_step else "") for n in names}
        with ui.element("section").classes("rc-panel").style("flex:2"):
            with ui.element("div").classes("rc-head"):
                ui.html("<span class=rc-title>Command</span>", sanitize=False)
                self.select = ui.select(labels, value=names[0], with_input=True, on_change=self._chosen)
                self.select.props("dense borderless options-dense").style("flex:1; min-width:0").mark("command")
                # Enter takes the first name that fits what was typed.
                first = (
                    f"text => text && setTimeout(() => getElement({self.select.id}).$refs.qRef.setOptionIndex(0), 0)"
                )
                self.select.on("input-value", js_handler=first)
            with ui.element("div").classes("rc-body").style("flex:2"):
                self._text = ui.html("", sanitize=False).classes("dim")
                self._form = ui.element("div").classes("rc-form")
            with ui.element("div").classes("rc-foot"):
                self._arm = ui.button("1  arm", on_click=self._arm_it)
                self._arm.props("dense no-caps color=orange-9 size=sm padding='3px 12px'")
                self._send = ui.button("send", on_click=self.send).mark("send")
                self._send.props("id=send dense no-caps color=deep-orange-8 size=sm padding='3px 16px'")
                self._hint = ui.html("<span class=dim><kbd>Ctrl</kbd> <kbd>Enter</kbd></span>", sanitize=False)
                self._error = ui.label("").classes("st-red").style("font-size:12px; flex:1").props("id=refusal")
            self._list = (
                ui.html("", sanitize=False)
                .classes("rc-body")
                .style("flex:1; border-top:1px solid var(--edge)")
                .mark("commands")
            )
        self._chosen()

    # ----------------------------------------------------------------------------------------------------------- form
    @property
    def definition(self) -> Command | None:
        return self._dictionary.commands.get(self.select.value or "")

    def _chosen(self) -> None:
        definition = self.definition
        if definition is None:
            return
        note = "  <span class='chip'>normal mode only</span>" if definition.normal_only else ""
        two = "  <span class='chip two'>two steps: arm, then execute</span>" if definition.two_step else ""
        self._text.content = html.escape(definition.text) + note + two
        self._form.clear()
        self._inputs = {}
        with self._form:
            for field in definition.args:
                self._inputs[field.name] = self._input(definition, field)
        self._error.text = ""
        self._buttons()

    def _input(self, definition: Command, field: Field) -> Any:
        default = None if field.default is None else _engineering(field)
        label = field.name.replace("_", " ") + (f" [{field.unit}]" if field.unit else "")
        element: Any
        if field.type in self._dictionary.enums:
            options = list(self._dictionary.enums[field.type])
            element = ui.select(options, label=label, value=default if default is not None else options[0])
            element.props("options-dense")
        elif field.type == "bool":
            element = ui.switch(label, value=bool(default)).props("size=xs").tooltip(field.text)
            return element
        elif field.name == "parameter" and definition.name == "set_parameter":
            options = [p.name for p in self._dictionary.parameters.values() if p.settable]
            element = ui.select(options, label=label, value=options[0], with_input=True, on_change=self._parameter_hint)
            element.props("options-dense")
        elif field.name == "structure" and field.type == "u8" and (field.min or 0) < 4:
            known = {str(s.id): f"{s.id} {s.name}" for s in self._dictionary.structures.values()}
            element = ui.select(
                known, label=label, value=str(default) if str(default) in known else "1", new_value_mode="add"
            )
            element.props("options-dense")
        else:
            element = ui.input(label=label, value="" if default is None else f"{default}", placeholder=field.text)
        element.props("dense hide-bottom-space").classes("wide" if field.type.endswith("[]") else "")
        if hint := self._range(field):
            element.props(f'hint="{html.escape(hint)}"')
        return element.tooltip(field.text) if field.text else element

    def _parameter_hint(self) -> None:
        name = self._inputs["parameter"].value
        p = self._dictionary.parameters.get(name or "")
        if p is not None and "value" in self._inputs:
            low, high = raw_range(p, self._dictionary)
            text = f"{low * p.scale + p.offset:g} … {high * p.scale + p.offset:g} {p.unit}"
            self._inputs["value"].props(f'hint="{html.escape(text)}"')

    def _range(self, field: Field) -> str:
        if field.type.endswith("[]"):
            return f"names or numbers with commas, at most {field.max_items or 255}"
        if field.type in ("string", "bytes"):
            return f"at most {field.max_items or 255} bytes" + (", hexadecimal" if field.type == "bytes" else "")
        if field.type in self._dictionary.enums or field.type == "value":
            return ""
        low, high = raw_range(field, self._dictionary)
        return f"{low * field.scale + field.offset:g} … {high * field.scale + field.offset:g}"

    def _arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, element in self._inputs.items():
            value = element.value
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            found[name] = value.strip() if isinstance(value, str) else value
        return found

    # -------------------------------------------------------------------------------------------------------- sending
    def _give(self, name: str, arguments: dict[str, Any]) -> CommandChanged | None:
        unit = self._page.unit
        try:
            if unit is None:
                raise StationError("no unit was heard yet")
            sent = self._context.send(unit, name, arguments, self._context.sender)
        except (StationError, DictionaryError) as error:
            self._error.text = str(error)
            return None
        self._error.text = ""
        self.refresh()
        return sent

    def send(self) -> None:
        definition = self.definition
        if definition is None or not self._may:
            return
        if definition.two_step and not self._is_armed():
            self._error.text = "arm it first: this cannot be undone"
            return
        self._give(definition.name, self._arguments())
        if definition.two_step:
            self._armed = None
            self._buttons()

    def _arm_it(self) -> None:
        definition = self.definition
        if definition is None or not self._may:
            return
        arguments = {
            "armed_service": definition.service,
            "armed_subtype": definition.subtype,
            "armed_function": definition.function or 0,
        }
        sent = self._give("arm", arguments)
        self._armed = None if sent is None else (sent.id, definition.name)
        self._buttons()

    def _arm_left(self) -> float:
        """Seconds in which the second step is still taken."""
        if self._armed is None or self.definition is None or self._armed[1] != self.definition.name:
            return 0.0
        command = self._context.model.commands.get(self._armed[0])
        if command is None or command.state != "done" or not command.stages:
            return 0.0
        return max(0.0, command.stages[-1].time + ARMED_FOR - self._context.now())

    def _is_armed(self) -> bool:
        return self._arm_left() > 0

    def _buttons(self) -> None:
        definition = self.definition
        two = bool(definition and definition.two_step)
        left = self._arm_left()
        self._arm.set_visibility(two)
        first = "1  armed ✓" if left else "1  arm"
        if self._arm.text != first:
            self._arm.text = first
        text = f"2  execute ({left:.0f} s)" if two and left else "2  execute" if two else "send"
        if self._send.text != text:
            self._send.text = text
        enabled = self._may and (not two or left > 0)
        if self._send.enabled != enabled:
            self._send.set_enabled(enabled)
        if not self._may:
            self._arm.set_enabled(False)
            self._hint.content = "<span class='chip warn'>looking only: commands need the operator's token</span>"

    # ---------------------------------------------------------------------------------------------------------- stages
    def refresh(self) -> None:
        self._buttons()
        revision = self._context.model.revision["commands"]
        if revision == self._revision:
            return
        self._revision = revision
        unit = self._page.unit
        commands = [c for c in self._context.model.commands.values() if unit in (None, c.unit)]
        commands.sort(key=lambda c: -c.id)
        self._list.content = (
            "".join(_command_html(c, self._dictionary) for c in commands[:SHOWN])
            or "<span class=dim>no command yet</span>"
        )


def _armed(c: CommandChanged, dictionary: Dictionary) -> str:
    """What an `arm` is for, by name where its numbers are plain."""
    numbers = [str(c.arguments.get(f"armed_{n}", 0)) for n in ("service", "subtype", "function")]
    return f"for {command_name(dictionary, *map(int, numbers))}" if all(n.isdecimal() for n in numbers) else ""


def _command_html(c: CommandChanged, dictionary: Dictionary) -> str:
    first = c.stages[0].time if c.stages else c.time
    reached = {s.stage: s for s in c.stages}
    dots = []
    for name in STAGES:
        stage = reached.get(name)
        if stage is None:
            dots.append(f"<span class=dim title='{name}: not yet'>○</span>")
        else:
            color = "var(--ok)" if stage.success else "var(--red)"
            title = html.escape(f"{name} {utc(stage.time)} (+{stage.time - first:.1f} s) {stage.text}", quote=True)
            dots.append(f"<span style='color:{color}' title='{title}'>{'●' if stage.success else '✕'}</span>")
    kind = {"done": "ok", "failed": "bad", "lost": "bad"}.get(c.state, "run")
    said = " ".join(f"{k}={v}" for k, v in c.arguments.items())
    two = "<span class='chip two'>2nd step</span> " if c.two_step else ""
    if c.name == "arm":
        two = "<span class='chip two'>1st step</span> "
        said = _armed(c, dictionary) or said
    arguments = html.escape(said, quote=True)
    reason = f"<div class=st-red style='padding-left:64px'>{html.escape(c.reason)}</div>" if c.reason else ""
    return (
        f"<div style='display:flex;gap:8px;align-items:baseline;padding:1px 0' data-command='{c.id}' data-state='{c.state}'>"
        f"<span class='mono dim'>{utc(c.time)}</span><b>{html.escape(c.name)}</b>{two}"
        f"<span class='dim rc-cut' title='{arguments}'>{arguments}</span>"
        f"<span style='letter-spacing:2px'>{''.join(dots)}</span><span class='chip {kind}'>{c.state}</span></div>{reason}"
    )


def _engineering(field: Field) -> Any:
    if isinstance(field.default, (str, bool)):
        return field.default
    value = field.default * field.scale + field.offset
    return int(value) if value == int(value) else round(value, 9)
