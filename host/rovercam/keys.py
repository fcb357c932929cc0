"""The key store: one file per unit, <home>/keys/unit-N.key, readable by its owner only; 64 hexadecimal digits.

A rotated key has its index (SDLS security parameter index) behind it, in decimal; without one the index is 1. While a rotation is not settled, unit-N.next
holds the keys the unit may have gone over to, one a line.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

KEY_BYTES = 32
NONCE_BYTES = 16
FIRST_INDEX = 1
PROPOSALS = 8
_LAST_INDEX = 0xFFFE


@dataclass(frozen=True, slots=True)
class Key:
    """32 bytes and the index that frames under it carry."""

    value: bytes
    index: int = FIRST_INDEX

    def next(self, nonce: bytes) -> Key:
        """What a unit with this key goes over to when it is given the nonce; the same rule as on board (link/sdls)."""
        value = hmac.new(self.value, b"rotate" + nonce, hashlib.sha256).digest()
        return Key(value, self.index + 1 if self.index < _LAST_INDEX else FIRST_INDEX)


class KeyStoreError(Exception):
    """A key that is not there, not 32 bytes, or would be overwritten; the message says what to do."""


class KeyStore:
    def __init__(self, folder: Path):
        """folder: usually places.home() / "keys"; made when the first key is put in."""
        self.folder = folder

    def path(self, unit: int) -> Path:
        return self.folder / f"unit-{unit}.key"

    def units(self) -> list[int]:
        """Units with a key."""
        names = (p.stem.removeprefix("unit-") for p in self.folder.glob("unit-*.key"))
        return sorted(int(n) for n in names if n.isdigit())

    def find(self, unit: int) -> bytes | None:
        """The unit's key, or None; raises KeyStoreError when the file is damaged."""
        found = _read(self.path(unit))
        return found[0].value if found else None

    def keys(self, unit: int) -> list[Key]:
        """The key in use, and behind it those of rotations that are not settled. Raises KeyStoreError."""
        self.get(unit)
        return [*_read(self.path(unit)), *_read(self._pending(unit))]

    def propose(self, unit: int, key: Key) -> None:
        """Keep a key that the unit may be about to go over to: a ground killed in between has all of them. The latest PROPOSALS stay."""
        others = [k for k in _read(self._pending(unit)) if k != key]
        _write(self._pending(unit), [*others[1 - PROPOSALS :], key])

    def settle(self, unit: int, key: Key) -> None:
        """The unit has taken a command under this key: the others are of no use any more."""
        if _read(self.path(unit)) != [key]:
            _write(self.path(unit), [key])
        self._pending(unit).unlink(missing_ok=True)

    def _pending(self, unit: int) -> Path:
        return self.path(unit).with_suffix(".next")

    def get(self, unit: int) -> bytes:
        """The unit's key; raises KeyStoreError with the remedy."""
        key = self.find(unit)
        if key is None:
            raise KeyStoreError(
                f"no key for unit {unit} in {self.folder}: `rovercam keys import {unit} FILE` brings one from the computer"
                f" that flashed it, `rovercam flash` makes a new one"
            )
        return key

    def put(self, unit: int, key: bytes, *, overwrite: bool = False) -> Path:
        """Keeps a key; raises KeyStoreError when another one is there already."""
        if len(key) != KEY_BYTES:
            raise KeyStoreError(f"a key has {KEY_BYTES} bytes, {len(key)} came")
        old = self.find(unit)
        if old is not None and old != key and not overwrite:
            raise KeyStoreError(f"{self.path(unit)} holds another key; say --force to replace it")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if old != key:
            _write(self.path(unit), [Key(key)])
            self._pending(unit).unlink(missing_ok=True)
        return self.path(unit)

    def new(self, unit: int, *, overwrite: bool = False) -> bytes:
        """Makes and keeps a random key."""
        key = secrets.token_bytes(KEY_BYTES)
        self.put(unit, key, overwrite=overwrite)
        return key


def parse(text: str, where: str) -> bytes:
    """64 hexadecimal digits to 32 bytes; raises KeyStoreError naming ``where``."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyStoreError(
            f"{where}: expected {2 * KEY_BYTES} hexadecimal digits, found {len(text.strip())} characters"
        )
    return key


def parse_key(text: str, where: str) -> Key:
    """Digits, and behind them an index if there is one. Raises KeyStoreError."""
    digits, _, index = text.strip().partition(" ")
    if index and not (index.isdecimal() and FIRST_INDEX <= int(index) <= _LAST_INDEX):
        raise KeyStoreError(f"{where}: the index behind the key must be {FIRST_INDEX} to {_LAST_INDEX}, not {index!r}")
    return Key(parse(digits, where), int(index or FIRST_INDEX))


def _read(path: Path) -> list[Key]:
    try:
        return [parse_key(line, str(path)) for line in path.read_text().splitlines()]
    except FileNotFoundError:
        return []


def text_of(key: Key) -> str:
    """What parse_key reads."""
    return key.value.hex() + (f" {key.index}" if key.index != FIRST_INDEX else "")


def _write(path: Path, keys: list[Key]) -> None:
    """In one step: a computer that stops in between has the old file or the new one."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("".join(text_of(key) + "\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
