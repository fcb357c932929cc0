"""Serves a station to Yamcs: reports and files over TCP, telecommands over UDP, all on this computer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol, cast

from rovercam.dictionary.fields import encode_field
from rovercam.dictionary.xtce import GROUND_APID_UNIT, GROUND_EVENT_FIELDS, PICTURE_RECEIVED
from rovercam.protocol import pus
from rovercam.station.core import Station, StationError
from rovercam.station.foreign import StrangePacket
from rovercam.station.pictures import NoPicture, render
from rovercam.station.products import part_of
from rovercam.station.updates import Notice, PictureChanged, TransferChanged, Update
from rovercam.yamcs import places
from rovercam.yamcs.files import Files, PduStream
from rovercam.yamcs.uplink import BadCltu, ControlFrames, Farm, open_cltu, packets

SENDER = "yamcs"
BACKLOG = 4 << 20
"""Bytes that a client may lag behind before it is dropped; Yamcs connects again."""
ROOM = 1 << 16
"""Bytes of file data under way at once."""
BEAT = 1.0
"""Seconds between two control words when nothing happens."""
WAITING_COMMANDS = 64
"""Commands of a unit that may wait for the line before Yamcs is made to wait."""
FILES_WAITING = 256
TRUNCATED_URL = 250


class Host(Protocol):
    """What is served; a station.session.OwnSession is one."""

    @property
    def station(self) -> Station: ...
    @property
    def runner(self) -> Clockwork: ...


class Clockwork(Protocol):
    @property
    def clock(self) -> Callable[[], float]: ...
    def kick(self) -> None: ...


class Gateway(asyncio.DatagramProtocol):
    """web: address of the pictures, "" when there is none. first: of its ports."""

    def __init__(self, session: Host, web: str = "", first: int = places.FIRST):
        self._station = session.station
        self._runner = session.runner
        self._web = web.split("?", maxsplit=1)[0].rstrip("/")
        self._first = first
        self._farms: dict[int, tuple[Farm, ControlFrames]] = {}
        self._telemetry: set[asyncio.StreamWriter] = set()
        self._client: asyncio.StreamWriter | None = None
        self._kick = asyncio.Event()
        self._waiting: deque[tuple[int, str, int | None, int | None]] = deque(maxlen=FILES_WAITING)
        """(unit, name, transfer, product): files for Yamcs while it is not connected; the oldest are given up."""
        self._transport: asyncio.DatagramTransport | None = None
        self._counts = {"reports": 0, "commands": 0, "refused": 0, "dropped": 0}
        dictionary = self._station.dictionary
        self._files = Files(
            int(dictionary.raw["unit"]["ground_entity"]), self._take, lambda unit: dictionary.apid(unit, "cfdp")
        )
        self._ground_count = 0

    @property
    def counts(self) -> dict[str, int]:
        """reports sent, commands taken and refused, clients dropped."""
        return dict(self._counts)

    def task_ended(self, task: asyncio.Task[None]) -> None:
        """A task that died must not leave a hand-over that looks alive."""
        if not task.cancelled() and (error := task.exception()) is not None:
            text = f"the hand-over to Yamcs failed: {error!r}"
            self._station.tell(Notice(time=self._runner.clock(), unit=0, severity="high", text=text))

    # ------------------------------------------------------------------------------------------------------- telemetry
    def report(self, unit: int, packet: bytes, time: float) -> None:
        """A unit's report, for every client; the time of one without a clock is the station's estimate."""
        if not packet[pus.PACKET_HEADER] & 0xF:
            stamp = round(time / pus.FRACTION).to_bytes(pus.TIME_LENGTH, "big")
            packet = packet[: pus.TM_BODY - pus.TIME_LENGTH] + stamp + packet[pus.TM_BODY :]
        self._counts["reports"] += 1
        for writer in tuple(self._telemetry):
            self._write(writer, packet)

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if writer.transport.get_write_buffer_size() > BACKLOG:
            self._counts["dropped"] += 1
            self._telemetry.discard(writer)
            writer.close()
        else:
            writer.write(data)

    async def serve_telemetry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._telemetry.add(writer)
        with suppress(OSError):
            while await reader.read(4096):
                pass  # nothing is expected on this port
        self._telemetry.discard(writer)
        writer.close()

    async def hang_up(self) -> None:
        """Closes every client's connection; their tasks end by themselves."""
        for writer in (*self._telemetry, *([self._client] if self._client else [])):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    # -------------------------------------------------------------------------------------------------------- commands
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _: object) -> None:
        """A CLTU. What is wrong with it is said in an event; COP-1 has it sent again."""
        now = self._runner.clock()
        try:
            frame = open_cltu(data)
            unit = frame.scid - self._station.dictionary.scid(0)
            if not 1 <= unit <= 99 or frame.vcid:
                raise BadCltu(f"spacecraft {frame.scid:#x}, channel {frame.vcid}: no unit's")
            farm, _frames = self._farm(unit)
            if farm.receive(frame, self._room(unit)):
                for packet in packets(frame.data):
                    self._forward(packet, now)
        except BadCltu as error:
            self._refuse(0, str(error), now)
            return
        self._control_word(unit)

    def _room(self, unit: int) -> bool:
        return len([c for c in self._station.commands.open() if c.unit == unit]) < WAITING_COMMANDS

    def _forward(self, packet: bytes, now: float) -> None:
        try:
            self._station.forward(packet, now, sender=SENDER)
            self._counts["commands"] += 1
        except (StationError, StrangePacket) as error:
            self._refuse(0, str(error), now)
        self._runner.kick()

    def _refuse(self, unit: int, why: str, now: float) -> None:
        self._counts["refused"] += 1
        self._station.tell(Notice(time=now, unit=unit, severity="low", text=f"from Yamcs: {why}"))

    def _farm(self, unit: int) -> tuple[Farm, ControlFrames]:
        if unit not in self._farms:
            frames = ControlFrames(self._station.dictionary.scid(unit), places.CONTROL_FRAME)
            self._farms[unit] = Farm(), frames
        return self._farms[unit]

    def _control_word(self, unit: int) -> None:
        farm, frames = self._farm(unit)
        if farm.wait and self._room(unit):
            farm.has_room()
        if self._transport is not None:
            self._transport.sendto(frames.make(farm.word), (places.HOST, self._first + places.CONTROL_WORDS + unit))

    async def beat(self) -> None:
        while True:
            for unit in {*self._station.units(), *self._farms}:
                self._control_word(unit)
            await asyncio.sleep(BEAT)

    # ----------------------------------------------------------------------------------------------------------- files
    def tell(self, update: Update) -> None:
        """Subscriber: whole files and pictures go to Yamcs."""
        if isinstance(update, TransferChanged) and (update.status, update.direction) == ("finished", "down"):
            if part_of(update.name) is None:
                name = f"unit{update.unit}-{update.name.strip('/').replace('/', '-')}"
                self._waiting.append((update.unit, name, update.transfer, None))
                self._kick.set()
        elif isinstance(update, PictureChanged) and update.state == "down":
            entry = (update.unit, f"unit{update.unit}-{update.number:04d}.png", None, update.product)
            if entry not in self._waiting:
                self._waiting.append(entry)
                self._kick.set()
                self._picture_received(update)

    def _picture_received(self, update: PictureChanged) -> None:
        """The station's own report of a picture, with the address where it can be seen."""
        url = f"{self._web}/api/pictures/{update.product}.png" if self._web else ""
        values = {
            "source_unit": update.unit,
            "product": update.number,
            "width": update.fields["width"],
            "height": update.fields["height"],
            "url": url[:TRUNCATED_URL],
        }
        dictionary = self._station.dictionary
        body = bytes([PICTURE_RECEIVED]) + b"".join(
            encode_field(f, values[f.name], dictionary, {}) for f in GROUND_EVENT_FIELDS
        )
        self._ground_count = (self._ground_count + 1) % pus.SEQUENCE_MODULUS
        packet = pus.build_report(
            dictionary.apid(GROUND_APID_UNIT),
            self._ground_count,
            pus.EVENTS,
            1,
            body,
            time=update.time,
            synchronised=True,
        )
        self.report(0, packet, update.time)

    def _take(self, unit: int, name: str, data: bytes) -> None:
        """Yamcs sent a file for a unit: up with it."""
        now = self._runner.clock()
        try:
            self._station.put(unit, data, name, now, sender=SENDER)
        except StationError as error:
            self._refuse(unit, f"file {name}: {error}", now)
        self._runner.kick()

    def _load(self, transfer: int | None, product: int | None) -> bytes | None:
        archive = self._station.archive
        if product is None:
            assert transfer is not None
            return archive.content(transfer)
        try:
            picture = render(archive, product)
        except NoPicture:
            return None
        if picture.pixels.ndim == 3 and picture.pixels.itemsize > 1:
            from rovercam.release.png import encode

            return encode(picture.pixels, int(picture.fields["depth"]))
        return picture.png()

    async def serve_files(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client at a time: the newest takes over."""
        if self._client is not None:
            self._client.close()
        self._client = writer
        stream = PduStream()
        self._kick.set()
        try:
            while data := await reader.read(65536):
                for pdu in stream.feed(data):
                    self._files.pdu_in(pdu, self._runner.clock())
                self._kick.set()
        except ValueError as error:
            self._refuse(0, str(error), self._runner.clock())
        except OSError:
            pass
        finally:
            if self._client is writer:
                self._client = None
            writer.close()

    async def send_files(self) -> None:
        while True:
            now = self._runner.clock()
            writer = self._client
            if writer is not None:
                while self._waiting:
                    unit, name, transfer, product = self._waiting.popleft()
                    data = self._load(transfer, product)
                    if data is not None:
                        self._files.send(unit, name, data, now)
                free = ROOM - writer.transport.get_write_buffer_size()
                for packet in self._files.poll(now, max(0, free)):
                    writer.write(packet)
                with suppress(OSError):
                    await writer.drain()
            due = self._files.deadline() if writer is not None else None
            wait = 0.01 if writer is not None and self._files.wants_room() else 0.5
            if due is not None:
                wait = min(wait, max(0.01, due - now))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._kick.wait()
            self._kick.clear()


@asynccontextmanager
async def serve(session: Host, web: str = "", first: int = places.FIRST) -> AsyncIterator[Gateway]:
    """The hand-over for as long as the context lasts. Raises StationError when a port is taken."""
    gateway = Gateway(session, web, first)
    station = session.station
    loop = asyncio.get_running_loop()
    servers: list[asyncio.Server] = []
    transport = None
    tasks: list[asyncio.Task[None]] = []
    ends: list[Callable[[], None]] = []
    try:
        try:
            for client, port in ((gateway.serve_telemetry, first), (gateway.serve_files, first + places.FILES)):
                servers.append(await asyncio.start_server(client, places.HOST, port))
            transport, _ = await loop.create_datagram_endpoint(
                lambda: gateway, local_addr=(places.HOST, first + places.COMMANDS)
            )
        except OSError as error:
            raise StationError(
                f"the hand-over to Yamcs needs ports {first} to {first + places.COMMANDS}: {error}"
            ) from error
        tasks = [asyncio.create_task(gateway.beat()), asyncio.create_task(gateway.send_files())]
        for task in tasks:
            task.add_done_callback(gateway.task_ended)
        ends = [station.relay(gateway.report), station.subscribe(gateway.tell)]
        yield gateway
    finally:
        for end in ends:
            end()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if transport is not None:
            transport.close()
        for server in servers:
            server.close()
        await gateway.hang_up()
