"""What a release needs to know of a camera: its lens, and how the mast turns it.

The numbers are those of the reference unit: the mast camera has Zhurong's NaTeCam field, and the mast's pan servo turns
the head through a 1:2 gear. Another unit's are given in a file, see `load`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from rovercam.release.errors import ReleaseError


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraModel:
    """One camera of the dictionary's enumeration."""

    title: str
    field: float
    """Full horizontal field of view, degrees."""
    distortion: float = 0.0
    """k1 of r = t (1 + k1 t²), t the tangent of the angle off axis."""
    falloff: float = 0.0
    """Share of the natural cos⁴ vignetting."""
    pan_gear: float = 0.0
    """Degrees the head turns to the right per degree of the pan servo (positive to the left); 0: not on the mast."""

    @property
    def focal_35mm(self) -> float:
        """Focal length with the same field on 36 mm film, mm."""
        return 18.0 / math.tan(math.radians(self.field / 2))


MODELS: dict[str, CameraModel] = {
    "mast": CameraModel(title="Mast camera", field=46.5, distortion=-0.06, falloff=0.8, pan_gear=-2.0),
    "mast_right": CameraModel(title="Right mast camera (the one that is released)", field=54.0, distortion=-0.07),
    "hazard": CameraModel(title="Hazard camera", field=124.0),
    "pattern": CameraModel(title="Test pattern", field=46.5),
}


def load(path: Path | None) -> dict[str, CameraModel]:
    """The models above, changed by a JSON file {camera: {field: value, …}}; raises ReleaseError."""
    models = dict(MODELS)
    if path is None:
        return models
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        for name, changes in given.items():
            old = models.get(name)
            known = {s: getattr(old, s) for s in CameraModel.__slots__} if old else {"title": name}
            models[name] = CameraModel(**{**known, **changes})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ReleaseError(f'{path}: expected {{"mast": {{"field": 46.5, …}}, …}}: {error}') from error
    return models
