"""What the station keeps per port (a downlink receiver) and per unit (an uplink, counters, clock)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from rovercam.archive import Archive
from rovercam.protocol import downlink, events, pus, uplink
from rovercam.protocol.adapt import ProfilePolicy
from rovercam.protocol.profiles import TABLE
from rovercam.station.decoding import Correlation
from rovercam.station.keyring import UnitKeys
from rovercam.station.verification import Pending

IDLE_APID = 0x7FF
SAME_FRAME = 30.0
"""Seconds within which the same frame from another port is the same transmission."""
FRAMES_REMEMBERED = 512
PDUS_WAITING = 8
"""Packets that may wait for the line before file data is held back."""


OURS = pus.SEQUENCE_MODULUS // 2
"""The station's telecommands count in the upper half: another control system counts from 0, and takes reports by their count."""


@dataclass(slots=True)
class Frame:
    """One transfer frame with the packets that ended in it."""

    unit: int
    channel: int
    data: bytes
    corrected: int
    lost: int
    clcw: int | None
    profile: int
    packets: list[bytes] = field(default_factory=list)
    fragments: list[events.Fragment] = field(default_factory=list)
    """Of frames lost right before it."""


class PortLink:
    """One port's receiver, and what it measured of the line. baud: None where there is no baud rate, or it is not known."""

    stored = False
    """Its control words are of now (see relayed.RadioPort)."""

    def __init__(self, name: str, baud: int | None = None):
        self.name = name
        self.open = True
        self.receiver = downlink.Receiver()
        self.policy = ProfilePolicy(baud)

    def feed(self, data: bytes, now: float) -> list[Frame]:
        return self._taken(self.receiver.feed(data, now))

    def poll(self, now: float) -> list[Frame]:
        """What silence decides."""
        return self._taken(self.receiver.poll(now))

    def _taken(self, found: Iterable[events.Event]) -> list[Frame]:
        found = list(found)
        for event in found:
            self.policy.observe(event)
        return _frames(found)

    def flush(self, now: float) -> list[Frame]:
        """Nothing more comes."""
        return _frames(self.receiver.flush(now))

    def deadline(self) -> float | None:
        return self.receiver.deadline()

    @property
    def profile(self) -> str:
        return str(self.receiver.profile) if self.receiver.profile else ""

    @property
    def discarded(self) -> int:
        return self.receiver.counters.discarded_total


def _frames(found: Iterable[events.Event]) -> list[Frame]:
    frames: list[Frame] = []
    fragments: list[events.Fragment] = []
    for event in found:
        if isinstance(event, events.Fragment):
            fragments.append(event)
        elif isinstance(event, events.FrameReceived):
            frames.append(
                Frame(
                    unit=event.unit,
                    channel=event.vcid,
                    data=event.frame,
                    corrected=event.corrected,
                    lost=event.lost,
                    clcw=event.ocf,
                    profile=event.profile,
                    fragments=fragments,
                )
            )
            fragments = []
        elif isinstance(event, events.PacketReceived):
            frames[-1].packets.append(event.packet)
    return frames


@dataclass(frozen=True, slots=True)
class UplinkEvent:
    """Something that became of a command, or (command None) of the link. kind: sent, received, lost."""

    kind: str
    text: str = ""
    command: Pending | None = None


