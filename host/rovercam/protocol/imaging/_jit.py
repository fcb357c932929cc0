"""numba where it is installed (extra [image]); else the same functions run as plain Python, slowly but alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from numba import njit

    COMPILED = True

    def jit(function: Callable[..., Any]) -> Callable[..., Any]:
        return njit(cache=True)(function)  # type: ignore[no-any-return]

except ImportError:  # pragma: no cover - depends on the installation
    COMPILED = False

    def jit(function: Callable[..., Any]) -> Callable[..., Any]:
        return function
