"""What an operator does in one go: send and follow a command, take a picture, fetch or bring a file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rovercam.archive import Archive
from rovercam.station.core import StationError
from rovercam.station.pictures import Rendered, render
from rovercam.station.session import Session
from rovercam.station.updates import (
    AnswerReceived,
    CommandChanged,
    EventReceived,
    Notice,
    PictureChanged,
    PortChanged,
    TransferChanged,
    Update,
)

COMMAND_TIMEOUT = 60.0
"""Seconds without any sign of a command before it is given up on the ground (the unit may still do it)."""
STALL_TIMEOUT = 120.0
"""Seconds without a byte of a file before we stop waiting; the transfer itself goes on when the station runs."""
RESUME_PATIENCE = 20.0
"""Seconds for an interrupted transfer to move before it is asked for anew."""
COMMITTED_WITHIN = 5.0
ALL_LAYERS = 15

Progress = Callable[[Update], None]
U = TypeVar("U", bound=Update)


class NotAchieved(StationError):
    """The unit refused or failed, or nothing came in time; the message says what and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that came down."""

    name: str
    data: bytes
    transfer: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A picture taken and brought down."""

    picture: Rendered
    product: int
    """Row in the archive."""
    number: int
    unit: int
    seconds: float
    bytes: int


def _nothing(_: Update) -> None:
    pass


async def _next(reader: AsyncIterator[Update], timeout: float, what: str) -> Update:
    try:
        async with asyncio.timeout(timeout):
            return await anext(reader)
    except TimeoutError:
        raise NotAchieved(
            f"{what}: nothing came for {timeout:g} s; is the unit still heard? (`rovercam events`)"
        ) from None
    except StopAsyncIteration:
        raise NotAchieved(f"{what}: the station ended") from None


async def send(
    session: Session,
    unit: int,
    name: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    progress: Progress = _nothing,
    timeout: float = COMMAND_TIMEOUT,
    **more: Any,
) -> tuple[CommandChanged, list[AnswerReceived]]:
    """Send one command and follow it to its end; returns it with the reports that answered meanwhile.

    Raises NotAchieved with the unit's reason, or with the last stage reached in time; UnknownName, ValueRefused.
    """
    reader = session.updates()
    command = await session.command(unit, name, arguments, **more)
    return await _follow(reader, command, progress, timeout)


async def schedule(
    session: Session,
    unit: int,
    seconds: int,
    name: str,
    arguments: Mapping[str, Any],
    *,
    progress: Progress = _nothing,
    timeout: float = COMMAND_TIMEOUT,
) -> CommandChanged:
    """Have a command run at an on-board time; returns it, waiting, when the unit has it. Raises as send()."""
    reader = session.updates()
    waiting, bringing = await session.schedule(unit, seconds, name, arguments)
    await _follow(reader, bringing, progress, timeout)
    return waiting


async def _follow(
    reader: AsyncIterator[Update], command: CommandChanged, progress: Progress, timeout: float
) -> tuple[CommandChanged, list[AnswerReceived]]:
    name, unit = command.name, command.unit
    progress(command)
    answers: list[AnswerReceived] = []
    last = time.monotonic()
    while True:
        left = timeout - (time.monotonic() - last)
        try:
            async with asyncio.timeout(max(0.01, left)):
                update = await anext(reader)
        except (TimeoutError, StopAsyncIteration):
            raise NotAchieved(
                f"{name}: no sign of it for {timeout:g} s, it got as far as {command.state!r}; the unit may still do it"
            ) from None
        if isinstance(update, AnswerReceived) and update.unit == unit:
            answers.append(update)
        if not isinstance(update, CommandChanged) or update.id != command.id:
            if isinstance(update, (Notice, PortChanged)):
                progress(update)
            continue
        command = update
        last = time.monotonic()
        progress(update)
        if command.state == "done":
            return command, answers
        if command.ended:
            raise NotAchieved(f"unit {unit} did not do {name}: {command.reason or command.state}")


async def shoot(session: Session, unit: int, arguments: Mapping[str, Any], *, progress: Progress = _nothing) -> Shot:
    """Take a picture and bring down what was asked for: all of it, or its layers up to `last_layer`.

    Raises NotAchieved, UnknownName, ValueRefused.
    """
    began = time.monotonic()
    known = {p["id"] for p in session.archive.products(unit=unit)}
    last = int(arguments.get("last_layer", ALL_LAYERS))
    reader = session.updates()
    command = await session.command(unit, "capture", arguments)
    progress(command)
    number: int | None = None
    while True:
        update = await _next(reader, STALL_TIMEOUT, "picture")
        if isinstance(update, CommandChanged) and update.id == command.id:
            progress(update)
            if update.state in ("failed", "lost"):
                raise NotAchieved(f"unit {unit} took no picture: {update.reason or update.state}")
        elif isinstance(update, EventReceived) and update.unit == unit and update.name == "picture_taken":
            progress(update)
            number = number or int(update.values["product"])
        elif isinstance(update, PictureChanged) and update.unit == unit:
            if update.product in known or (number is not None and update.number != number):
                continue
            progress(update)
            if _enough(update, last):
                return await _shot(session, update, last, began)
        elif isinstance(update, (PortChanged, Notice)):
            progress(update)


