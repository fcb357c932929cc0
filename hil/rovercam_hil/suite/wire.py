"""The line between unit and ground as a scenario handles it: clear, or impaired from now on; everything is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rovercam.line.recording import FROM_UNIT, TO_UNIT

from rovercam_hil.line import LineSpec, Link


class Way:
    """One direction: what Session expects of a line (push, pull)."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self._name = name
        self._old: list[Link] = []

    def push(self, data: bytes, times: list[float]) -> None:
        getattr(self._wire.link, self._name).push(data, times)
        if self._name == "up":
            self._wire.recording.append((TO_UNIT, times[-1], bytes(data)))

    def pull(self, until: float) -> tuple[bytes, list[float]]:
        data = b""
        times: list[float] = []
        for link in (*self._old, self._wire.link):
            more, when = getattr(link, self._name).pull(until)
            data, times = data + more, times + when
        if not self._wire.link.spec.down.delay:
            self._old.clear()
        if data and self._name == "down":
            self._wire.recording.append((FROM_UNIT, times[-1], data))
        return data, times

    def changed(self, link: Link) -> None:
        """What was on the way on the line as it was still arrives."""
        self._old.append(link)


class Wire:
    """``set("ber=1e-4,drop=1e-3")`` impairs the line from now on (outage times count from now), ``clear()`` mends it.

    baud 0: the line paces nothing (USB). ``recording``: (direction, board time, bytes), what the ground heard and sent.
    """

    def __init__(self, baud: int, seed: int, now: Callable[[], float] = lambda: 0.0) -> None:
        self.baud = baud
        self.seed = seed
        self.now = now
        self.recording: list[tuple[int, float, bytes]] = []
        self.spec = ""
        self.link = Link(LineSpec.parse("", baud=baud, seed=seed))
        self.down, self.up = Way(self, "down"), Way(self, "up")
        self._changes = 0

    def set(self, spec: str) -> None:
        """Raises LineSpecError."""
        self._changes += 1
        parsed = LineSpec.parse(spec, baud=self.baud, seed=self.seed * 1000 + self._changes)
        now = self.now()

        def moved(side):  # type: ignore[no-untyped-def]
            return replace(side, outage=tuple((a + now, b + now) for a, b in side.outage))

        old, self.link = self.link, Link(replace(parsed, down=moved(parsed.down), up=moved(parsed.up)))
        self.down.changed(old)
        self.up.changed(old)
        self.spec = spec

    def clear(self) -> None:
        if self.spec:
            self.set("")

    @property
    def counters(self) -> dict[str, int]:
        """Bytes hit since the last set(): corrupted, dropped, inserted, outage; both directions together."""
        sides = (self.link.down.line.counters, self.link.up.line.counters)
        return {
            k: sum(getattr(c, k) for c in sides)
            for k in ("offered", "delivered", "corrupted", "dropped", "inserted", "outage")
        }
