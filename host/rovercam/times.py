"""Times as people write them: before now, UTC, or sols at Zhurong's site."""

from __future__ import annotations

import re
from datetime import UTC, datetime

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SOL = re.compile(r"^sol\s*(\d{1,5})(?:[T ](\d{1,2}):(\d{2}))?$", re.IGNORECASE)
FORMS = "10m, 2h, 3d (before now), a UTC time like 2026-05-14T10:00, or a sol like sol18 or sol18T13:30"


def parse(text: str, now: float) -> float:
    """POSIX seconds. sol18 is its first moment in local mean solar time. Raises ValueError with the forms allowed."""
    sol = _SOL.match(text.strip())
    if sol:
        from rovercam.marstime import ZHURONG

        return ZHURONG.time_of(int(sol[1]), int(sol[2] or 0) + int(sol[3] or 0) / 60)
    try:
        if text[-1:] in UNITS:
            return now - float(text[:-1]) * UNITS[text[-1]]
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: {FORMS}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
