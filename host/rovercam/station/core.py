"""The station: joins line, protocol and archive. Sync and sans-IO; bytes and the time come in, bytes and updates go out.

    station.attach("socket://rover:5000")
    station.receive(port, data, now)        bytes from a port
    station.command(unit, name, args, now)  a telecommand, checked against the dictionary
    station.transmit(port, now) -> bytes    what to write to a port; commits the archive first
    station.deadline()                      when transmit is due next without input

`now` is POSIX seconds, the same clock for every call; it never goes back. Nothing here reads a clock, sleeps or
touches a port.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from rovercam.archive import Archive, ArchiveError
from rovercam.dictionary import Dictionary
from rovercam.keys import KeyStore, KeyStoreError
from rovercam.protocol import pus, tc
from rovercam.protocol.cfdp import Entity, Settings
from rovercam.station import adapting, links
from rovercam.station.commanding import Commanding
from rovercam.station.decoding import Decoder
from rovercam.station.errors import StationError
from rovercam.station.files import FileService
from rovercam.station.keyring import UnitKeys
from rovercam.station.links import PortLink, UnitLink
from rovercam.station.overview import Overview, overview
from rovercam.station.relayed import STORE, RadioPort, fresh_store_file
from rovercam.station.transfers import ArchiveStore
from rovercam.station.updates import (
    CommandChanged,
    EventReceived,
    Notice,
    PortChanged,
    Stage,
    UnitHeard,
    Update,
)
from rovercam.station.verification import Commands

Subscriber = Callable[[Update], None]
COMMIT_INTERVAL = 0.25
"""Longest time, in seconds of the station's clock, that rows wait for their commit."""
UP_RATE, UP_BURST = 6000.0, 700
"""Bytes of file data to a unit, per second and at once, on lines as fast as they may be: a Pico takes in no more while it writes flash,
and what comes meanwhile must fit its UART's kilobyte (at 921600 baud 20 KB took 27 s without this)."""


