"""What a station is asked to do: telecommands, scheduled ones, those of other control systems, files to a unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rovercam.archive import Archive
from rovercam.dictionary import Dictionary, DictionaryError, encode_command, find
from rovercam.dictionary.fields import bytes_of
from rovercam.protocol import pus
from rovercam.protocol.cfdp import Entity, RequestError, TransactionId
from rovercam.station import foreign
from rovercam.station.decoding import Decoder
from rovercam.station.errors import StationError
from rovercam.station.files import FileService
from rovercam.station.links import UnitLink
from rovercam.station.transfers import ArchiveStore
from rovercam.station.updates import CommandChanged, Notice, Stage, Update
from rovercam.station.verification import Commands, Pending, Request

Arguments = Mapping[str, Any]


def _time(now: float) -> Arguments:
    """What set_time takes."""
    seconds = int(now)
    return {"seconds": seconds, "fraction": now - seconds - (now - seconds) % (1 / 65536)}


class Commanding:
    """Mixed into Station."""

    archive: Archive
    dictionary: Dictionary
    name: str
    commands: Commands
    cfdp: Entity
    files: FileService
    _decoder: Decoder
    _store: ArchiveStore

    def tell(self, update: Update) -> None:
        raise NotImplementedError

    def _unit(self, number: int) -> UnitLink:
        raise NotImplementedError

    def _open(self, unit: UnitLink) -> None:
        raise NotImplementedError

    def command(
        self,
        unit: int,
        name: str,
        arguments: Arguments | None = None,
        now: float = 0.0,
        *,
        sender: str = "",
        acks: int = pus.ACK_ALL,
        bypass: bool = False,
        fresh: Callable[[float], Arguments] | None = None,
    ) -> CommandChanged:
        """Queue one telecommand. Raises UnknownName, ValueRefused (with the allowed range), StationError.

        fresh: the arguments as they are at a time, asked anew whenever the packet goes to the line; the log has the last ones.
        """
        packet, pending = self._prepare(unit, name, arguments, now, sender, acks)
        self._unit(unit).send_command(packet, pending, bypass, fresh and self._remade(pending, fresh))
        self._decoder.command_sent(unit, self.dictionary.commands[name], pending.arguments, now)
        snapshot = pending.snapshot(now)
        self.tell(snapshot)
        return snapshot

    def _remade(self, pending: Pending, fresh: Callable[[float], Arguments]) -> Callable[[float], bytes]:
        """The packet with the same sequence count and new arguments."""
        definition = self.dictionary.commands[pending.name]

        def make(now: float) -> bytes:
            arguments = fresh(now)
            data = encode_command(definition, arguments, self.dictionary)
            packet = pus.build_command(
                pending.apid, pending.sequence, definition.service, definition.subtype, data, acks=pending.acks
            )
            self.commands.remade(pending, arguments, packet)
            return packet

        return make

    def schedule(
        self,
        unit: int,
        seconds: int,
        name: str,
        arguments: Arguments | None = None,
        now: float = 0.0,
        *,
        sender: str = "",
    ) -> tuple[CommandChanged, CommandChanged]:
        """Have the unit run a telecommand at an on-board time: (the command, which waits; the one that brings it there).

        Both are in the log, and the first goes on with its own verification when it runs. Raises as command().
        """
        if name == "insert_schedule":
            raise StationError("a command that schedules cannot be scheduled itself")
        packet, pending = self._prepare(unit, name, arguments, now, sender, pus.ACK_ALL)
        stage = Stage(time=now, stage="scheduled", success=True, text=f"for {seconds} s")
        self.tell(self.commands.stage(pending, stage, "queued", now))
        bringing = self.command(unit, "insert_schedule", {"seconds": seconds, "packet": packet}, now, sender=sender)
        return pending.snapshot(now), bringing

    def _prepare(
        self, unit: int, name: str, arguments: Arguments | None, now: float, sender: str, acks: int
    ) -> tuple[bytes, Pending]:
        """The packet of a telecommand, and its record."""
        arguments = dict(arguments or {})
        definition = find(self.dictionary.commands, name, "command")
        data = encode_command(definition, arguments, self.dictionary)
        link = self._unit(unit)
        self._open(link)
        if name == "rotate_key" and link.keys is not None:
            link.keys.propose(bytes_of(definition.args[0], arguments["nonce"]))
        apid = self.dictionary.apid(unit)
        sequence = link.next_sequence(self.archive, apid)
        packet = pus.build_command(apid, sequence, definition.service, definition.subtype, data, acks=acks)
        request = Request(
            unit=unit, apid=apid, sequence=sequence, acks=acks, name=name, arguments=arguments, definition=definition
        )
        return packet, self.commands.record(request, packet, sender or self.name, now)

    def forward(self, packet: bytes, now: float, *, sender: str) -> CommandChanged:
        """Queue a telecommand packet that another control system built, as it is. Raises StationError, StrangePacket."""
        request = foreign.understand(packet, self.dictionary)
        link = self._unit(request.unit)
        self._open(link)
        pending = self.commands.record(request, packet, sender, now)
        link.send_command(packet, pending, bypass=False)
        if request.definition is not None:
            self._decoder.command_sent(request.unit, request.definition, request.arguments, now)
        snapshot = pending.snapshot(now)
        self.tell(snapshot)
        return snapshot

    def put(self, unit: int, data: bytes, target: str, now: float, *, sender: str = "") -> TransactionId:
        """Send a file to a unit; goes on over restarts of either end. Raises StationError."""
        self._store.now = now
        link = self._unit(unit)
        self._open(link)
        try:
            transaction = self.cfdp.put(unit, data, target)
        except RequestError as error:
            raise StationError(str(error)) from error
        self.files.on_events(self.cfdp.events(), now)
        return transaction

    def transfer(self, action: str, source: int, number: int, now: float) -> None:
        """suspend, resume or cancel a file transfer of this end. Raises StationError."""
        self._store.now = now
        transaction = TransactionId(source, number)
        try:
            if action == "suspend":
                self.cfdp.suspend(transaction)
            elif action == "resume":
                self.cfdp.resume(transaction)
            elif action == "cancel":
                self.cfdp.cancel(transaction, now)
            else:
                raise StationError(f"transfers can be suspended, resumed and cancelled, not {action!r}")
        except RequestError as error:
            raise StationError(str(error)) from error
        self.files.on_events(self.cfdp.events(), now)

    def _set_clock(self, unit: UnitLink, now: float) -> None:
        """Once per start of the unit, and only with its key."""
        unit.clock_unset = False
        try:
            self.command(unit.number, "set_time", _time(now), now, sender=self.name, fresh=_time)
        except (StationError, DictionaryError) as error:
            self.tell(Notice(time=now, unit=unit.number, severity="low", text=f"clock not set: {error}"))

    def _command_quietly(self, unit: int, name: str, arguments: dict[str, Any], now: float) -> None:
        """A command of the station itself; a refusal is said once as a notice."""
        try:
            self.command(unit, name, arguments, now, sender="link control")
        except (StationError, DictionaryError) as error:
            self.tell(Notice(time=now, unit=unit, severity="low", text=f"{name}: {error}"))
