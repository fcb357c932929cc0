"""Where a unit's line comes out of this program: a pseudo-terminal, a TCP port, or any pyserial URL.

An endpoint never blocks and never dies with its client: bytes for nobody, or for a client that does not read, are
dropped and counted, as a UART's are.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from rovercam_hil.boards.base import BoardError

BACKLOG = 256 * 1024  # bytes kept for a client that is slow
STALE_S = 5.0  # a client that has read nothing for so long is gone


class EndpointError(BoardError):
    """The line cannot come out there; the message says why and what else would do."""


class Endpoint(ABC):
    """``name`` is what a client opens (a pyserial URL)."""

    name = ""

    def __init__(self) -> None:
        self.dropped = 0
        self._out = bytearray()

    @abstractmethod
    def read(self) -> bytes:
        """What the client has sent."""

    def write(self, data: bytes) -> None:
        """Bytes for the client."""
        self._out += data
        over = len(self._out) - BACKLOG
        if over > 0:
            self.dropped += over
            del self._out[:over]
        self.flush()

    @abstractmethod
    def flush(self) -> None:
        """Hand on what is waiting."""

    @abstractmethod
    def close(self) -> None: ...


class Pty(Endpoint):
    """A pseudo-terminal; ``link`` is a symbolic link to it with a name of the user's choice."""

    def __init__(self, link: str | Path | None = None) -> None:
        super().__init__()
        try:
            import termios
            import tty
        except ImportError:
            raise EndpointError("this system has no pseudo-terminals: use --tcp PORT") from None
        self._termios: Any = termios
        self._master, self._slave = os.openpty()
        # Our own handle on the slave stays open, so that its raw mode and our reads survive clients coming and going.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.device = os.ttyname(self._slave)
        self.link = Path(link) if link is not None else None
        if self.link is not None:
            self._make_link(self.link)
        self.name = str(self.link or self.device)
        self._read_at = time.monotonic()

    def _make_link(self, link: Path) -> None:
        if link.is_symlink():
            target = os.readlink(link)
            if os.path.exists(target) and not target.startswith(("/dev/pts/", "/dev/tty")):
                self._abandon(f"--link {link}: there is a link to {target} already")
            link.unlink()
        elif link.exists():
            self._abandon(f"--link {link}: there is a file of this name already")
        try:
            link.symlink_to(self.device)
        except OSError as error:
            self._abandon(f"--link {link}: {error.strerror}")

    def _abandon(self, message: str) -> None:
        self.link = None
        self.close()
        raise EndpointError(message)

    def read(self) -> bytes:
        out = bytearray()
        try:
            while chunk := os.read(self._master, 65536):
                out += chunk
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EIO):
                raise
        return bytes(out)

    def _unread(self) -> int:
        """Bytes in the terminal that no client has read."""
        import array
        import fcntl

        count = array.array("i", [0])
        fcntl.ioctl(self._slave, self._termios.FIONREAD, count)
        return count[0]

    def flush(self) -> None:
        now = time.monotonic()
        before = len(self._out)
        while self._out:
            try:
                n = os.write(self._master, self._out[:4096])
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
                break
            del self._out[:n]
        if len(self._out) < before or self._unread() == 0:
            self._read_at = now
        elif now - self._read_at > STALE_S:
            # Nobody reads. What lies there is old: a client that comes now shall not get it.
            self.dropped += self._unread() + len(self._out)
            self._out.clear()
            self._termios.tcflush(self._slave, self._termios.TCIFLUSH)
            self._read_at = now

    def close(self) -> None:
        if self.link is not None:
            with contextlib.suppress(OSError):
                if os.readlink(self.link) == self.device:
                    self.link.unlink()
            self.link = None
        for handle in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(handle)


class Tcp(Endpoint):
    """A TCP port on the loopback interface; one client at a time, a second one waits."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        super().__init__()
        try:
            self._server = socket.create_server((host, port))
        except OSError as error:
            raise EndpointError(f"--tcp {port}: {error.strerror}; 0 takes any free port") from None
        self._server.setblocking(False)
        self._client: socket.socket | None = None
        self.port = self._server.getsockname()[1]
        self.name = f"socket://{host}:{self.port}"

    def _accept(self) -> None:
        try:
            self._client, _ = self._server.accept()
        except (BlockingIOError, InterruptedError):
            return
        self._client.setblocking(False)
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out.clear()  # what was sent before somebody listened is gone

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None
        self.dropped += len(self._out)
        self._out.clear()

    def read(self) -> bytes:
        if self._client is None:
            self._accept()
        out = bytearray()
        while self._client is not None:
            try:
                chunk = self._client.recv(65536)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                chunk = b""
            if not chunk:
                self._hang_up()
                break
            out += chunk
        return bytes(out)

    def flush(self) -> None:
        if self._client is None:
            self._accept()
        if self._client is None:
            self.dropped += len(self._out)
            self._out.clear()
            return
        try:
            while self._out:
                del self._out[: self._client.send(self._out)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._hang_up()

    def close(self) -> None:
        self._hang_up()
        self._server.close()


class Serial(Endpoint):
    """Any pyserial URL; when it goes away it is looked for again."""

    RETRY_S = 0.5

    def __init__(self, url: str, baud: int) -> None:
        super().__init__()
        self.name = url
        self._baud = baud
        self._port: Any = None
        self._retry_at = 0.0
        self._open(first=True)

    def _open(self, *, first: bool = False) -> None:
        import serial

        try:
            self._port = serial.serial_for_url(self.name, baudrate=self._baud, timeout=0, write_timeout=0)
        except (OSError, ValueError) as error:
            self._port = None
            self._retry_at = time.monotonic() + self.RETRY_S
            if first:
                raise EndpointError(f"{self.name}: cannot be opened: {error}") from None

    def _lost(self) -> None:
        with contextlib.suppress(Exception):
            self._port.close()
        self._port = None
        self._retry_at = time.monotonic() + self.RETRY_S
        print(f"{self.name} is gone; waiting for it", file=sys.stderr)

    def read(self) -> bytes:
        if self._port is None:
            if time.monotonic() >= self._retry_at:
                self._open()
            return b""
        try:
            data: bytes = self._port.read(65536)
        except OSError:
            self._lost()
            return b""
        return data

    def flush(self) -> None:
        if self._port is None:
            self.dropped += len(self._out)
            self._out.clear()
            return
        import serial

        try:
            while self._out:
                n = self._port.write(bytes(self._out[:4096]))
                if not n:
                    break
                del self._out[:n]
        except serial.SerialTimeoutException:
            pass
        except OSError:
            self._lost()

    def close(self) -> None:
        if self._port is not None:
            self._port.close()


def open_endpoint(url: str, baud: int) -> Endpoint:
    """``pty:LINK`` makes a pseudo-terminal, ``tcp:PORT`` listens, everything else is a pyserial URL."""
    kind, _, rest = url.partition(":")
    if kind == "pty":
        return Pty(rest or None)
    if kind == "tcp" and not rest.startswith("//"):
        if not rest.isdigit():
            raise EndpointError(f"{url}: expected tcp:PORT")
        return Tcp(int(rest))
    return Serial(url, baud)
