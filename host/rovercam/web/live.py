"""Updates to WebSocket clients, as JSON."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any

from rovercam.station.updates import Update

BACKLOG = 5000
"""Updates that may wait for a slow client before the oldest are dropped (and counted to it)."""


def plain(value: Any) -> Any:
    """JSON values only: numbers that JSON has no word for become null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return value


def dumps(value: Any) -> bytes:
    """Whatever text is in it (a lone surrogate, say) can be sent."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


class Client:
    """One subscriber. kinds, unit: only these, None for all."""

    def __init__(self, kinds: frozenset[str] | None, unit: int | None):
        self.kinds, self.unit = kinds, unit
        self.queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.dropped = 0

    def offer(self, message: dict[str, Any]) -> None:
        if self.kinds is not None and message["kind"] not in self.kinds:
            return
        if self.unit is not None and message.get("unit", self.unit) != self.unit:
            return
        if self.queue.qsize() >= BACKLOG:
            self.queue.get_nowait()
            self.dropped += 1
        self.queue.put_nowait(message)

    async def next(self) -> bytes:
        message = await self.queue.get()
        if self.dropped:
            message, self.dropped = message | {"dropped_before": self.dropped}, 0
        return dumps(message)


class Hub:
    """All subscribers."""

    def __init__(self) -> None:
        self.clients: set[Client] = set()

    def tell(self, update: Update) -> None:
        if self.clients:
            self.say(update.as_json())

    def say(self, message: dict[str, Any]) -> None:
        for client in tuple(self.clients):
            client.offer(message)
