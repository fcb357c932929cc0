"""Store and forward: nodes with separate stores pass products hop by hop over a contact plan, and account for each byte.

A product travels in blocks. In a two-way contact a block that is lost is sent again and custody passes block by block
when it has been acknowledged; a node keeps a block until the next node has it safely. In a one-way contact (in the
blind) every block is sent once and kept, and what arrives is labelled. A node that is reset loses what was on its way
to it and not yet stored, never what it had acknowledged: stores are on non-volatile memory.

Everything is computed from event to event; nothing depends on the size of steps.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from rovercam_hil.relay.contacts import Contact, Plan

BLOCK = 1024
"""Bytes of one block: the unit of loss and of custody."""
_TURNAROUND = 0.2  # s a sender waits for an acknowledgement beyond the light time


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of a product."""

    product: str
    index: int
    data: bytes
    priority: int = 5
    """0 is most urgent."""
    created: float = 0.0
    damaged: bool = False

    @property
    def key(self) -> tuple[str, int]:
        return self.product, self.index


@dataclass(slots=True)
class Counters:
    """Bytes, for one node. Taken over = stored + forwarded + refused later by nothing: see `Network.account`."""

    taken: int = 0
    """Bytes whose custody the node accepted."""
    handed_on: int = 0
    """Bytes whose custody the next node acknowledged."""
    sent: int = 0
    """Bytes put on the air, repeats included."""
    lost: int = 0
    """Bytes sent and not received."""
    lost_in_reset: int = 0
    """Bytes received but not stored, because of a reset; still in the sender's custody."""
    damaged: int = 0
    refused: int = 0
    """Bytes not accepted because the store was full; the sender keeps them."""


@dataclass
class Node:
    """A store and its counters. `capacity` in bytes."""

    name: str
    capacity: float = math.inf
    store: dict[tuple[str, int], Block] = field(default_factory=dict)
    held: int = 0
    counters: Counters = field(default_factory=Counters)
    by_product: dict[str, int] = field(default_factory=dict)
    """Bytes held of each product."""
    next_hop: str | None = None
    resets: list[float] = field(default_factory=list)

    def take(self, block: Block) -> bool:
        """Accept custody of a block; a block already held is accepted again without effect. False: no room."""
        if block.key in self.store:
            return True
        if self.held + len(block.data) > self.capacity:
            self.counters.refused += len(block.data)
            return False
        self.store[block.key] = block
        self.held += len(block.data)
        self.by_product[block.product] = self.by_product.get(block.product, 0) + len(block.data)
        self.counters.taken += len(block.data)
        return True

    def release(self, block: Block) -> None:
        if self.store.pop(block.key, None) is not None:
            self.held -= len(block.data)
            self.by_product[block.product] -= len(block.data)
            self.counters.handed_on += len(block.data)


class _Pass:
    """A contact that is running: what waits to be sent in it, most urgent first."""

    def __init__(self, contact: Contact) -> None:
        self.contact = contact
        self.queue: list[tuple[tuple, Block]] = []
        self.idle = False
        self.over = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """Answer to "where is my picture now?"."""

    product: str
    size: int
    by_node: dict[str, int]
    """Bytes in each node's custody."""
    blind: int
    """Bytes that also arrived unconfirmed at the destination."""
    next_contact: float | None
    """When the node that holds most of it next hears its next hop."""

    def __str__(self) -> str:
        parts = [f"{n}: {b} of {self.size} bytes" for n, b in self.by_node.items() if b]
        return f"{self.product}: " + (", ".join(parts) or "unknown")


