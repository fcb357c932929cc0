"""What is missing of one class 2 file, and what is asked for when: new gaps at once, unless what came of lost frames may fill them (salvage.py)."""

from __future__ import annotations

from collections.abc import Sequence

from ..events import Fragment
from .pdus import NAK_OVERHEAD, Builder
from .peer import Peer, Settings
from .ranges import Ranges, SendingOrder
from .salvage import Digest, Salvage
from .wants import Pace, Wants

NEVER = float("inf")
SPOILT = 0.4  # of a gap is sent again when a digest says which of it is right: a burst's share of a frame, and the digest itself


class Missing:
    """have: ranges that came, changed by the owner. order: None until the metadata came. ended: the EOF came.

    frontier: place in sending order below which everything is here or wanted. fragments: of the frames lost before the PDU at hand.
    """

    def __init__(self, build: Builder, peer: Peer, settings: Settings) -> None:
        self.have = Ranges()
        self.order: SendingOrder | None = None
        self.ended = False
        self.frontier = 0
        self.fragments: Sequence[Fragment] = ()
        self._build, self._peer, self._settings = build, peer, settings
        self._wants = Wants(peer, settings)
        self._salvage = Salvage(build.number, self._wanted)
        self._pace = Pace()
        self._ask_metadata_at = NEVER
        self._backoff = 1.0
        self._answer_prompt = False
        self._answered_at = -NEVER

    # ---- what comes ----

    def took_up(self, now: float) -> None:
        """After a restart: gaps are asked for after one time-out, because answers to the process before may still be on their way."""
        self._catch_up(now)
        self._wants.taken_up(now)
        if self.order is None:
            self._ask_metadata_at = now

    def knows(self, order: SendingOrder, now: float) -> None:
        """The metadata came."""
        self.order = order
        self._ask_metadata_at = NEVER
        self._catch_up(now)

    def came(self, offset: int, end: int, now: float) -> None:
        """File data, whether new or not; ``have`` holds it already."""
        self._pace.took(end - offset, now)
        if self.order is None:
            self._ask_metadata(now)
            return
        if self._wants.filled(offset, end, now):
            self._backoff = 1.0
        self._reach(self.order.place(offset), self.order.place(end - 1) + 1, now)

    def eof(self, size: int, now: float) -> None:
        """Everything was sent once; what was asked for before and did not come is lost."""
        self.ended = True
        if self.order is None:
            self._ask_metadata(now)
            return
        self._reach(size, size, now)
        self._wants.ended(now)

    def digest(self, digest: Digest) -> list[tuple[int, bytes]]:
        """(file offset, bytes) of a gap that lie in the fragments: to be taken as if they had come."""
        return [] if self.order is None else self._salvage.answer(self.order, digest)

    def prompted(self, now: float) -> None:
        """The sender has forgotten what it sent and what it was asked for. It prompts until it has the answer.

        Prompts of one round trip are the same question.
        """
        if now - self._answered_at < (self._peer.least or self._peer.rto):
            return
        self._answered_at = now
        self.ask_again()
        self._answer_prompt = True

    def ask_again(self) -> None:
        """Whatever was asked for before."""
        self._backoff = 1.0
        self._salvage.release()
        self._wants.ask_again()

    def back(self) -> None:
        """The unit is heard after a silence."""
        self._backoff = 1.0
        if self.order is not None:
            self.ask_again()
            self._answer_prompt = True

    def start_over(self, now: float, *, ask: bool) -> None:
        """The checksum was wrong: nothing of the file is here any more. ask: for all of it."""
        self.stop()
        self.have.clear()
        self.frontier = 0
        if ask and self.order is not None:
            self._reach(self.order.size, self.order.size, now)

    def stop(self) -> None:
        """Nothing is needed any more."""
        self._wants.clear()
        self._salvage.clear()
        self._ask_metadata_at = NEVER
        self._answer_prompt = False
        self._backoff = 1.0

    # ---- gaps ----

    def _ask_metadata(self, now: float) -> None:
        if self._ask_metadata_at == NEVER:
            self._ask_metadata_at = now

    def _catch_up(self, now: float) -> None:
        """The frontier and the gaps below it, from the ranges held."""
        order = self.order
        if order is None:
            return
        top = 0
        for start, end in self.have:
            step = order.run or (end - start)
            at = start
            while at < end:
                last = min(end, at - at % step + step if order.run else end)
                top = max(top, order.place(last - 1) + 1)
                at = last
        self._reach(order.size if self.ended else top, top, now)

    def _reach(self, gap_end: int, frontier: int, now: float) -> None:
        """Everything up to gap_end in sending order should be here: what is not is wanted."""
        assert self.order is not None
        if gap_end > self.frontier:
            if self._worth_salvage(gap_end):
                wait = 2 * self._peer.trip + 1.0
                self._salvage.gap(self.order, self.frontier, gap_end, self.fragments, now, wait)
                self.fragments = ()
            else:
                self._wanted(self.frontier, gap_end)
        self.frontier = max(self.frontier, gap_end, frontier)

    def _worth_salvage(self, gap_end: int) -> bool:
        """Whether the file is whole earlier with a digest: two round trips and a part of the gap, against one and all of it."""
        if not self.fragments or self.order is None:
            return False
        left = 0.0 if self.ended else self._pace.seconds(self.order.size - gap_end)
        gap, trip = self._pace.seconds(gap_end - self.frontier), self._peer.trip
        return max(left, 2 * trip) + SPOILT * gap < max(left, trip) + gap

    def _wanted(self, first: int, last: int) -> None:
        """What is missing of these places in sending order."""
        assert self.order is not None
        for a, b in self.order.offsets(first, last):
            for start, end in self.have.missing(a, b):
                self._wants.add(start, end)

    # ---- what goes out ----

    def deadline(self) -> float:
        if self._answer_prompt or self._may_ask() or self._salvage.requests:
            return 0.0
        return min(self._wants.timeout_at(self._backoff), self._ask_metadata_at, self._salvage.deadline)

    def requests(self) -> list[bytes]:
        """Digest requests to send."""
        found, self._salvage.requests = self._salvage.requests, []
        return found

    def poll(self, now: float) -> list[bytes]:
        """NAK PDUs that are due."""
        out = []
        if now >= self._ask_metadata_at:
            out.append(self._build.nak(0, self.frontier, [(0, 0)]))
            self._ask_metadata_at = now + min(self._peer.rto * self._backoff, self._settings.most_wait)
            self._backoff *= 1.5
        self._salvage.poll(now)
        if now >= self._wants.timeout_at(self._backoff):
            self._wants.ask_again()
            self._backoff *= 1.5
        if self._answer_prompt or self._may_ask():
            out += self._naks(now)
        return out

    def _may_ask(self) -> bool:
        return (self.ended or self._settings.immediate) and self._wants.may_ask()

    def _naks(self, now: float) -> list[bytes]:
        """For wants not yet asked; in answer to a prompt also when there are none."""
        requests = self._wants.ask(now)
        if self.order is None:
            requests.insert(0, (0, 0))
            self._ask_metadata_at = now + self._peer.rto
        per_pdu = max(1, (self._settings.pdu_limit - NAK_OVERHEAD) // 8)
        # an answer to a prompt covers everything: only there the scope begins at 0
        scope = 0 if self._answer_prompt or not requests else requests[0][0]
        self._answer_prompt = False
        pdus = []
        for i in range(0, max(len(requests), 1), per_pdu):
            part = requests[i : i + per_pdu]
            last = i + per_pdu >= len(requests)
            end = self.frontier if last else part[-1][1]
            pdus.append(self._build.nak(min(scope, end), end, part))
            scope = end
        return pdus
