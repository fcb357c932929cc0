"""Where things are: the firmware's files, and what the ground station keeps on this computer."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def firmware_dir() -> Path:
    """Folder with boot.py, main.py and rover/: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "firmware", package.parents[1] / "firmware"):
        if (folder / "main.py").exists():
            return folder
    raise FileNotFoundError(f"the firmware's files are neither in {package / 'firmware'} nor beside the checkout")


def home() -> Path:
    """The ground station's folder (archive, keys, images, recordings); ROVERCAM_HOME overrides."""
    set_by_user = os.environ.get("ROVERCAM_HOME")
    folder = Path(set_by_user) if set_by_user else Path(platformdirs.user_data_dir("rovercam", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache() -> Path:
    """Downloaded MicroPython images and compiled firmware."""
    folder = Path(platformdirs.user_cache_dir("rovercam", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
