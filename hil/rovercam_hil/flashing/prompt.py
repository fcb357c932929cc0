"""MicroPython's prompt on a port, through mpremote: recognise the board, run code on it, stream files to it.

Files go as base64 lines that the board takes from its standard input: Control-C always interrupts (a run that was
killed leaves nothing waiting for ever), every line is acknowledged (a UART without flow control loses nothing while the
flash is written), and 4 KB lines cost few turn-arounds.
"""

from __future__ import annotations

import ast
import contextlib
import io
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rovercam.line.errors import LineError
from rovercam.line.ports import open_port, ports
from rovercam.protocol.profiles import MARKER

from rovercam_hil.boards.base import BoardError

OLDEST = (1, 24)
CHUNK = 4096
ANSWER_S = 20.0
SILENT_S = 60.0  # the board may work so long without a word
BEAT_S = 6.0  # a unit that has nothing to say sends an idle frame every 2 s (parameter keep_alive_period)
BOARDS = {  # part of sys.implementation._machine -> (board name, architecture, proven)
    "RP2040": ("pico", "armv6m", True),
    "RP2350": ("pico2", "armv7emsp", False),
    "ESP32S3": ("esp32s3", "xtensawin", False),
}


class FlashError(BoardError):
    """The board cannot be flashed: what was expected, what came and what to do."""


@dataclass(frozen=True)
class Found:
    """What answers at the prompt."""

    machine: str
    version: tuple[int, ...]
    board: str
    arch: str
    proven: bool


