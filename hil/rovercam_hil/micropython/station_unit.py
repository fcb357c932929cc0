"""A unit for station tests: the firmware's own link and file transfer in the unix port; the test answers commands."""

from __future__ import annotations

import socket
import struct
import threading
import time
from pathlib import Path

from rovercam.dictionary import load
from rovercam.dictionary.fields import BASE_TYPES, base_type
from rovercam.protocol import pus

from rovercam_hil.micropython.worker import Worker

KEY = bytes(range(32))
DICTIONARY = load()

SOURCE = """
import os
from rover.link.downlink import Downlink
from rover.link.uplink import Uplink
from rover.link.sdls import Keystore
from rover.services.cfdp import Cfdp

got = []
done = []

def on_packet(packet, bypass):
    packet = bytes(packet)
    if (packet[0] << 8 | packet[1]) & 0x7FF == apid + 1:
        files.pdu_in(packet[6:])
    else:
        got.append(packet)

def make(unit, key, folder):
    global down, up, files, apid
    apid = 0x100 + 16 * unit
    down = Downlink(0x100 + unit, 0)
    up = Uplink(0x100 + unit, Keystore(key), on_packet)
    down.set_clcw(up.clcw)
    files = Cfdp(unit, folder, lambda *a: done.append(a), apid + 1)
    down.bulk = files

def feed(data):
    up.feed(data, len(data))

def commands():
    global got
    r, got = got, []
    return r

def frames(idle, most):
    out = bytearray()
    for _ in range(most):
        f = down.next_frame(idle)
        if f is None:
            break
        out += f
        idle = False
    return bytes(out)

def tick(ms):
    files.tick(ms)

def put(path, priority):
    return files.put(path, None, priority, 2, 0, 0)
"""


class Unit:
    """One unit. `answer` lists the stages reported for each command; the default is all three."""

    def __init__(self, worker: Worker, folder: Path, number: int = 1, key: bytes = KEY):
        self.worker = worker
        self.number = number
        self.apid = DICTIONARY.apid(number)
        self.folder = folder
        worker.run(SOURCE)
        worker.call("make", number, key, str(folder))
        self.sequence = 0
        self.commands: list[bytes] = []
        self.failure: tuple[int, int, int] | None = None
        """(subtype, code, data) reported instead of success."""
        self.answers: dict[tuple[int, int], tuple[int, int, bytes]] = {}
        """(service, subtype) of a command -> service, subtype and body of a report sent before its completion."""

    def report(self, service: int, subtype: int, body: bytes, time: float, synchronised: bool = True) -> None:
        packet = pus.build_report(
            self.apid, self.sequence & 0x3FFF, service, subtype, body, time=time, synchronised=synchronised
        )
        self.sequence += 1
        assert self.worker.call("down.send", packet)

    def housekeeping(self, structure: int, time: float, synchronised: bool = True, **values: float) -> None:
        definition = DICTIONARY.structures[structure]
        form = ">" + "".join(BASE_TYPES[base_type(p.type, DICTIONARY.enums) or ""] for p in definition.parameters)
        defaults = {"dictionary_hash": DICTIONARY.hash, "heap_free": 90000, "heap_minimum": 80000}
        raws = [values.get(p.name, defaults.get(p.name, 0)) for p in definition.parameters]
        self.report(3, 25, bytes([structure]) + struct.pack(form, *map(int, raws)), time, synchronised)

    def feed(self, data: bytes, now: float) -> None:
        """Bytes of the ground; commands are answered at once."""
        if data:
            self.worker.call("feed", data)
        for packet in self.worker.call("commands"):
            self.commands.append(packet)
            if self.failure is not None:
                subtype, code, extra = self.failure
                if subtype != 2:
                    self.report(1, 1, packet[:4], now)
                self.report(1, subtype, packet[:4] + struct.pack(">HH", code, extra), now)
                continue
            answer = self.answers.get((packet[7], packet[8]))
            for subtype in (1, 3, 7):
                if answer is not None and subtype == 7:
                    self.report(*answer, now)
                self.report(1, subtype, packet[:4], now)

    def frames(self, idle: bool = False, most: int = 50) -> bytes:
        return bytes(self.worker.call("frames", idle, most))

    def tick(self, ms: int) -> None:
        self.worker.call("tick", ms)


class TcpUnit:
    """The firmware's link behind a TCP port, paced by the wall clock."""

    def __init__(self, worker: Worker, folder: Path):
        folder.mkdir()
        self.unit = Unit(worker, folder)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._listener.settimeout(0.1)
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(0.03)
            with connection:
                while not self._stop.is_set():
                    try:
                        data = connection.recv(4096)
                        if not data:
                            break
                        self.unit.feed(data, time.time())
                    except TimeoutError:
                        pass
                    except OSError:
                        break
                    self.unit.tick(30)
                    try:
                        connection.sendall(self.unit.frames(True, 4))
                    except OSError:
                        break

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()
