"""Faults on command: every device model declares which it knows, a scenario injects and clears them by name."""

from __future__ import annotations

from typing import Any, ClassVar


class UnknownFault(ValueError):
    """A fault that this device does not have; the message lists those it has."""


class Faulty:
    """Mixin. ``KNOWN`` maps a fault's name to what it does."""

    KNOWN: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self.faults: dict[str, Any] = {}

    def inject(self, name: str, value: Any = True) -> None:
        """Let ``name`` be wrong from now on; ``value`` where the fault has a size."""
        if name not in self.KNOWN:
            raise UnknownFault(f"{type(self).__name__} has no fault {name!r}; it has {', '.join(sorted(self.KNOWN))}")
        self.faults[name] = value
        self.fault_changed(name)

    def clear(self, name: str | None = None) -> None:
        """End one fault, or all."""
        if name is None:
            self.faults.clear()
        else:
            self.faults.pop(name, None)

    def fault_changed(self, name: str) -> None:
        """A fault came; for those that act at once."""
