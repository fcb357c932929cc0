"""A board of labgrid's, for the time of a run: the place is acquired if nobody has it, and given back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from socket import gethostname
from typing import Any

from rovercam_hil.boards.base import BoardError

SCHEME = "labgrid:"
CLIENT_TIMEOUT_S = 30


@dataclass
class Lease:
    """url, baud: the unit's line. switch: sets its supply; None where labgrid cannot. ``close()`` gives the place back."""

    url: str
    baud: int
    switch: Callable[[bool], None] | None
    close: Callable[[], None]


def lease(board: str) -> Lease:
    """``labgrid:ENVIRONMENT.yaml`` or ``labgrid:ENVIRONMENT.yaml#TARGET`` (else the target ``main``).

    Raises BoardError: labgrid is not installed, no coordinator, unknown target, a place that somebody else has.
    """
    path, _, name = board.removeprefix(SCHEME).partition("#")
    name = name or "main"
    if not Path(path).is_file():
        raise BoardError(
            f"{path}: no such labgrid environment (expected {SCHEME}FILE.yaml or {SCHEME}FILE.yaml#TARGET)"
        )
    try:
        from labgrid import Environment
    except ImportError:
        raise BoardError("labgrid is not installed here: pip install 'rovercam[lab]'") from None
    try:
        environment = Environment(path)
        targets = environment.config.get_targets()
    except Exception as error:
        raise BoardError(f"{path}: {error}") from None
    if name not in targets:
        raise BoardError(f"{path} has no target {name!r}; it has {', '.join(targets) or 'none'}")
    coordinator = environment.config.get_option("coordinator_address", os.environ.get("LG_COORDINATOR", ""))
    place = _place(targets[name])
    acquired = place != "" and _acquire(place, coordinator)

    def close() -> None:
        environment.cleanup()
        if acquired:
            _client(coordinator, "-p", place, "release")

    try:
        from rovercam_hil.lab.driver import RoverCameraDriver

        driver: Any = environment.get_target(name).get_driver(RoverCameraDriver)
        switch = driver.switch if driver.power is not None else None
        return Lease(driver.url, driver.baud, switch, close)
    except Exception as error:
        close()
        raise BoardError(f"labgrid's target {name!r} in {path} cannot be used: {error}") from None


def _place(target: Any) -> str:
    """Name of the target's RemotePlace; empty when it has none."""
    resources = target.get("resources", {})
    for entry in resources if isinstance(resources, list) else [{k: v} for k, v in resources.items()]:
        if "RemotePlace" in entry:
            return str(entry["RemotePlace"].get("name", ""))
    return ""


def _acquire(place: str, coordinator: str) -> bool:
    """True when this call acquired the place, False when this user had it already. Raises BoardError."""
    shown = _client(coordinator, "-p", place, "show")
    if shown.returncode:
        raise BoardError(f"labgrid place {place!r}: {_words(shown)}")
    lines = [line.strip() for line in shown.stdout.splitlines()]
    holder = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("acquired:")), "None")
    # The names under which labgrid's client acquires.
    me = f"{os.environ.get('LG_HOSTNAME', gethostname())}/{os.environ.get('LG_USERNAME') or getuser()}"
    if holder == me:
        return False
    if holder != "None":
        raise BoardError(f"labgrid place {place!r} is in use by {holder}")
    done = _client(coordinator, "-p", place, "acquire")
    if done.returncode:
        raise BoardError(f"labgrid place {place!r} cannot be acquired: {_words(done)}")
    return True


def _client(coordinator: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labgrid.remote.client", *(("-x", coordinator) if coordinator else ()), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=CLIENT_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise BoardError(f"labgrid's coordinator at {coordinator or 'its default address'} does not answer") from None


def _words(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
