"""Commands that the bench adds to `rovercam` (entry point group "rovercam.commands")."""

from __future__ import annotations

import typer

from rovercam_hil.cli import bench, bench_firmware, bench_image, demo, emulate, flash, hil, image, line, orbit, relay

MODULES = (demo, emulate, line, relay, orbit, flash, hil, image, bench, bench_firmware, bench_image)


def register(app: typer.Typer) -> None:
    """Add all commands of the bench to ``app``."""
    for module in MODULES:
        module.register(app)
