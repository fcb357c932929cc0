"""rovercam's ground station. For notebooks and scripts:

import rovercam

archive = rovercam.open()                 # what was received, for reading
unit = rovercam.connect("/dev/ttyACM0")   # a unit, for commanding
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rovercam.notebook import connect, open

__all__ = ["connect", "open"]


def __getattr__(name: str) -> Any:
    # Loaded when first used: commands start without it.
    if name in __all__:
        from rovercam import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'rovercam' has no attribute {name!r}")