class UnitLink:
    """One unit: where it was heard last, its uplink, its counters."""

    def __init__(self, number: int):
        self.number = number
        self.port: str | None = None
        self.uplink: uplink.Uplink | None = None
        self.keys: UnitKeys | None = None
        self.key_missed = False
        self.correlation = Correlation()
        self.clock_unset = False
        self.adapting: int | None = None
        """Profile that was commanded and not yet answered for."""
        self.probed = False
        self.clock_asked = -1e9
        self.insecure = False
        self.strange_dictionary: int | None = None
        self.bad_packets = 0
        self.foreign_packets = 0
        self.live = True
        """Whether the frame at hand was received as it was sent, and not out of a store."""
        self.heard = 0.0
        self.frames = self.lost = self.corrected = self.duplicates = 0
        self.profile = -1
        self._recent: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._sequence: int | None = None
        self._pdu_count = -1
        self._word: int | None = None
        self._boots: int | None = None

    # ------------------------------------------------------------------------------------------------------- downlink
    def is_duplicate(self, frame: Frame, port: str, now: float) -> bool:
        """Count a frame; True when another port brought it already."""
        digest = hashlib.blake2b(frame.data, digest_size=16).digest()
        seen = self._recent.get(digest)
        if seen is not None and seen[0] != port and now - seen[1] < SAME_FRAME:
            self.duplicates += 1
            return True
        self._recent[digest] = (port, now)
        if len(self._recent) > FRAMES_REMEMBERED:
            self._recent.popitem(last=False)
        self.heard = now
        self.frames += 1
        self.lost += frame.lost
        self.corrected += frame.corrected
        self.profile = frame.profile
        return False

    @property
    def profile_text(self) -> str:
        return str(TABLE[self.profile]) if self.profile >= 0 else ""

    # --------------------------------------------------------------------------------------------------------- uplink
    def open_uplink(self, scid: int, keys: UnitKeys | None) -> None:
        """Begins with the control word heard last. keys None: the insecure bench mode."""
        self.keys = keys
        if keys is None:
            self.uplink = uplink.Uplink(scid, None, insecure=True)
        else:
            self.uplink = uplink.Uplink(scid, keys.key.value, keys.sequence(), spi=keys.key.index)
        if self._word is not None:
            self.uplink.clcw(self._word, self.heard)
        if self._boots is not None:
            self.uplink.boot(self._boots, 0.0, self.heard)

    def set_floor(self, floor: int) -> None:
        """Telemetry tells the unit's anti-replay floor: only higher numbers are taken (another station, a lost archive)."""
        if self.uplink is not None:
            self.uplink.set_floor(floor)

    def boot(self, count: int, uptime: float, now: float) -> None:
        """Live telemetry told how often and how long ago the unit has started; see protocol.uplink."""
        if not self.live:
            return
        self._boots = count
        if self.uplink is not None:
            self.uplink.boot(count, uptime, now)

    def next_sequence(self, archive: Archive, apid: int) -> int:
        """Sequence count of the next telecommand packet."""
        if self._sequence is None:
            last = archive.last_sequence(apid)
            self._sequence = OURS - 1 if last is None or last < OURS else last
        self._sequence = OURS + (self._sequence + 1) % OURS
        return self._sequence

    def send_command(
        self, packet: bytes, tag: Pending, bypass: bool, fresh: Callable[[float], bytes] | None = None
    ) -> None:
        """fresh: see protocol.uplink."""
        assert self.uplink is not None
        self.uplink.send(packet, bypass=bypass, tag=tag, fresh=fresh)

    def send_pdu(self, apid: int, pdu: bytes) -> None:
        """File transfer repeats what it needs itself: its packets go round sequence control."""
        assert self.uplink is not None
        self._pdu_count = (self._pdu_count + 1) % pus.SEQUENCE_MODULUS
        self.uplink.send(pus.build_packet(apid, self._pdu_count, pdu), bypass=True)

    def send_packets(self, packets: Iterable[bytes]) -> None:
        """For another unit's radio, in sequence."""
        assert self.uplink is not None
        for packet in packets:
            self.uplink.send(packet)

    @property
    def room(self) -> bool:
        """Whether file data should be handed over now: what waits is sent first."""
        return self.uplink is not None and self.uplink.queued < PDUS_WAITING

    def on_clcw(self, word: int, now: float) -> list[UplinkEvent]:
        self._word = word
        if self.uplink is None:
            return []
        self.uplink.clcw(word, now)
        heard = self.uplink.last_clcw
        if self.keys is not None and heard is not None and heard.status & uplink.STATUS_MAC:
            self.keys.refused(self.uplink, now)
        return self._events()

    def poll(self, now: float) -> tuple[bytes, list[UplinkEvent]]:
        """Bytes to transmit now, and what became of commands."""
        if self.uplink is None:
            return b"", []
        data = self.uplink.poll(now)
        return data, self._events()

    def deadline(self) -> float | None:
        return None if self.uplink is None else self.uplink.deadline()

    def _events(self) -> list[UplinkEvent]:
        assert self.uplink is not None
        found = []
        for event in self.uplink.take_events():
            if isinstance(event, uplink.Alert):
                found.append(UplinkEvent("alert", f"uplink: {event.reason}"))
                found += [UplinkEvent("lost", event.reason, t) for t in event.tags if isinstance(t, Pending)]
                continue
            if isinstance(event, uplink.Accepted) and self.keys is not None:
                self.keys.taken()
            if isinstance(event.tag, Pending):
                kind = "sent" if isinstance(event, uplink.Transmitted) else "received"
                found.append(UplinkEvent(kind, "", event.tag))
        return found

    def uplink_state(self) -> dict[str, Any]:
        """For panels: COP-1 and authentication."""
        up = self.uplink
        if up is None:
            return {}
        state: dict[str, Any] = {"cop1": up.fop.state.name.lower(), "waiting": up.queued, "number": up.sequence.last}
        if up.last_clcw is not None:
            word = up.last_clcw
            flags = [n for n in ("lockout", "wait", "retransmit") if getattr(word, n)]
            names = {
                uplink.STATUS_REPLAY: "replayed",
                uplink.STATUS_MAC: "unauthenticated",
                uplink.STATUS_INSECURE: "insecure",
            }
            state["unit"] = " ".join(flags + [n for bit, n in names.items() if word.status & bit]) or "ready"
        return state
