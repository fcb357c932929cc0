"""The key store: one file per unit, <home>/keys/unit-N.key, readable by its owner only; 64 hexadecimal digits."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

KEY_BYTES = 32


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
        try:
            text = self.path(unit).read_text()
        except FileNotFoundError:
            return None
        return parse(text, str(self.path(unit)))

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
        new = self.path(unit).with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key.hex() + "\n")
        new.replace(self.path(unit))
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