class Prompt:
    """A board at its raw prompt. Use as a context manager."""

    def __init__(self, url: str, baud: int = 115200) -> None:
        """Raises LineError (missing, busy, not allowed) and FlashError."""
        self.url = url
        port = open_port(url, baud)  # says who has it, which group to join; mpremote's own message says neither
        port.close()
        from mpremote.transport import TransportError
        from mpremote.transport_serial import SerialTransport

        self._error: type[Exception] = TransportError
        try:
            self._transport: Any = SerialTransport(url, baudrate=baud, timeout=ANSWER_S)
        except (TransportError, OSError) as error:
            raise FlashError(f"{url} cannot be opened: {error}") from None

    def __enter__(self) -> Prompt:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._transport.close()

    # ---------------------------------------------------------------------------------------------------- the prompt
    def enter(self, timeout: float = 8.0) -> None:
        """Stop what runs, clear the heap (soft reset without main.py). Raises FlashError with what is there instead."""
        serial = self._transport.serial
        heard = bytearray()
        serial.write(b"\r\x03\x03")
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            n = serial.in_waiting
            if n:
                heard += serial.read(n)
                if heard.rstrip().endswith(b">>>"):
                    break
            time.sleep(0.01)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                self._transport.enter_raw_repl(soft_reset=True, timeout_overall=timeout)
        except (self._error, OSError) as error:
            if not heard.strip():
                heard += self._listen(BEAT_S)
            raise FlashError(self._why(bytes(heard), error)) from None

    def _listen(self, seconds: float) -> bytes:
        """What comes by itself, until a frame's marker does."""
        serial = self._transport.serial
        heard = bytearray()
        end = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while time.monotonic() < end and MARKER not in heard:
                heard += serial.read(serial.in_waiting)
                time.sleep(0.02)
        return bytes(heard)

    def _why(self, heard: bytes, error: Exception) -> str:
        if MARKER in heard:
            return (
                f"{self.url}: a camera unit runs here and holds the port as its line. `rovercam send repl --port {self.url}` makes "
                "it leave to the prompt, or connect GP22 to ground and press reset"
            )
        if heard.strip():
            return (
                f"{self.url}: no MicroPython prompt; the board says {heard[-60:]!r}. If a program runs that cannot be interrupted, "
                "connect GP22 to ground (or hold BOOTSEL) and press reset"
            )
        there = ", ".join(f"{p.device} ({p.board})" for p in ports() if p.board)
        return (
            f"{self.url}: nothing answers ({error}). Is MicroPython on it? If not: hold BOOTSEL while plugging it in and run "
            f"`rovercam flash --micropython UF2`. Boards seen: {there or 'none'}"
        )

    def run(self, source: str) -> str:
        """Run code; returns what it printed. Raises FlashError with the board's traceback."""
        try:
            out, error_text = self._transport.exec_raw(source, timeout=SILENT_S)
        except (self._error, OSError, TypeError) as error:
            raise FlashError(f"{self.url}: the connection broke: {error}; run the command again, it repairs") from None
        if error_text:
            raise FlashError(f"{self.url}: the board reports\n{error_text.decode(errors='replace')}")
        text: str = out.decode(errors="replace")
        return text.replace("\r\n", "\n")

    def value(self, source: str) -> Any:
        """The last line printed, as a Python literal."""
        lines = self.run(source).strip().splitlines()
        try:
            return ast.literal_eval(lines[-1])
        except (IndexError, ValueError, SyntaxError):
            raise FlashError(f"{self.url}: unexpected answer {lines[-1:] or 'nothing'}") from None

    # ---------------------------------------------------------------------------------------------------- recognising
    def recognise(self) -> Found:
        """Raises FlashError for a chip the firmware has no board for, and for a MicroPython that is too old."""
        name, version, machine = self.value(
            "import sys\ni=sys.implementation\nprint((i.name,tuple(i.version[:3]),getattr(i,'_machine','?')))"
        )
        if name != "micropython":
            raise FlashError(
                f"{self.url}: {name} runs on this board; the unit needs MicroPython {OLDEST[0]}.{OLDEST[1]} or newer"
            )
        if tuple(version[:2]) < OLDEST:
            text = ".".join(map(str, version))
            raise FlashError(
                f"{self.url}: MicroPython {text} is too old, {OLDEST[0]}.{OLDEST[1]} or newer is needed: "
                "get it from https://micropython.org/download and run `rovercam flash --micropython UF2`"
            )
        for part, (board, arch, proven) in BOARDS.items():
            if part in machine:
                return Found(machine, tuple(version), board, arch, proven)
        raise FlashError(f"{self.url}: {machine!r} is no board that the firmware knows; it knows {', '.join(BOARDS)}")

    # -------------------------------------------------------------------------------------------------------- files
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file of ours on the board; of the key only of its first 32 bytes."""
        return dict(self.value(HASHES))

    def glance(self) -> tuple[bytes, dict[str, int], dict[str, str]]:
        """(manifest, sizes of our files, hashes of the unit's own two), quickly: nothing large is read."""
        manifest, sizes, own = self.value(GLANCE)
        return manifest, dict(sizes), dict(own)

    def read(self, path: str) -> bytes | None:
        """A file; None when there is none."""
        text = self.value(
            "import binascii\ntry:\n f=open(%r,'rb')\n r=binascii.b2a_base64(f.read())\nexcept OSError:\n r=None\nprint(r)"
            % path
        )
        from base64 import b64decode

        return None if text is None else b64decode(text)

    def remove(self, paths: list[str]) -> None:
        if paths:
            self.run(REMOVE % (paths,))

    def copy(self, source: str, target: str) -> None:
        """On the board."""
        self.run(COPY % (source, target))

    def write(self, files: Mapping[str, bytes], progress: Callable[[int], None] = lambda _: None) -> None:
        """Files in the order given, as one stream; folders are made. Raises FlashError."""
        from mpremote.transport import TransportExecError

        stream = b"".join(files.values())
        table = [(path, len(data)) for path, data in files.items()]
        try:
            self._transport.exec_raw_no_follow(RECEIVE % (table, len(stream), CHUNK))
            for at in range(0, len(stream), CHUNK):
                self._transport.serial.write(b64encode(stream[at : at + CHUNK]) + b"\n")
                answer = self._transport.read_until(1, b"!", timeout=ANSWER_S)
                if not answer.endswith(b"!"):
                    raise FlashError(
                        f"{self.url}: writing stopped: {answer.decode(errors='replace').strip()[-300:] or 'no answer'}"
                    )
                if b"\x04" in answer:
                    raise FlashError(f"{self.url}: the board reports\n{answer.decode(errors='replace')}")
                progress(min(at + CHUNK, len(stream)))
            _, error = self._transport.follow(SILENT_S)
            if error:
                raise TransportExecError(b"", error.decode(errors="replace"))
        except FlashError:
            raise
        except (self._error, OSError, TypeError) as error:
            raise FlashError(f"{self.url}: writing stopped: {error}; run the command again, it repairs") from None

    def restart(self) -> None:
        """Reset the chip: the unit starts."""
        with contextlib.suppress(Exception):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
            time.sleep(0.2)


# Slots are mounted over folders of the same name, where an older firmware has its files. They have no umount() of their own.
_UNMOUNT = """
import os
for q in('/a','/b'):
 try:os.umount(q)
 except(OSError,AttributeError):pass
OURS=('/boot.py','/main.py','/slots.mpy','/a.slot','/b.slot','/manifest','/config.json','/key.bin')
"""

REMOVE = """
import os
for p in %r:
 try:os.remove(p)
 except OSError:pass
 p=p[:p.rfind('/')]
 while p:
  try:os.rmdir(p)
  except OSError:break
  p=p[:p.rfind('/')]
"""

COPY = """
b=memoryview(bytearray(4096))
with open(%r,'rb') as f,open(%r,'wb') as g:
 while 1:
  n=f.readinto(b)
  if not n:break
  g.write(b[:n])
"""

GLANCE = (
    _UNMOUNT
    + """
import hashlib,binascii
r=[]
def w(d):
 try:l=list(os.ilistdir(d))
 except OSError:return
 for e in l:
  p=d+'/'+e[0]
  if e[1]&0x4000:w(p)
  else:r.append((p,e[3]))
w('/a')
w('/b')
o=[];m=b''
for p in OURS:
 try:
  r.append((p,os.stat(p)[6]))
  if p in('/config.json','/key.bin'):
   with open(p,'rb') as f:o.append((p,binascii.hexlify(hashlib.sha256(f.read()[:32] if p=='/key.bin' else f.read()).digest()).decode()))
 except OSError:pass
try:
 with open('/manifest','rb') as f:m=f.read()
except OSError:pass
print((m,r,o))
"""
)

HASHES = (
    _UNMOUNT
    + """
import hashlib,binascii
def h(p):
 s=hashlib.sha256();b=bytearray(1024)
 with open(p,'rb') as f:
  if p=='/key.bin':s.update(f.read(32))
  else:
   while 1:
    n=f.readinto(b)
    if not n:break
    s.update(memoryview(b)[:n])
 return binascii.hexlify(s.digest()).decode()
r=[]
def w(d):
 try:l=list(os.ilistdir(d))
 except OSError:return
 for e in l:
  p=d+'/'+e[0]
  if e[1]&0x4000:w(p)
  else:r.append((p,h(p)))
w('/a')
w('/b')
for p in OURS:
 try:r.append((p,h(p)))
 except OSError:pass
print(r)
"""
)

RECEIVE = """
import os,sys,binascii
t=%r
i=sys.stdin.buffer
b=b'';left=%d
def mk(p):
 k=p.find('/',1)
 while k>0:
  try:os.mkdir(p[:k])
  except OSError:pass
  k=p.find('/',k+1)
for p,n in t:
 mk(p)
 f=open(p,'wb')
 while n:
  if not b:
   l=b''
   while not l.endswith(b'\\n'):l+=i.readline()
   b=memoryview(binascii.a2b_base64(l));left-=len(b)
   print('!',end='')
  k=min(n,len(b))
  f.write(b[:k]);b=b[k:];n-=k
 f.close()
#%d
"""


def open_prompt(url: str, baud: int) -> Prompt:
    """At its raw prompt; raises FlashError, LineError."""
    prompt = Prompt(url, baud)
    try:
        prompt.enter()
    except (FlashError, LineError):
        prompt.close()
        raise
    return prompt
