"""What a mission asserts: every claim with what was found, kept for the report."""

from __future__ import annotations

from dataclasses import dataclass, field


class MissionFailed(RuntimeError):
    """An assertion of the mission did not hold, or a step could not be done; the message says which."""


@dataclass(frozen=True)
class Check:
    claim: str
    held: bool
    found: str


@dataclass
class Checks:
    """Claims are collected, so that the report of a failed mission shows all of them."""

    made: list[Check] = field(default_factory=list)

    def that(self, claim: str, held: object, found: object = "") -> bool:
        self.made.append(Check(claim, bool(held), str(found)))
        return bool(held)

    def near(self, claim: str, value: float, wanted: float, within: float, unit: str = "") -> bool:
        """The claim that ``value`` is ``wanted`` ± ``within``."""
        return self.that(claim, abs(value - wanted) <= within, f"{value:.2f} {unit} (wanted {wanted:.2f} ± {within:g})")

    @property
    def failed(self) -> list[Check]:
        return [c for c in self.made if not c.held]

    def end(self) -> None:
        """Raises MissionFailed when anything did not hold."""
        if not self.made:
            raise MissionFailed("nothing was asserted")
        if self.failed:
            raise MissionFailed("; ".join(f"{c.claim}: {c.found}" for c in self.failed))
