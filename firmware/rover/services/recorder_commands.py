"""ST[15] commands: retrieve, summarise, delete what was recorded. Recording is services/recorder.py."""

import asyncio
import os
import struct

from micropython import const

from rover import dictionary as d
from rover.services.recorder import files, path_of

_TIME = const(13)  # where a packet has its time


def _packets(first, last):
    """Every stored packet whose time is in [first, last], one at a time, in order of recording."""
    head = bytearray(19)
    for number in files():
        with open(path_of(number), "rb") as f:
            while f.readinto(head) == 19:
                n = (head[4] << 8 | head[5]) + 7
                if head[0] >> 5 or not 19 <= n <= 420:
                    break  # the rest of this file cannot be trusted
                packet = bytes(head) + f.read(n - 19)
                if len(packet) == n and first <= struct.unpack_from(">I", packet, _TIME)[0] <= last:
                    yield packet


def execute(app, key, args):
    recorder = app.recorder
    if recorder:
        recorder.flush()
    if key == d.C_RETRIEVE_STORE:
        return _retrieve(app, args[0], args[1])
    if key == d.C_REPORT_STORE:
        return _report(app)
    for number in files():  # delete: whole files that hold nothing younger
        newest = 0
        with open(path_of(number), "rb") as f:
            data = f.read(19)
            while len(data) == 19:
                newest = struct.unpack_from(">I", data, _TIME)[0]
                f.seek((data[4] << 8 | data[5]) + 7 - 19, 1)
                data = f.read(19)
        if newest <= args[0]:
            os.remove(path_of(number))
    return None


async def _retrieve(app, first, last):
    count = 0
    for packet in _packets(first, last):
        await app.room_for_report()
        app.downlink.send(packet)
        app.wake()
        count += 1
    struct.pack_into(">I", app.pus.data, 0, count)
    app.pus.report(15, 130, 4)


async def _report(app):
    count = size = 0
    oldest = newest = 0
    for packet in _packets(0, 0xFFFFFFFF):
        t = struct.unpack_from(">I", packet, _TIME)[0]
        oldest = oldest or t
        newest = t
        count += 1
        size += len(packet)
        if count % 16 == 0:
            await asyncio.sleep_ms(0)
    struct.pack_into(
        ">IIIIH", app.pus.data, 0, count, size, oldest, newest, app.recorder.overwritten if app.recorder else 0
    )
    app.pus.report(15, 19, 18)