async def refine(
    session: Session, unit: int, number: int, *, last: int = ALL_LAYERS, progress: Progress = _nothing
) -> Shot:
    """Bring down the layers of a picture that are not there yet, up to `last`, and nothing that is.

    Raises NotAchieved: no such picture here, or the unit has it no more.
    """
    began = time.monotonic()
    archive = session.archive
    product = archive.find_product(unit, number)
    count = archive.product_fields(product["id"]).get("layers") if product else None
    if product is None or count is None:
        raise NotAchieved(f"picture {number} of unit {unit} has not come yet; take one with `shoot --refinable`")
    row = int(product["id"])
    reader = session.updates()
    missing = [k for k in range(min(count, last + 1)) if k not in _finished(archive, row)]
    for k in missing:
        if k - 1 in missing:
            continue  # goes with the one below it
        end = next(n for n in range(k, count + 1) if n not in missing) - 1
        await send(
            session,
            unit,
            "downlink_product",
            {"product": number, "first_layer": k, "last_layer": end},
            progress=progress,
        )
    while missing:
        update = await _next(reader, STALL_TIMEOUT, f"picture {number}")
        if isinstance(update, PictureChanged) and update.product == row:
            progress(update)
            if _enough(update, last):
                return await _shot(session, update, last, began)
        elif isinstance(update, (PortChanged, Notice)):
            progress(update)
    return Shot(picture=render(archive, row), product=row, number=number, unit=unit, seconds=0.0, bytes=0)


def _enough(update: PictureChanged, last: int) -> bool:
    """Every layer up to `last` is there."""
    count = update.fields.get("layers")
    if update.state == "down" or count is None:
        return update.state == "down"
    there = {layer for layer, received, size in update.layers if size is not None and received >= size}
    return all(k in there for k in range(min(count, last + 1)))


async def _shot(session: Session, update: PictureChanged, last: int, began: float) -> Shot:
    def there() -> bool | None:
        count = session.archive.product_fields(update.product).get("layers")
        done = _finished(session.archive, update.product)
        return (count is not None and all(k in done for k in range(min(count, last + 1)))) or None

    await _committed(there)
    return Shot(
        picture=render(session.archive, update.product),
        product=update.product,
        number=update.number,
        unit=update.unit,
        seconds=time.monotonic() - began,
        bytes=update.received,
    )


def _finished(archive: Archive, product: int) -> set[int]:
    """Layers of the product that are whole in the archive, as this process sees it."""
    return {la["layer"] for la in archive.layers(product) if la["layer"] >= 0 and la["status"] == "finished"}


async def get(session: Session, unit: int, remote: str, *, progress: Progress = _nothing) -> Fetched:
    """Bring a file down; one that was interrupted goes on where it was. Raises NotAchieved."""
    began = time.monotonic()
    reader = session.updates()
    running = next(
        (
            t
            for t in session.archive.transfers(unit=unit, status="active")
            if t["name"] == remote and t["sender"] == unit
        ),
        None,
    )
    if running is not None:
        try:
            return await _fetch(session, reader, unit, remote, began, None, progress, RESUME_PATIENCE, running["id"])
        except NotAchieved:
            await session.transfer("cancel", running["sender"], running["number"])
            reader = session.updates()
    command = await session.command(unit, "downlink_file", {"path": remote})
    progress(command)
    return await _fetch(session, reader, unit, remote, began, command, progress, STALL_TIMEOUT, None)


async def _fetch(
    session: Session,
    reader: AsyncIterator[Update],
    unit: int,
    remote: str,
    began: float,
    command: CommandChanged | None,
    progress: Progress,
    patience: float,
    row: int | None,
) -> Fetched:
    while True:
        update = await _next(reader, patience, remote)
        if command is not None and isinstance(update, CommandChanged) and update.id == command.id:
            progress(update)
            if update.state in ("failed", "lost"):
                raise NotAchieved(f"unit {unit} does not send {remote}: {update.reason or update.state}")
        elif isinstance(update, TransferChanged) and (update.unit, update.name) == (unit, remote):
            if update.direction != "down" or (row is not None and update.transfer != row):
                continue
            row = update.transfer
            progress(update)
            if update.status == "cancelled":
                raise NotAchieved(f"{remote}: the transfer was cancelled ({update.text})")
            if update.status == "finished":
                data = await _committed(lambda update=update: session.archive.content(update.transfer))  # type: ignore[misc]
                return Fetched(name=remote, data=data, transfer=row, seconds=time.monotonic() - began)
        elif isinstance(update, (PortChanged, Notice)):
            progress(update)


T = TypeVar("T")


async def _committed(read: Callable[[], T | None]) -> T:
    """What the station has told of may be a moment older than its commit, when it is another process."""
    deadline = time.monotonic() + COMMITTED_WITHIN
    while (found := read()) is None:
        if time.monotonic() > deadline:
            raise NotAchieved("the file is complete, but the archive does not have it; see `rovercam archive check`")
        await asyncio.sleep(0.05)
    return found


async def put(session: Session, unit: int, data: bytes, target: str, *, progress: Progress = _nothing) -> float:
    """Bring a file to the unit; returns the seconds it took. Raises NotAchieved."""
    began = time.monotonic()
    reader = session.updates()
    number = await session.put(unit, data, target)
    while True:
        update = await _next(reader, STALL_TIMEOUT, target)
        if isinstance(update, TransferChanged) and update.direction == "up" and update.number == number:
            progress(update)
            if update.status == "finished":
                return time.monotonic() - began
            if update.status == "cancelled":
                raise NotAchieved(f"the unit did not take {target}: {update.text}")
        elif isinstance(update, (PortChanged, Notice)):
            progress(update)
