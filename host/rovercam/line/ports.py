"""Ports of this computer: which there are, who holds one, opening one with errors that help."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import serial
from serial.tools import list_ports

from rovercam.line.errors import LineError, PortBusy, PortDenied, PortMissing

READ_TIMEOUT = 0.2
WRITE_TIMEOUT = 10.0
KNOWN_BOARDS = {0x2E8A: "Raspberry Pi Pico", 0x303A: "Espressif ESP32", 0x0D28: "DAPLink", 0xF055: "MicroPython"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One serial port."""

    device: str
    description: str
    board: str = ""
    """What the USB vendor id says it is; empty when nothing known."""
    serial_number: str = ""


def ports() -> list[Port]:
    """Serial ports there are, boards first."""
    found = [
        Port(
            device=p.device,
            description=p.description if p.description != "n/a" else "",
            board=KNOWN_BOARDS.get(p.vid or 0, ""),
            serial_number=p.serial_number or "",
        )
        for p in list_ports.comports()
    ]
    return sorted(found, key=lambda p: (not p.board, p.device))


def is_address(url: str) -> bool:
    """socket://, rfc2217:// and the like, as opposed to a device."""
    return "://" in url


def same_port(a: str, b: str) -> bool:
    """Do two URLs mean one port (links followed)?"""
    if is_address(a) or is_address(b):
        return a == b
    return os.path.realpath(a) == os.path.realpath(b)


def holder(device: str) -> str:
    """The processes that have a device open, as "name (pid)", as far as this user may see; empty when unknown."""
    real = os.path.realpath(device)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError):
            if any(os.path.realpath(fd) == real for fd in (process / "fd").iterdir()):
                found.append(f"{(process / 'comm').read_text().strip()} (process {process.name})")
    return ", ".join(found)


def open_port(url: str, baudrate: int) -> Any:
    """A pyserial port, exclusively. Raises PortMissing, PortBusy, PortDenied, LineError."""
    # pyserial's RFC 2217 client knows no limit for writing, and refuses to be asked for one.
    limits = {} if url.lower().startswith("rfc2217:") else {"write_timeout": WRITE_TIMEOUT}
    try:
        return serial.serial_for_url(url, baudrate=baudrate, timeout=READ_TIMEOUT, exclusive=True, **limits)
    except ValueError as error:
        raise LineError(f"{url} is no port or URL that pyserial knows: {error}") from error
    except (serial.SerialException, OSError) as error:
        raise _explained(url, error) from error


def _explained(url: str, error: Exception) -> LineError:
    text = str(error).lower()
    code = getattr(error, "errno", None)
    if is_address(url):
        return PortMissing(f"{url} does not answer: {error}; is the other end running, and is the address right?")
    if "lock" in text or code in (errno.EBUSY, errno.EAGAIN):
        who = holder(url)
        return PortBusy(f"{url} is busy: {who or 'another program'} has it open; close that, or use its station")
    if code == errno.ENOENT or "cannot find" in text or not _exists(url):
        there = ", ".join(p.device + (f" ({p.board})" if p.board else "") for p in ports())
        return PortMissing(f"there is no port {url}; there are: {there or 'none (is the board plugged in?)'}")
    if code == errno.EACCES or "permission" in text or "access is denied" in text:
        return PortDenied(_denied(url))
    return LineError(f"{url} cannot be opened: {error}")


def _exists(url: str) -> bool:
    return os.name != "posix" or Path(url).exists()


def _denied(url: str) -> str:
    """On Windows "access denied" means that another program has the port."""
    if os.name != "posix":
        return f"{url}: access denied; another program has it open"
    group = "dialout"
    with suppress(OSError, KeyError, ImportError):
        import grp

        group = grp.getgrgid(os.stat(url).st_gid).gr_name
    return (
        f"{url}: you may not open it; it belongs to the group {group}. "
        f"Join it with `sudo usermod -aG {group} $USER`, then log in again"
    )
