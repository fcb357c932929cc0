"""The WebSocket that pours out every update as it happens."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from rovercam.station.updates import KINDS
from rovercam.web.context import Context
from rovercam.web.live import Client
from rovercam.web.reads import quietly


def add(api: FastAPI, context: Context) -> None:
    @api.websocket("/api/live")
    async def live(socket: WebSocket) -> None:
        """Every update as it happens. Query: kinds=Telemetry,EventReceived,… and unit=N."""
        kinds = socket.query_params.get("kinds")
        unit = socket.query_params.get("unit")
        wanted = frozenset(kinds.split(",")) if kinds else None
        await socket.accept()
        unknown = (wanted or frozenset()) - KINDS.keys() - {"EventAcknowledged"}
        if unknown or (unit is not None and not (unit.isascii() and unit.isdigit() and len(unit) < 4)):
            await socket.close(1008, f"no such kinds: {sorted(unknown)[:3]}"[:120] if unknown else "unit: a number")
            return
        client = Client(wanted, None if unit is None else int(unit))
        context.hub.clients.add(client)

        async def pour() -> None:
            while True:
                await socket.send_text((await client.next()).decode())

        task = asyncio.create_task(pour())
        try:
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass  # clients have nothing to say here
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            context.hub.clients.discard(client)
            await quietly(task)
