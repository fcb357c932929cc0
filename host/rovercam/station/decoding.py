"""Reports of a unit to archive rows and updates; the unit's time to UTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rovercam.archive import Archive, source_of
from rovercam.dictionary import Command, Structure, to_raw
from rovercam.protocol import pus
from rovercam.station.updates import AnswerReceived, EventReceived, Notice, Telemetry, Update
from rovercam.station.verification import Commands

REBOOT_STEP = 2.0
"""Seconds by which an unset clock may run off before it counts as started anew."""
CLOCK_RETRY = 30.0
"""Seconds between two attempts to set a clock."""
KNOWN_STRUCTURES_PER_UNIT = 15


@dataclass(slots=True)
class Correlation:
    """Generation time of reports. A set clock is believed; an unset one is placed by the quickest report so far."""

    offset: float | None = None

    def to_utc(self, report: pus.Report, received: float) -> float:
        """POSIX seconds."""
        if report.synchronised:
            return report.time
        offset = received - report.time
        if self.offset is None or offset < self.offset or offset > self.offset + REBOOT_STEP:
            self.offset = offset
        return report.time + self.offset


class Unit(Protocol):
    """What decoding keeps about a unit."""

    number: int
    correlation: Correlation
    clock_unset: bool
    insecure: bool
    strange_dictionary: int | None
    clock_asked: float
    bad_packets: int

    def set_floor(self, floor: int) -> None: ...
    def boot(self, count: int, uptime: float, now: float) -> None: ...


class Decoder:
    def __init__(self, archive: Archive, commands: Commands, tell: Callable[[Update], None]):
        self._archive = archive
        self._dictionary = archive.dictionary
        self._commands = commands
        self._tell = tell
        self._made: dict[int, dict[int, Structure]] = {}
        self.relays: list[Callable[[int, bytes, float], None]] = []
        """Called with every report: unit, packet, generation time (POSIX seconds)."""

    def report(self, unit: Unit, packet: bytes, frame: int | None, now: float) -> None:
        """One PUS report: stored whole, then understood. What cannot be understood is stored, counted and said."""
        try:
            report = pus.parse(packet)
        except pus.PacketError as error:
            unit.bad_packets += 1
            self._tell(Notice(time=now, unit=unit.number, severity="low", text=f"packet not understood: {error}"))
            return
        at = unit.correlation.to_utc(report, now)
        structure = report.body[0] if report.service == pus.HOUSEKEEPING and report.body else 0
        row = self._archive.add_packet(
            frame=frame,
            time=at,
            received=now,
            unit=unit.number,
            apid=report.apid,
            sequence=report.sequence,
            source=source_of(unit.number, report.service, report.subtype, structure),
            body=pus.TM_BODY,
            data=packet,
        )
        for relay in self.relays:
            relay(unit.number, packet, at)
        self._watch_clock(unit, report, now)
        try:
            decoded = pus.decode(report, self._dictionary, self._structures(unit.number))
        except pus.PacketError as error:
            unit.bad_packets += 1
            if unit.bad_packets == 1 or unit.bad_packets % 100 == 0:
                text = f"{error} ({unit.bad_packets} such reports; is the firmware of another version?)"
                self._tell(Notice(time=now, unit=unit.number, severity="low", text=text))
            return
        self._understood(unit, decoded, row, at, now)

    def _understood(self, unit: Unit, decoded: pus.Decoded, row: int, at: float, now: float) -> None:
        if isinstance(decoded, pus.Verification):
            changed = self._commands.on_report(decoded, now)
            if changed is not None:
                self._tell(changed)
        elif isinstance(decoded, pus.Housekeeping):
            self._housekeeping(unit, decoded, at, now)
        elif isinstance(decoded, pus.EventReport):
            self._event(unit, decoded, row, at, now)
        else:
            self._tell(AnswerReceived(time=at, unit=unit.number, name=decoded.name, values=decoded.values))

    def _housekeeping(self, unit: Unit, decoded: pus.Housekeeping, at: float, now: float) -> None:
        values = {name: value for name, (_, value) in decoded.values.items()}
        alarms = {}
        for name, (raw, value) in decoded.values.items():
            parameter = self._dictionary.parameters[name]
            number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else raw
            state = parameter.state(number)
            if state != "normal":
                alarms[name] = state
        insecure = values.get("link_insecure")
        if insecure is not None:
            unit.insecure = bool(insecure)
        floor = values.get("uplink_floor")
        if floor is not None:
            unit.set_floor(int(floor))
        if "boot_count" in values and "uptime" in values:
            unit.boot(int(values["boot_count"]), float(values["uptime"]), now)
        self._watch_dictionary(unit, values.get("dictionary_hash"), now)
        self._tell(
            Telemetry(time=at, unit=unit.number, received=now, structure=decoded.name, values=values, alarms=alarms)
        )

    def _event(self, unit: Unit, event: pus.EventReport, row: int, at: float, now: float) -> None:
        number = self._archive.add_event(
            packet=row,
            time=at,
            received=now,
            unit=unit.number,
            number=event.id,
            name=event.name,
            severity=event.severity,
            text=event.text,
            fields=dict(event.values),
        )
        self._tell(
            EventReceived(
                time=at,
                id=number,
                unit=unit.number,
                received=now,
                name=event.name,
                severity=event.severity,
                text=event.text,
                values=event.values,
            )
        )

    def _watch_clock(self, unit: Unit, report: pus.Report, now: float) -> None:
        """An unset clock is to be set, and asked for again only after a while, or when the unit has started anew."""
        event = self._dictionary.events.get(report.body[0]) if report.service == pus.EVENTS and report.body else None
        started = event is not None and event.name == "started"
        if report.synchronised:
            unit.clock_unset = False
        elif started or now - unit.clock_asked >= CLOCK_RETRY:
            unit.clock_unset, unit.clock_asked = True, now

    def _watch_dictionary(self, unit: Unit, found: Any, now: float) -> None:
        """A unit built with another dictionary is said plainly, once per version."""
        if found is None or found == unit.strange_dictionary:
            return
        if found == self._dictionary.hash:
            unit.strange_dictionary = None
            return
        unit.strange_dictionary = int(found)
        text = (
            f"unit {unit.number} was built with dictionary {int(found):08x}, this station has {self._dictionary.hash:08x}"
            f" (version {self._dictionary.version}): values may be read wrongly; flash the unit or update rovercam"
        )
        self._tell(Notice(time=now, unit=unit.number, severity="high", text=text))

    # ---------------------------------------------------------------------------------------- structures made in flight
    def _structures(self, unit: int) -> Mapping[int, Structure]:
        """Housekeeping structures made by command, as archived."""
        if unit not in self._made:
            found: dict[int, Structure] = {}
            for number in range(1, KNOWN_STRUCTURES_PER_UNIT + 1):
                versions = self._archive._structures(unit, number)
                if versions and number not in self._dictionary.structures:
                    parameters = versions[-1][1]
                    found[number] = Structure(id=number, name=f"structure_{number}", period=0, parameters=parameters)
            self._made[unit] = found
        return self._made[unit]

    def command_sent(self, unit: int, command: Command, arguments: Mapping[str, Any], now: float) -> None:
        """create_housekeeping tells how its reports will look."""
        if command.name != "create_housekeeping":
            return
        wanted = arguments["parameters"]
        items = wanted.split(",") if isinstance(wanted, str) else list(wanted)
        names = []
        for item in items:
            text = str(item).strip()
            by_id = self._dictionary.parameter_by_id(int(text)) if text.isdigit() else None
            names.append(by_id.name if by_id else text)
        field = next(f for f in self._dictionary.commands["create_housekeeping"].args if f.name == "structure")
        number = int(to_raw(field, arguments["structure"], self._dictionary))
        self._archive.set_structure(unit, number, now, names)
        self._made.pop(unit, None)
