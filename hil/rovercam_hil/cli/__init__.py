"""Commands that the bench adds to `rovercam` (entry point group "rovercam.commands")."""

from __future__ import annotations

import typer

from rovercam_hil.cli import bench, bench_firmware, demo, emulate, flash, hil, line, orbit

MODULES = (demo, emulate, line, orbit, flash, hil, bench, bench_firmware)


def register(app: typer.Typer) -> None:
    """Add all commands of the bench to ``app``."""
    for module in MODULES:
        module.register(app)
