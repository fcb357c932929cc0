"""The console: one dark page, built in Python with NiceGUI, brought up to date twice a second where something changed."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from nicegui import ui

from rovercam.web.console.page import Console
from rovercam.web.context import Context

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="14" fill="#d9683b"/>'
    '<circle cx="16" cy="16" r="6" fill="#0d1015"/><circle cx="18" cy="14" r="2" fill="#fff"/></svg>'
)


class _Process:
    """NiceGUI is one per process: the pages are made once and show the station served last."""

    shell: FastAPI | None = None
    context: Context | None = None


def _root(request: Request) -> None:
    context = _Process.context
    if context is None:
        ui.label("the station has ended")
        return
    Console(context, request.state.role)


def shell(context: Context) -> Any:
    """The ASGI application of the pages."""
    _Process.context = context
    if _Process.shell is None:
        _Process.shell = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        ui.page("/")(_root)
        ui.run_with(
            _Process.shell,
            title="rovercam",
            dark=True,
            favicon=FAVICON,
            tailwind=False,
            show_welcome_message=False,
            reconnect_timeout=20.0,
            binding_refresh_interval=None,
            gzip_middleware_factory=None,  # this computer to itself: packing costs more than it saves
        )
    return _Process.shell
