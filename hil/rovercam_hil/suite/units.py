"""The units of one pytest process: made anew, or shared by the scenarios of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rovercam_hil.boards.image import ImageMissing
from rovercam_hil.suite.bench import BenchUnit, Options, build
from rovercam_hil.suite.forked import Files
from rovercam_hil.suite.ground import FactMissing


class Bench:
    """Makes units, and keeps those that scenarios share."""

    def __init__(self, options: Options, folder: Path, files: Files | None = None) -> None:
        """files: where a unit that has already booted may be had from."""
        self.options = options
        self.folder = folder
        self._files = files
        self._shared: dict[str, BenchUnit] = {}
        self._made = 0
        self._file = ""

    def fresh(self, wire: str, **arguments: Any) -> BenchUnit:
        self._made += 1
        if not self.options.emulated:
            self.close()  # one port, one owner
        try:
            return build(self.options, self.folder / f"unit{self._made}", wire=wire, **arguments)
        except ImageMissing as error:
            pytest.skip(str(error))

    def shared(self, wire: str, file: str) -> BenchUnit:
        """A started unit in the state a scenario may expect.

        Each file of scenarios has its own: what a scenario records then does not depend on which files went before, or
        on another process. There is one real board only, and it stays.
        """
        if file != self._file and self.options.emulated:
            self.close()
        self._file = file
        unit = self._shared.get(wire)
        if unit is None and self._files is not None:
            unit = self._files.take(wire, self.folder / f"booted-{wire}")
            if unit is not None:
                self._shared[wire] = unit
        if unit is not None and unit.disturbed:
            try:
                unit.mend()
                unit.commandable()
                unit.disturbed = False
            except FactMissing:
                self.drop(wire)
                unit = None
        if unit is None:
            unit = self._shared[wire] = self.fresh(wire)
        return unit

    def drop(self, wire: str) -> None:
        unit = self._shared.pop(wire, None)
        if unit is not None:
            unit.close()

    def close(self) -> None:
        for wire in list(self._shared):
            self.drop(wire)
