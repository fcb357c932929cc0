"""An orbiter as a process of its own, paced by the wall clock: what the rover's line and Earth's line bring is stored and forwarded.

Both directions have a network of their own (rover, orbiter, earth, and back), with the contact plan's rates, light times and losses.
What comes from a line while the plan has no contact there is heard by nobody. What was heard is kept in files until it is
delivered, in the order it came: a node that is killed goes on where it was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

from rovercam_hil.relay.contacts import Plan, PlanError
from rovercam_hil.relay.network import Network

RADIO = 256 * 1024
"""Bytes that the sending end's radio keeps while the pass is slower than the line."""


def mirrored(plan: Plan, route: tuple[str, ...]) -> Plan:
    """The plan of the way back: its own contacts if there are any, else every contact both ways."""
    pairs = set(zip(route[1:], route, strict=False))
    back = [c for c in plan.contacts if (c.source, c.target) in pairs]
    return Plan(back or [replace(c, source=c.target, target=c.source) for c in plan.contacts])


class Way:
    """One direction through the orbiter. ``folder`` keeps what is under way. Times are the plan's.

    Raises PlanError for passes in the blind: lines need the custody that those do not have.
    """

    def __init__(self, route: tuple[str, ...], plan: Plan, folder: Path, now: float, seed: int = 1) -> None:
        for contact in plan.contacts:
            if not contact.two_way or contact.corrupt:
                raise PlanError(
                    f"contact {contact.source} to {contact.target} at {contact.start}: a line has no passes in the blind"
                )
        self.route = route
        self.first = [c for c in plan.contacts if (c.source, c.target) == route[:2]]
        self.unheard = self.refused = 0
        """Bytes out of contact, and those that found the radio's memory full."""
        self.network = Network(route, Plan([c.rest(now) for c in plan.contacts]), seed, {route[0]: RADIO}, start=now)
        self._folder = folder
        self._order: deque[str] = deque()
        self._first_hop: set[str] = set()
        """Of these, the ones whose file says that the sending end still answers for them."""
        self._serial = 0
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.*")):
            node = path.suffix[1:]
            if node in route[:2]:
                self._serial = int(path.stem) + 1
                self.network.offer(node, path.stem, path.read_bytes(), now=now)
                self._order.append(path.stem)
                if node == route[0]:
                    self._first_hop.add(path.stem)

    @property
    def under_way(self) -> int:
        """Pieces heard and not delivered yet."""
        return len(self._order)

    def open(self, now: float) -> bool:
        """Whether the first hop is in contact."""
        return any(c.start <= now < c.end for c in self.first)

    def hear(self, data: bytes, now: float) -> None:
        """Bytes of the line at the beginning of this way."""
        self.network.advance(now)
        if not self.open(now):
            self.unheard += len(data)
            return
        name = f"{self._serial:012d}"
        try:
            self.network.offer(self.route[0], name, data, now=now)
        except BufferError:
            self.refused += len(data)
            return
        self._serial += 1
        self._write(name, data)
        self._order.append(name)
        self._first_hop.add(name)

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / f"{name}.{self.route[0]}"
        part = path.with_suffix(".part")
        part.write_bytes(data)
        part.replace(path)

    def ready(self, now: float) -> bytes:
        """What has arrived by now at the other end, in the order it was heard."""
        self.network.advance(now)
        out = b""
        still = self.network.nodes[self.route[0]].by_product
        for name in [n for n in self._first_hop if not still.get(n)]:
            # Custody has passed: after a restart it is the orbiter's to send.
            here = self._folder / f"{name}.{self.route[0]}"
            here.replace(here.with_suffix(f".{self.route[1]}"))
            self._first_hop.remove(name)
        while self._order:
            data = self.network.collect(self._order[0])
            if data is None:
                break
            out += data
            name = self._order.popleft()
            self._first_hop.discard(name)
            for node in self.route[:2]:
                (self._folder / f"{name}.{node}").unlink(missing_ok=True)
        self.network.log.clear()  # a line of it for every piece, and nobody reads it
        return out

    def __str__(self) -> str:
        account = self.network.account()
        held = ", ".join(f"{account[node]} bytes at {node}" for node in self.route[:-1])
        lost = f"; {self.unheard} sent out of contact" if self.unheard else ""
        lost += f"; {self.refused} refused, the radio was full" if self.refused else ""
        return f"to {self.route[-1]}: {account['collected']} bytes delivered, {held}{lost}"
