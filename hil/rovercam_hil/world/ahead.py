"""Pictures of the world rendered ahead, by a second process, while the first one has the emulated chips to run.

Who knows where a camera will look next says so (`Ahead.begin`); a camera that then asks for exactly that frame gets it
(`Ahead.take`), any other frame is rendered as always. Whether one was foreseen depends on what was said and asked alone, not
on which process is faster, so that a run repeats bit by bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from rovercam.marstime import Site

from rovercam_hil.process import Ask, Process
from rovercam_hil.world.render import Frame
from rovercam_hil.world.rover_body import Joints
from rovercam_hil.world.tracks import Tiles
from rovercam_hil.world.world import Camera, HazardCamera, MastCamera, Pose, RemoteCamera, World

T = TypeVar("T")
_KINDS = {"mast": MastCamera, "hazard": HazardCamera, "remote": RemoteCamera}


@dataclass(frozen=True)
class Wanted:
    """One frame, as the second process is told of it."""

    kind: str
    left: bool
    size: tuple[int, int]
    fine: bool
    time: float
    rover: Pose | None
    joints: Joints
    remote: Pose | None
    tiles: Tiles | None
    """The wheel tracks, where they have changed."""


class Ahead:
    """For one world, whose cameras ask here first. Close it."""

    def __init__(self, world: World) -> None:
        self._world = world
        arguments = {"seed": world.seed, "site": world.site, "tau": world.tau, "rails_azimuth": world.rails_azimuth}
        self._process = Process(Painter, arguments)
        self._under_way: deque[tuple[Any, ...]] = deque()
        self._done: dict[tuple[Any, ...], Frame] = {}
        self._tracks = world.tracks.version
        self.taken = 0
        """Frames that had been foreseen."""
        world.ahead = self.take

    def begin(self, camera: Camera, time: float, size: tuple[int, int], joints: Joints | None = None) -> None:
        """``camera`` will be asked for a frame of ``size`` at POSIX ``time``, the rover's joints being ``joints`` (as now)."""
        world = self._world
        joints = world.joints if joints is None else joints
        tiles = self._new_tiles()
        kind = next(name for name, cls in _KINDS.items() if isinstance(camera, cls))
        left = getattr(camera, "left", True)
        self._under_way.append(camera.key(time, size, joints))
        wanted = Wanted(kind, left, size, camera.fine, time, world.rover, joints, world.remote, tiles)
        self._process.send("frame", (wanted,))

    def run(self, function: Callable[..., T], *arguments: Any) -> Callable[[], T]:
        """Begin ``function(world, *arguments)`` in the second process, for good: no frame can be begun after it. What is
        returned waits for its value; it raises ProcessFailed."""
        self._collect(None)
        self._process.send("run", (function, self._new_tiles(), arguments))
        return self._process.answer

    def _new_tiles(self) -> Tiles | None:
        if self._world.tracks.version == self._tracks:
            return None
        self._collect(None)  # nothing long goes into a pipe whose other end has something to say
        self._tracks = self._world.tracks.version
        return self._world.tracks.tiles()

    def take(self, key: tuple[Any, ...]) -> Frame | None:
        """The frame of Camera.key ``key`` when it was begun; waits for it. Those begun before it are forgotten."""
        if key not in self._done and key not in self._under_way:
            return None
        self._collect(key)
        self.taken += 1
        found = self._done.pop(key)
        self._done.clear()
        return found

    def _collect(self, key: tuple[Any, ...] | None) -> None:
        """Fetch what is under way, up to ``key``."""
        while self._under_way and key not in self._done:
            self._done[self._under_way.popleft()] = self._process.answer()

    def close(self) -> None:
        self._world.ahead = None
        self._process.close()


class Painter:
    """In the second process: the same world, moved to where it is said to be."""

    def __init__(self, ask: Ask, seed: int, site: Site, tau: float, rails_azimuth: float) -> None:
        self._world = World(seed, site, tau, rails_azimuth)

    def frame(self, wanted: Wanted) -> Frame:
        world = self._world
        self._press(wanted.tiles)
        world.set_rover(wanted.rover, wanted.joints)
        if wanted.remote != world.remote:
            world.set_remote(wanted.remote)
        camera: Camera = _KINDS[wanted.kind](world)
        if isinstance(camera, (MastCamera, HazardCamera)):
            camera.left = wanted.left
        camera.size, camera.fine = wanted.size, wanted.fine
        return camera.frame(wanted.time)

    def run(self, function: Callable[..., Any], tiles: Tiles | None, arguments: tuple[Any, ...]) -> Any:
        self._press(tiles)
        return function(self._world, *arguments)

    def _press(self, tiles: Tiles | None) -> None:
        if tiles is not None:
            self._world.tracks.put(tiles)