class Network:
    """Nodes in a chain (each has one next hop), one contact plan, one seed. `advance(t)` runs it up to `t`."""

    def __init__(self, route: Sequence[str], plan: Plan, seed: int = 1, capacity: dict[str, float] | None = None,
                 start: float = 0.0) -> None:  # fmt: skip
        if len(route) < 2 or len(set(route)) != len(route):
            raise ValueError(f"a route needs at least two different nodes, this is {list(route)}")
        self.nodes = {n: Node(n, (capacity or {}).get(n, math.inf)) for n in route}
        for a, b in pairwise(route):
            self.nodes[a].next_hop = b
        self.route = tuple(route)
        self.destination = route[-1]
        self.plan = plan
        self.now = start
        self._rng = np.random.default_rng([seed, 0x4E7])
        self._events: list[tuple[float, int, str, tuple]] = []
        self._serial = 0
        self._running: dict[str, list[_Pass]] = {}
        self._sizes: dict[str, int] = {}
        self._created: dict[str, float] = {}
        self.delivered: dict[str, float] = {}
        """Product → time its last byte was safe at the destination."""
        self.blind: dict[tuple[str, int], Block] = {}
        """Blocks that arrived at the destination without confirmation, damaged ones included."""
        self.log: list[tuple[float, str]] = []
        self.collected = 0
        """Bytes of products that were complete and taken out."""
        for contact in plan.following(start):
            self._at(contact.start, "begin", (contact,))

    # -- what happens when -------------------------------------------------------------------------------------------

    def _at(self, time: float, kind: str, what: tuple) -> None:
        self._serial += 1
        heapq.heappush(self._events, (time, self._serial, kind, what))

    def offer(self, node: str, product: str, data: bytes, priority: int = 5, now: float | None = None) -> None:
        """Put a product into a node's store. Raises BufferError when it does not fit; nothing is kept then."""
        t = self.now if now is None else now
        home = self.nodes[node]
        if home.held + len(data) > home.capacity:
            home.counters.refused += len(data)
            raise BufferError(f"{node} has room for {home.capacity - home.held:.0f} bytes, {product} has {len(data)}")
        if product in self._sizes:
            raise ValueError(f"{product} has been offered before")
        if not data:
            raise ValueError(f"{product} is empty: there is nothing to carry")
        self._sizes[product] = len(data)
        self._created[product] = t
        for k in range(math.ceil(len(data) / BLOCK)):
            block = Block(
                product=product, index=k, data=data[k * BLOCK : (k + 1) * BLOCK], priority=priority, created=t
            )
            home.take(block)
            self._stored(t, home, block)

    def reset(self, node: str, at: float) -> None:
        """The node restarts at `at`: what was just arriving is lost, its store is not."""
        if at < self.now:
            raise ValueError(f"a reset at {at} is in the past, it is {self.now}")
        self.nodes[node].resets.append(at)

    def deadline(self) -> float | None:
        """When something happens next."""
        return self._events[0][0] if self._events else None

    def advance(self, t: float) -> None:
        """Run all events up to and including `t`."""
        while self._events and self._events[0][0] <= t:
            time, _, kind, what = heapq.heappop(self._events)
            self.now = time
            getattr(self, "_" + kind)(time, *what)
        self.now = max(self.now, t)

    def _begin(self, t: float, contact: Contact) -> None:
        verb = "in contact with" if contact.two_way else "sends in the blind to"
        self.log.append((t, f"{contact.source} {verb} {contact.target}"))
        window = _Pass(contact)
        window.queue = [(_urgency(b), b) for b in self.nodes[contact.source].store.values()]
        heapq.heapify(window.queue)
        self._running.setdefault(contact.source, []).append(window)
        self._at(contact.end, "end", (window,))
        self._send(t, window)

    def _end(self, t: float, window: _Pass) -> None:
        window.over = True
        window.queue.clear()
        self._running[window.contact.source].remove(window)

    def _queue(self, t: float, window: _Pass, block: Block) -> None:
        """A block to be sent (again) in a running pass."""
        if window.over:
            return
        heapq.heappush(window.queue, (_urgency(block), block))
        if window.idle:
            window.idle = False
            self._at(t, "send", (window,))

    def _stored(self, t: float, node: Node, block: Block) -> None:
        for window in self._running.get(node.name, []):
            self._queue(t, window, block)

    def _send(self, t: float, window: _Pass) -> None:
        """Put the most urgent block on the air."""
        if window.over:
            return
        contact = window.contact
        source = self.nodes[contact.source]
        while window.queue and window.queue[0][1].key not in source.store:
            heapq.heappop(window.queue)
        if not window.queue:
            window.idle = True
            return
        block = window.queue[0][1]
        done = contact.sent(t, len(block.data))
        if done > contact.end + 1e-9:
            return  # does not fit into what is left of the pass
        heapq.heappop(window.queue)
        source.counters.sent += len(block.data)
        if self._rng.random() >= contact.loss:
            self._at(done + contact.delay, "arrive", (window, block, t))
        else:
            source.counters.lost += len(block.data)
            if contact.two_way:
                # The sender learns of it when the acknowledgement does not come.
                self._at(done + 2 * contact.delay + _TURNAROUND, "queue", (window, block))
        self._at(done, "send", (window,))

    def _arrive(self, t: float, window: _Pass, block: Block, began: float) -> None:
        contact = window.contact
        source, target = self.nodes[contact.source], self.nodes[contact.target]
        again = t + contact.delay + _TURNAROUND
        if any(began + contact.delay <= r <= t for r in target.resets):
            target.counters.lost_in_reset += len(block.data)
            if contact.two_way:
                self._at(again, "queue", (window, block))
            return
        if contact.corrupt:
            target.counters.damaged += len(block.data)
        if not contact.two_way:
            known = self.blind.get(block.key)
            if known is None or known.damaged:
                self.blind[block.key] = self._damage(block) if contact.corrupt else block
            return
        if contact.corrupt:
            self._at(again, "queue", (window, block))
            return
        if block.product not in self._sizes:  # collected meanwhile
            self._acknowledged(t, source, block)
            return
        new = block.key not in target.store
        if not target.take(block):
            self._at(again + 5.0, "queue", (window, block))  # a full store: ask again later
            return
        if new:
            self._stored(t, target, block)
        self._at(t + contact.delay, "acknowledged", (source, block))
        if target.name == self.destination and self._complete(block.product) and block.product not in self.delivered:
            self.delivered[block.product] = t
            self.log.append((t, f"{block.product} complete at {target.name}"))

    def _acknowledged(self, t: float, source: Node, block: Block) -> None:
        source.release(block)

    def _damage(self, block: Block) -> Block:
        data = bytearray(block.data)
        for k in self._rng.integers(0, max(len(data), 1), max(len(data) // 50, 1)):
            if data:
                data[int(k)] ^= int(self._rng.integers(1, 256))
        return Block(
            product=block.product,
            index=block.index,
            data=bytes(data),
            priority=block.priority,
            created=block.created,
            damaged=True,
        )

    # -- questions ---------------------------------------------------------------------------------------------------

    def _complete(self, product: str) -> bool:
        return self._held_at(self.destination, product) == self._sizes[product]

    def _held_at(self, node: str, product: str) -> int:
        return self.nodes[node].by_product.get(product, 0)

    def product(self, name: str) -> bytes | None:
        """The product as the destination has it, when complete."""
        if name not in self._sizes or not self._complete(name):
            return None
        blocks = sorted(
            (b for b in self.nodes[self.destination].store.values() if b.product == name), key=lambda b: b.index
        )
        return b"".join(b.data for b in blocks)

    def collect(self, name: str) -> bytes | None:
        """The product, when complete, out of the destination's store: from now on it is the caller's."""
        if name not in self._sizes or not self._complete(name):
            return None
        store = self.nodes[self.destination].store
        blocks = [store[name, k] for k in range(math.ceil(self._sizes[name] / BLOCK))]
        for block in blocks:
            self.nodes[self.destination].release(block)
            for upstream in self.route[:-1]:  # an acknowledgement still on its way finds nothing to release
                self.nodes[upstream].release(block)
        for node in self.nodes.values():
            node.by_product.pop(name, None)
        self.collected += self._sizes.pop(name)
        del self._created[name], self.delivered[name]
        return b"".join(block.data for block in blocks)

    def custody(self, product: str) -> Custody:
        """Who has how much of a product; a block on its way counts for whoever is still responsible for it."""
        by_node: dict[str, int] = {}
        seen: set[int] = set()
        for name in reversed(self.route):  # furthest first: a block not yet released upstream is counted once
            total = 0
            for b in self.nodes[name].store.values():
                if b.product == product and b.index not in seen:
                    seen.add(b.index)
                    total += len(b.data)
            by_node[name] = total
        holder = max((n for n in self.route[:-1]), key=lambda n: by_node[n])
        upcoming = (
            [c.start for c in self.plan.contacts if c.source == holder and c.start >= self.now]
            if by_node[holder]
            else []
        )
        return Custody(
            product=product,
            size=self._sizes[product],
            by_node={n: by_node[n] for n in self.route},
            blind=sum(len(b.data) for b in self.blind.values() if b.product == product),
            next_contact=min(upcoming, default=None),
        )

    def account(self) -> dict[str, int]:
        """Every byte offered: at the destination, or still in some node's custody. The difference must be 0."""
        offered = sum(self._sizes.values()) + self.collected
        held = {n: 0 for n in self.route}
        for product in self._sizes:
            for n, b in self.custody(product).by_node.items():
                held[n] += b
        there = sum(held.values()) + self.collected
        return {"offered": offered, **held, "collected": self.collected, "unaccounted": offered - there}


def _urgency(block: Block) -> tuple:
    """Order on the air: priority, then age, then name and place; unique for a block."""
    return block.priority, block.created, block.product, block.index