class Station(Commanding):
    """archive: opened for writing; keys: where units' keys are; name: who commands are logged for by default."""

    def __init__(
        self,
        archive: Archive,
        keys: KeyStore,
        *,
        now: float = 0.0,
        name: str = "station",
        set_clocks: bool = False,
        adapt: bool = False,
        insecure: bool = False,
    ):
        """set_clocks: give the time to units that lack it. adapt: choose their line profiles. insecure: the bench mode without authentication."""
        self.archive = archive
        self.dictionary: Dictionary = archive.dictionary
        self.keys = keys
        self.name = name
        self.set_clocks = set_clocks
        self.adapt = adapt
        self.insecure = insecure
        self._subscribers: list[Subscriber] = []
        self._ports: dict[str, PortLink] = {}
        self._radios: dict[str, RadioPort] = {}
        self._units: dict[int, UnitLink] = {}
        self.commands = Commands(archive)
        self._decoder = Decoder(archive, self.commands, self.tell)
        self._store = ArchiveStore(archive)
        self._open_files(now)
        self._committed = now

    # ---------------------------------------------------------------------------------------------------- subscribers
    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Called with every Update, in order, inside the call that caused it; returns the function that ends it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber) if subscriber in self._subscribers else None

    def tell(self, update: Update) -> None:
        if isinstance(update, CommandChanged):
            unit = self._unit(update.unit)
            adapting.told(unit, self._ports.get(unit.port or ""), update)
            self._rotated(unit, update)
        for subscriber in tuple(self._subscribers):
            subscriber(update)
        if isinstance(update, Notice):
            number = self.archive.add_event(
                packet=None,
                time=update.time,
                received=update.time,
                unit=update.unit,
                number=0,
                name="station",
                severity=update.severity,
                text=update.text,
                fields={},
            )
            told = EventReceived(
                time=update.time,
                id=number,
                unit=update.unit,
                received=update.time,
                name="station",
                severity=update.severity,
                text=update.text,
            )
            for subscriber in tuple(self._subscribers):
                subscriber(told)

    # ---------------------------------------------------------------------------------------------------------- ports
    def attach(self, port: str, now: float, baud: int | None = None) -> None:
        """A port that bytes will come from; known ports are told "open" again. baud: its rate, None where it has none."""
        if port not in self._ports:
            self._ports[port] = PortLink(port, baud)
        self._ports[port].open = True
        self.tell(PortChanged(time=now, port=port, state="open"))

    def detach(self, port: str, now: float) -> None:
        """The port's bytes are at an end (a recording): what is still held is decided now."""
        self._store.now = now
        for frame in self._ports[port].flush(now):
            self._frame(self._ports[port], frame, now)
        self._ports[port].open = False
        self.commit(now)

    def port_state(self, port: str, state: str, text: str, now: float) -> None:
        """The runner says: lost, waiting, closed."""
        if port in self._ports:
            self._ports[port].open = state == "open"
        self.tell(PortChanged(time=now, port=port, state=state, text=text))

    def ports(self) -> dict[str, bool]:
        """Attached ports and whether they are open."""
        return {name: p.open for name, p in self._ports.items()}

    # ------------------------------------------------------------------------------------------------------- receiving
    def receive(self, port: str, data: bytes, now: float) -> None:
        """Bytes from a port. Raises ArchiveError when they cannot be stored: then nothing of them was taken."""
        self._store.now = now
        link = self._ports[port]
        try:
            for frame in link.feed(data, now):
                self._frame(link, frame, now)
            self.poll(now)
        except ArchiveError:
            self._roll_back(now)
            raise

    def _frame(self, link: PortLink | RadioPort, frame: links.Frame, now: float) -> None:
        unit = self._unit(frame.unit)
        if unit.is_duplicate(frame, link.name, now):
            return
        row = self.archive.add_frame(now, link.name, frame.unit, frame.channel, frame.corrected, frame.data)
        if unit.port != link.name and not link.stored:
            unit.port = link.name
            self.tell(UnitHeard(time=now, unit=frame.unit, port=link.name))
        self.cfdp.heard(frame.unit, now)
        if frame.clcw is not None:
            self._uplink_events(unit, unit.on_clcw(frame.clcw, now), now)
            if unit.uplink is not None and unit.uplink.round_trip is not None:
                self.cfdp.round_trip(frame.unit, unit.uplink.round_trip)
        self.cfdp.fragments(frame.unit, frame.fragments)
        unit.live = not link.stored
        for packet in frame.packets:
            self._packet(unit, packet, row, now)

    def _packet(self, unit: UnitLink, packet: bytes, frame: int, now: float) -> None:
        apid = (packet[0] << 8 | packet[1]) & 0x7FF
        kind = apid - self.dictionary.apid(unit.number)
        table = self.dictionary.raw["apid"]
        if kind == table["pus"]:
            self._decoder.report(unit, packet, frame, now)
            if unit.clock_unset and self.set_clocks:
                self._set_clock(unit, now)
        elif kind == table["cfdp"]:
            self.files.on_events(self.cfdp.pdu_in(unit.number, packet[6:], now), now)
        elif kind == table["repair"]:
            self.files.on_events(self.cfdp.repair_in(unit.number, packet[6:], now), now)
        elif kind == table["relay"]:
            self._relayed(unit.number, packet[6:], False, now)
        elif apid != links.IDLE_APID:
            unit.foreign_packets += 1

    def _relayed(self, carrier: int, frames: bytes, stored: bool, now: float) -> None:
        """Frames of other units that a unit's radio brought."""
        radio = RadioPort(carrier, stored=stored)
        radio = self._radios.setdefault(radio.name, radio)
        for frame in radio.frames(frames, self.dictionary.raw["unit"]["scid_base"]):
            if frame.unit != carrier:
                self._frame(radio, frame, now)

    def _store_file(self, carrier: int, name: str, transfer: int, now: float) -> None:
        """A file of a unit has arrived: frames of its radio's store are taken in."""
        if STORE.match(name) and (frames := fresh_store_file(self.archive, transfer)) is not None:
            self._relayed(carrier, frames, True, now)

    # ---------------------------------------------------------------------------------------------------- transmitting
    def transmit(self, port: str, now: float) -> bytes:
        """Bytes for a port now. Everything received so far is committed before."""
        self._store.now = now
        if port not in self._ports or not self._ports[port].open:
            return b""
        mine = [u for u in self._units.values() if u.port == port or (u.port is None and len(self._ports) == 1)]
        if not mine:
            return b""
        self._file_pdus(now)
        for radio in self._radios.values():
            if any(u.number == radio.carrier for u in mine):
                self._radio_uplink(radio, now)
        out = bytearray()
        for unit in mine:
            data, events = unit.poll(now)
            out += data
            self._uplink_events(unit, events, now)
        if out:
            self.commit(now)
        return bytes(out)

    def _radio_uplink(self, radio: RadioPort, now: float) -> None:
        """What is due for units behind a radio becomes telecommands for its carrier, in sequence."""
        carrier = self._unit(radio.carrier)
        for unit in [u for u in self._units.values() if u.port == radio.name]:
            data, events = unit.poll(now)
            self._uplink_events(unit, events, now)
            if data and self._open_uplink(carrier, now):
                apid = self.dictionary.apid(carrier.number, "relay")
                carrier.send_packets(radio.packets(apid, data, secured=not self.insecure))

    def _file_pdus(self, now: float) -> None:
        """PDUs of the file transfer entity to the units' uplinks, as far as these have room."""
        room = None if all(u.room for u in self._units.values() if u.uplink) else 0
        for number, pdu in self.cfdp.poll(now, room):
            unit = self._unit(number)
            if self._open_uplink(unit, now):
                unit.send_pdu(self.dictionary.apid(number, "cfdp"), pdu)
        for number, request in self.cfdp.requests():
            unit = self._unit(number)
            if self._open_uplink(unit, now):
                unit.send_pdu(self.dictionary.apid(number, "repair"), request)
        self.files.on_events(self.cfdp.events(), now)

    def hail(self, wanted: int | None, now: float) -> None:
        """Call a unit that was not heard yet, or every one there is a key for; on a station's only port (elsewhere nobody knows which)."""
        for number in [wanted] if wanted is not None else self.keys.units():
            unit = self._unit(number)
            with contextlib.suppress(StationError):  # without a key it can only be waited for
                self._open(unit)
                assert unit.uplink is not None
                unit.uplink.hail(now)

    def _open_uplink(self, unit: UnitLink, now: float) -> bool:
        """False, said once, when there is no key for it."""
        try:
            self._open(unit)
        except StationError as error:
            if not unit.key_missed:
                unit.key_missed = True
                self.tell(Notice(time=now, unit=unit.number, severity="medium", text=f"cannot answer: {error}"))
            return False
        return True

    def _open(self, unit: UnitLink) -> None:
        """Raises StationError when there is no key."""
        if unit.uplink is None:
            try:
                keys = None if self.insecure else UnitKeys(self.keys, self.archive, unit.number)
            except KeyStoreError as error:
                raise StationError(str(error)) from error
            unit.open_uplink(self.dictionary.scid(unit.number), keys)

    def deadline(self) -> float | None:
        """When transmit should be called next, if no bytes come before; None: only when something happens."""
        times = [u.deadline() for u in self._units.values() if u.port is not None or len(self._ports) == 1]
        times.append(self.cfdp.deadline())
        times += [p.deadline() for p in self._ports.values()]
        if self.archive.db.in_transaction:
            times.append(self._committed + COMMIT_INTERVAL)
        return min((t for t in times if t is not None), default=None)

    def poll(self, now: float) -> None:
        """What is due without new bytes: frames that only silence decides, commits."""
        for link in self._ports.values():
            due = link.deadline()
            if due is not None and due <= now:
                for frame in link.poll(now):
                    self._frame(link, frame, now)
        if self.adapt:
            for unit in self._units.values():
                if unit.port in self._ports:
                    adapting.steer(unit, self._ports[unit.port].policy, self._command_quietly, now)
        if now - self._committed >= COMMIT_INTERVAL:
            self.commit(now)

    def _rotated(self, unit: UnitLink, update: CommandChanged) -> None:
        """The unit went over to its next key: so does its uplink."""
        if update.name == "rotate_key" and update.state == "done" and unit.keys is not None and unit.uplink is not None:
            unit.keys.rotated(unit.uplink, update.time)

    def commit(self, now: float) -> None:
        """Everything taken so far survives a kill."""
        try:
            self.archive.commit()
        except ArchiveError:
            self._roll_back(now)
            raise
        self._committed = now

    def _roll_back(self, now: float) -> None:
        """Back to what is stored for certain: file transfer must not acknowledge what the archive does not have."""
        self.archive.rollback()
        self._store.forget_cached()
        self._open_files(now)

    def _open_files(self, now: float) -> None:
        self._store.now = now
        settings = Settings(pdu_limit=tc.max_packet() - pus.PACKET_HEADER, data_per_poll=UP_BURST, data_rate=UP_RATE)
        self.cfdp = Entity(int(self.dictionary.raw["unit"]["ground_entity"]), self._store, now, settings)
        self.files = FileService(self.archive, self.cfdp, self._store, self.dictionary, self.tell, self._store_file)

    def relay(self, to: Callable[[int, bytes, float], None]) -> Callable[[], None]:
        """Call with every report that is stored: unit, packet, generation time; returns the function that ends it."""
        relays = self._decoder.relays
        relays.append(to)
        return lambda: relays.remove(to) if to in relays else None

    def _uplink_events(self, unit: UnitLink, events: list[links.UplinkEvent], now: float) -> None:
        for event in events:
            if event.command is not None:
                stage = Stage(time=now, stage=event.kind, success=event.kind != "lost", text=event.text)
                self.tell(self.commands.stage(event.command, stage, event.kind, now))
            else:
                self.tell(Notice(time=now, unit=unit.number, severity="medium", text=event.text))

    # -------------------------------------------------------------------------------------------------------- overview
    def _unit(self, number: int) -> UnitLink:
        if number not in self._units:
            self._units[number] = UnitLink(number)
        return self._units[number]

    def units(self) -> list[int]:
        """Units heard since the start."""
        return sorted(n for n, u in self._units.items() if u.port is not None)

    def link(self, unit: int) -> Overview:
        """Raises StationError when the unit was not heard."""
        if unit not in self._units or self._units[unit].port is None:
            heard = ", ".join(map(str, self.units())) or "none"
            raise StationError(f"unit {unit} was not heard since the station began; heard: {heard}")
        link = self._units[unit]
        assert link.port is not None
        return overview(link, self._ports.get(link.port) or self._radios[link.port])
