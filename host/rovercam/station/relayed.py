"""Units that are heard by way of another unit's radio: that unit, the carrier, passes on their frames and our telecommands.

Frames of reports come at once, one in a packet ("radio of unit 1"); frames of files, and all that came to the carrier while
it was out of contact, come in its files /r/NNNN ("store of unit 1"). What goes out is cut into telecommand packets for the
carrier. Frames are not changed on the way, so authentication, COP-1 and file transfer run end to end between the station
and the other unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rovercam.archive import Archive
from rovercam.protocol import pus, tc, tm
from rovercam.station.links import Frame

FRAME = 255
"""Bytes of a relayed frame."""
PROFILE = 2
"""The line profile with such frames: no code, check sequence only."""
STORE = re.compile(r"^/r/\d{4}$")


class RadioPort:
    """The far end of a carrier's radio as a port of the station. ``stored``: of its store, whose control words are old."""

    def __init__(self, carrier: int, *, stored: bool = False):
        self.carrier = carrier
        self.stored = stored
        self.name = f"{'store' if stored else 'radio'} of unit {carrier}"
        self.bad = 0
        """Bytes that were no frames."""
        self.count = 0
        """Of packets to the carrier."""
        self._depacketizer = tm.Depacketizer()

    def frames(self, data: bytes, scid_base: int) -> Iterator[Frame]:
        """Frames one behind the other, checked again: what is wrong is counted and left out."""
        for at in range(0, len(data), FRAME):
            frame = data[at : at + FRAME]
            header = tm.check(frame) if len(frame) == FRAME else None
            if header is None or header.scid <= scid_base:
                self.bad += len(frame)
                continue
            packets, lost = self._depacketizer.frame(frame, header)
            word = None if self.stored else tm.control_word(frame, header)
            yield Frame(header.scid - scid_base, header.vcid, frame, 0, lost, word, PROFILE, packets)

    def packets(self, apid: int, data: bytes, *, secured: bool) -> Iterator[bytes]:
        """Bytes for the radio as packets for the carrier."""
        room = tc.max_packet(secured=secured) - pus.PACKET_HEADER
        for at in range(0, len(data), room):
            yield pus.build_packet(apid, self.count, data[at : at + room])
            self.count = (self.count + 1) % pus.SEQUENCE_MODULUS


def fresh_store_file(archive: Archive, transfer: int) -> bytes | None:
    """Content of a store file; None when the carrier sent the same one before (it was reset between its end and its deletion)."""
    content = archive.content(transfer)
    (again,) = archive.db.execute(
        "SELECT count(*) FROM transfer AS old JOIN transfer AS new ON old.unit = new.unit AND old.name = new.name"
        " WHERE new.id = ? AND old.id < new.id AND old.status = 'finished' AND old.content = new.content",
        (transfer,),
    ).fetchone()
    return None if again else content
