"""Telecommands on their way: one record each, from the operator's word to the unit's completion report (ST[01])."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rovercam.archive import Archive
from rovercam.dictionary import Command
from rovercam.protocol import pus
from rovercam.station.updates import CommandChanged, Stage

KEPT = 200
"""Ended commands remembered for late reports; the archive has all."""
NEXT_STATE = {"acceptance": "accepted", "start": "started", "progress": "started", "completion": "done"}
ORDER = ("queued", "sent", "received", "accepted", "started", "done", "failed", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A telecommand packet, as far as the dictionary knows it: definition None when it does not."""

    unit: int
    apid: int
    sequence: int
    acks: int
    name: str
    arguments: Mapping[str, Any]
    definition: Command | None


@dataclass(slots=True)
class Pending:
    """A command that was sent. two_step: needs `arm` before it."""

    id: int
    unit: int
    name: str
    arguments: Mapping[str, Any]
    sender: str
    apid: int
    sequence: int
    acks: int
    two_step: bool
    argument_names: tuple[str, ...] = ()
    """In the order of the packet; a unit names a refused argument by its index."""
    state: str = "queued"
    stages: list[Stage] = field(default_factory=list)

    def snapshot(self, now: float) -> CommandChanged:
        return CommandChanged(
            time=now,
            id=self.id,
            unit=self.unit,
            name=self.name,
            arguments=dict(self.arguments),
            sender=self.sender,
            state=self.state,
            stages=tuple(self.stages),
            two_step=self.two_step,
        )


class Commands:
    """All commands of a station by request id (APID and sequence count)."""

    def __init__(self, archive: Archive):
        self._archive = archive
        self._by_request: dict[tuple[int, int], Pending] = {}
        self._by_id: dict[int, Pending] = {}

    def record(self, request: Request, packet: bytes, sender: str, now: float) -> Pending:
        """Into the archive and among those whose reports are waited for."""
        row = self._archive.add_command(
            time=now,
            unit=request.unit,
            name=request.name,
            arguments=dict(request.arguments),
            sender=sender,
            apid=request.apid,
            sequence=request.sequence,
            data=packet,
        )
        definition = request.definition
        pending = Pending(
            id=row,
            unit=request.unit,
            name=request.name,
            arguments=request.arguments,
            sender=sender,
            apid=request.apid,
            sequence=request.sequence,
            acks=request.acks,
            two_step=definition is not None and definition.two_step,
            argument_names=tuple(f.name for f in definition.args) if definition else (),
        )
        self._remember(pending)
        return pending

    def _remember(self, command: Pending) -> None:
        self._by_request[command.apid, command.sequence] = command
        self._by_id[command.id] = command
        if len(self._by_id) > KEPT:
            oldest = min((c for c in self._by_id.values() if c.state in ORDER[5:]), key=lambda c: c.id, default=None)
            if oldest is not None:
                del self._by_id[oldest.id]
                if self._by_request.get((oldest.apid, oldest.sequence)) is oldest:
                    del self._by_request[oldest.apid, oldest.sequence]

    def remade(self, command: Pending, arguments: Mapping[str, Any], packet: bytes) -> None:
        """It goes to the line with new arguments."""
        command.arguments = arguments
        self._archive.set_command_packet(command.id, dict(arguments), packet)

    def get(self, number: int) -> Pending | None:
        return self._by_id.get(number)

    def open(self) -> list[Pending]:
        """Commands that have not ended."""
        return [c for c in self._by_id.values() if c.state not in ORDER[5:]]

    def on_report(self, report: pus.Verification, now: float) -> CommandChanged | None:
        """A verification report; None when it is about no command of ours (another station's, or long ago)."""
        command = self._by_request.get((report.apid, report.sequence))
        if command is None:
            return None
        text = report.reason
        if not report.success:
            text += self._detail(command, report)
        state = NEXT_STATE[report.stage] if report.success else "failed"
        # A unit reports completion only for commands that ask for it; without, the last stage asked for ends it.
        if report.success and state == "accepted" and not command.acks & ~pus.ACK_ACCEPTANCE:
            state = "done"
        stage = Stage(time=now, stage=report.stage, success=report.success, code=report.code, text=text)
        return self.stage(command, stage, state, now)

    def _detail(self, command: Pending, report: pus.Verification) -> str:
        if report.stage == "acceptance" and report.reason in ("out_of_range", "wrong_length"):
            if report.detail < len(command.argument_names):
                name = command.argument_names[report.detail]
                return f" (argument {name} = {command.arguments.get(name, 'default')})"
            return ""
        return f" ({report.detail})" if report.detail else ""

    def stage(self, command: Pending, stage: Stage, state: str, now: float) -> CommandChanged:
        """Record a stage; a command never goes back to an earlier state, and stays failed."""
        command.stages.append(stage)
        if ORDER.index(state) > ORDER.index(command.state):
            command.state = state
        self._archive.add_stage(command.id, stage.time, stage.stage, stage.success, stage.code, stage.text)
        self._archive.set_command_state(command.id, command.state, now if command.state in ORDER[5:] else None)
        return command.snapshot(now)
