"""The view from orbit under the traverse: what is taken as one, and where on it a unit is drawn."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

pytest.importorskip("nicegui", reason="the console needs rovercam[web]")
from rovercam.station.core import StationError
from rovercam.web.console.traverse import HEIGHT, WIDTH, traverse
from rovercam.web.sitemap import LARGEST, SiteMap, load


def picture(file: Path, size: tuple[int, int] = (40, 30), mode: str = "L") -> Path:
    Image.new(mode, size).save(file)
    return file


def test_scale_and_site_as_given(tmp_path: Path) -> None:
    found = load(picture(tmp_path / "a.jpg"), 0.5, (10.0, 20.0))
    assert (found.width, found.height, found.media_type) == (40, 30, "image/jpeg")
    assert found.edges == (-5.0, -5.0, 15.0, 10.0)
    assert found.data == (tmp_path / "a.jpg").read_bytes()


@pytest.mark.parametrize("name", ["a.pgw", "a.wld", "a.pngw"])
def test_a_world_file_says_it(tmp_path: Path, name: str) -> None:
    """Its metres are those of the upper left pixel's middle: 3 m west and 4 m north of the site, pixels of 0.25 m."""
    (tmp_path / name).write_text("0.25\n0\n0\n-0.25\n-3\n4\n")
    found = load(picture(tmp_path / "a.png"))
    assert (found.scale, found.site) == (0.25, (12.5, 16.5))
    assert found.edges[0] == -3.125
    assert found.edges[3] == 4.125
    assert load(tmp_path / "a.png", None, (1.0, 2.0)).site == (1.0, 2.0), "what is given goes before"


def test_a_large_picture_is_made_smaller_and_stays_in_place(tmp_path: Path) -> None:
    found = load(picture(tmp_path / "a.tif", (2 * LARGEST, 100), "I;16"), 0.25, (800.0, 40.0))
    assert (found.width, found.height, found.media_type) == (LARGEST, 50, "image/png")
    assert found.scale == 0.5
    assert found.edges == (-200.0, -15.0, 2 * LARGEST * 0.25 - 200.0, 10.0)
    assert Image.open(io.BytesIO(found.data)).size == (LARGEST, 50)


@pytest.mark.parametrize(
    ("world", "says"),
    [
        (None, "--map-scale and --map-site, or a.pgw"),
        ("1 2 3", "six numbers"),
        ("0.25 0.1 0 -0.25 0 0", "north has to be up"),
        ("0.25 0 0 -0.3 0 0", "pixels square"),
        ("0.25 0 0 0.25 0 0", "north has to be up"),
        ("1e9 0 0 -1e9 0 0", "0.0001 to 10000"),
        ("nan 0 0 nan 0 0", "north has to be up"),
        ("0.25 0 0 -0.25 0 0", "no picture"),
    ],
)
def test_what_is_no_map_is_refused_with_the_reason(tmp_path: Path, world: str | None, says: str) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    if world is not None:
        (tmp_path / "a.pgw").write_text(world)
    with pytest.raises(StationError, match=re.escape(says)):
        load(tmp_path / "a.png")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StationError, match=r"nowhere\.png"):
        load(tmp_path / "nowhere.png", 1.0, (0.0, 0.0))


GROUND = SiteMap(data=b"", media_type="image/png", width=100, height=50, scale=2.0, site=(30.0, 40.0))


def drawn(svg: str) -> tuple[dict[str, float], tuple[float, float]]:
    """The picture's rectangle, and the newest point."""
    (image,) = re.findall(r"<image [^>]*>", svg)
    box = {n: float(v) for n, v in re.findall(r' (x|y|width|height)="(-?[\d.]+)"', image)}
    (x, y) = re.findall(r"translate\((-?[\d.]+) (-?[\d.]+)\)", svg)[0]
    return box, (float(x), float(y))


@pytest.mark.parametrize("whole", [False, True])
def test_the_unit_stands_where_it_is_on_the_picture(whole: bool) -> None:
    """60 m east and 20 m north of pixel (30, 40) at 2 m per pixel: pixel (60, 30)."""
    box, (x, y) = drawn(traverse([0.0, 30.0, 60.0], [0.0, 5.0, 20.0], 90.0, GROUND, whole))
    assert (x - box["x"]) / box["width"] * 100 == pytest.approx(60, abs=0.1)
    assert (y - box["y"]) / box["height"] * 50 == pytest.approx(30, abs=0.1)
    assert 0 < x < WIDTH
    assert 0 < y < HEIGHT
    if whole:
        assert box["x"] >= -0.1
        assert box["y"] >= -0.1
        assert box["height"] == pytest.approx(HEIGHT, abs=0.1)
    else:
        assert box["width"] > WIDTH, "the way fills the drawing"


def test_a_unit_that_never_said_where_it_is() -> None:
    assert "has not said where it is" in traverse([], [], None)
    assert "no position yet" in traverse([], [], None, GROUND)


def test_the_map_by_http(ground: Any) -> None:
    with httpx.Client(base_url=ground.address, timeout=30) as client:
        told = client.get("/api/map").json()
        assert (told["metres_per_pixel"], told["site"], told["width"], told["height"]) == (
            0.1,
            [100.0, 150.0],
            300,
            200,
        )
        assert Image.open(io.BytesIO(client.get(told["picture"]).content)).size == (300, 200)
