"""Which key a unit's uplink uses, and how it gets over a rotation that was interrupted anywhere.

The key store holds the key in use and, from before `rotate_key` is sent, the key the unit will go over to. Which one the unit has, it alone
can show: it takes a command under a key, or its control word says that it refused one. At every refusal the ground goes on to the next key it
has; when a command was taken under a new one, the store keeps that and drops the others.
"""

from __future__ import annotations

from rovercam.archive import Archive
from rovercam.keys import FIRST_INDEX, Key, KeyStore
from rovercam.protocol import tc, uplink

PATIENCE = 3.0
"""Seconds before another key is tried: answers to the last one may be under way."""


class UnitKeys:
    """One unit's keys. Raises KeyStoreError when it has none."""

    def __init__(self, store: KeyStore, archive: Archive, unit: int):
        self._store = store
        self._archive = archive
        self._unit = unit
        self._keys = store.keys(unit)
        self._at = 0
        self._since = -PATIENCE
        self._nonce: bytes | None = None  # of the rotation that is under way

    @property
    def key(self) -> Key:
        """The one that is used now."""
        return self._keys[self._at]

    def sequence(self) -> tc.Sequence:
        """Anti-replay numbers of the key, kept in the archive ahead of their use; every key has its own."""
        index = self.key.index
        name = f"uplink-sequence-{self._unit}" + (f"-{index}" if index != FIRST_INDEX else "")
        archive = self._archive
        return tc.Sequence(int(archive.get_meta(name, 0)), lambda bound: archive.set_meta(name, bound))

    def propose(self, nonce: bytes) -> None:
        """A rotation is about to be asked for."""
        self._nonce = nonce
        self._keep_next()

    def refused(self, link: uplink.Uplink, now: float) -> bool:
        """The unit does not know the key of a frame: go on to another, if there is one. True if that was done."""
        if len(self._keys) < 2 or now - self._since < PATIENCE:
            return False
        self._use(link, (self._at + 1) % len(self._keys), now)
        return True

    def rotated(self, link: uplink.Uplink, now: float) -> None:
        """The unit reported that it went over."""
        if self._nonce is None:
            return
        key = self.key.next(self._nonce)
        self._nonce = None
        self._store.settle(self._unit, key)
        self._keys = [key]
        self._use(link, 0, now)

    def taken(self) -> None:
        """The unit took a command under the key in use."""
        if not self._at:
            return  # a rotation may be under way: the next key is still wanted
        self._store.settle(self._unit, self.key)
        self._keys, self._at = [self.key], 0
        self._keep_next()

    def _keep_next(self) -> None:
        if self._nonce is None:
            return
        key = self.key.next(self._nonce)
        if key not in self._keys:
            self._store.propose(self._unit, key)
            self._keys.append(key)

    def _use(self, link: uplink.Uplink, at: int, now: float) -> None:
        self._at, self._since = at, now
        self._keep_next()  # the command may be taken under this key
        link.rotate(self.key.value, self.key.index, self.sequence())
