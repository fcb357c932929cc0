"""`rovercam image encode | decode | info` and `rovercam bench image`: as a person uses them, and what goes wrong."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rovercam.cli import run
from rovercam.protocol.imaging import c122
from rovercam_hil.bench import image_peers
from rovercam_hil.boards.image import ImageMissing
from rovercam_hil.image_encoder import BoardEncoder, ImageEncoder


@pytest.fixture(scope="module")
def landscape() -> np.ndarray:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:72, 0:104]
    ground = 120 - y / 2 + 30 * np.sin(x / 9.0) * (y > 30) + rng.normal(0, 3, (72, 104))
    return np.clip(ground, 0, 255).astype(np.uint8)


@pytest.fixture
def picture(tmp_path: Path, landscape: np.ndarray, micropython: str) -> Path:
    Image.fromarray(landscape).save(tmp_path / "in.png")
    return tmp_path / "in.png"


def test_layers_there_and_back(picture: Path, landscape: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    out, back = picture.with_name("out"), picture.with_name("back.png")
    assert run(["image", "encode", str(picture), str(out), "--lossless"]) == 0
    assert run(["image", "decode", str(out), "--out", str(back), "--confidence", str(back) + ".mask.png"]) == 0
    assert np.array_equal(np.array(Image.open(back)), landscape)
    assert (np.array(Image.open(str(back) + ".mask.png")) == 252).all()
    capsys.readouterr()
    assert run(["image", "info", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["width"], found["height"], found["complete"]) == (104, 72, True)
    assert found["bytes"] == {n: out.with_name(f"out.{n}").stat().st_size for n in "0123"}
    # a later picture of the same name leaves no layer of the earlier one
    assert run(["image", "encode", str(picture), str(out), "--bpp", "2"]) == 0
    assert sorted(p.name for p in picture.parent.glob("out.*")) == ["out.0", "out.1"]
    assert 8 * sum(p.stat().st_size for p in picture.parent.glob("out.*")) <= 2.05 * landscape.size + 1600


def test_losses_are_drawn_by_the_seed(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = picture.with_name("out")
    run(["image", "encode", str(picture), str(out), "--quality", "40"])
    seen = []
    for seed in (1, 1, 2):
        target = picture.with_name("lossy.png")
        assert run(["image", "decode", str(out), "--out", str(target), "--lose", "0.4", "--seed", str(seed)]) == 0
        seen.append(np.array(Image.open(target)))
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


def test_streams_there_and_back(picture: Path, landscape: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    out, back = picture.with_name("out.c122"), picture.with_name("back.png")
    arguments = ["image", "encode", str(picture), str(out), "--format", "c122"]
    assert run([*arguments, "--lossless"]) == 0
    assert run(["image", "decode", str(out), "--out", str(back)]) == 0
    assert np.array_equal(np.array(Image.open(back)), landscape)
    assert run([*arguments, "--bpp", "1"]) == 0
    assert out.stat().st_size <= 2 * 512  # 117 blocks are two segments of 64 at most
    capsys.readouterr()
    assert run(["image", "info", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["width"], found["height"], found["segment_limit"], found["lossless"]) == (104, 72, 512, False)


def test_deep_pictures(tmp_path: Path, micropython: str) -> None:
    deep = np.random.default_rng(1).integers(0, 4096, (24, 40)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert run(["image", "encode", str(tmp_path / "deep.png"), str(tmp_path / "d"), "--lossless"]) == 0
    assert run(["image", "decode", str(tmp_path / "d"), "--out", str(tmp_path / "back.png")]) == 0
    assert np.array_equal(np.array(Image.open(tmp_path / "back.png")), deep)
    Image.fromarray(deep * 2).save(tmp_path / "deeper.png")
    assert run(["image", "encode", str(tmp_path / "deeper.png"), str(tmp_path / "d")]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["encode", "none.png", "x"], 1, "none.png"),
        (["encode", "tiny.png", "x"], 1, "4×4 pixels; 8 to 2048"),
        (["encode", "in.png", "x", "--bpp", "0.06"], 1, "the thumbnail alone may need"),
        (["encode", "in.png", "no/folder"], 1, "no/folder"),
        (["encode", "in.png", "x", "--bpp", "99"], 2, "--bpp"),
        (["encode", "in.png", "x", "--format", "gif"], 2, "gif"),
        (["decode", "none", "--out", "y.png"], 1, "no layer files none.0"),
        (["decode", "junk.0", "--out", "y.png"], 1, "no intact slot of 200 bytes"),
        (["decode", "junk.c122", "--out", "y.png"], 1, "only the integer 9/7 is read"),
        (["info", "none"], 1, "no layer files none.0"),
    ],
)
def test_what_goes_wrong_is_said(
    picture: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments, code, said
) -> None:
    monkeypatch.chdir(picture.parent)
    Image.new("L", (4, 4)).save("tiny.png")
    Path("junk.0").write_bytes(bytes(range(256)) * 3)
    Path("junk.c122").write_bytes(b"\x80\x00\x07" + bytes(40))
    assert run(["image", *arguments]) == code
    assert said in capfd.readouterr().err
    assert not Path("y.png").exists()


def test_on_the_emulated_pico_it_is_the_same(landscape: np.ndarray, micropython: str) -> None:
    """What a system without the unix port gets."""
    part = landscape[:24, :64]
    try:
        with BoardEncoder() as board:
            stream = board.stream(part, arena=30000)
            slots = board.slots(part, arena=30000, quality=40, refine=2)
            assert board.seconds > 0.02
    except ImageMissing as error:
        pytest.skip(str(error))
    with ImageEncoder() as encoder:
        assert slots == encoder.slots(part, quality=40, refine=2)
        assert stream == encoder.stream(part)
    assert np.array_equal(c122.decode(stream)[0], part)


def test_calibrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((48, 64), 7, np.uint8)).save("dark.png")
    Image.fromarray(np.full((48, 64), 120, np.uint8)).save("flat.png")
    assert run(["image", "calibrate", "c.cal", "--dark", "dark.png", "--flat", "flat.png"]) == 0
    assert "64×48" in capsys.readouterr().out
    assert Path("c.cal").read_bytes()[:8] == b"RK\x01\x00\x40\x00\x30\x07"
    assert run(["image", "calibrate", "c.cal", "--dark", "dark.png", "--flat", "dark.png"]) == 1
    assert "20 to 235 are expected" in capsys.readouterr().err


def test_bench_has_every_table(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = picture.parent
    figures, plot = folder / "figures.json", folder / "plot.svg"
    assert run(["bench", "image", str(folder), "--json", str(figures), "--plot", str(plot)]) == 0
    text = capsys.readouterr().out
    for head in ("0.25\t0.5\t1\t2", "0%\t1%\t5%\t20%", "seconds to decode", "Mpixel per processor second", "SSIM"):
        assert head in text
    found = json.loads(figures.read_text())
    assert found["pictures"] == ["in"]
    ours = found["psnr_by_bpp"]["rovercam"]
    assert ours["0.5"][0] < ours["1.0"][0] < ours["2.0"][0]
    assert found["lossless_bpp"]["rovercam"][0] < 8
    names = {e.text for e in ET.parse(plot).getroot().iter("{http://www.w3.org/2000/svg}text")}
    assert "rovercam" in names
    if image_peers.lossy():
        assert {"JPEG", "JPEG 2000"} <= set(found["psnr_by_bpp"]) & names
        # a file that loses a packet shows less than slots that do
        assert found["psnr_by_loss"]["JPEG"]["0.2"][0] < found["psnr_by_loss"]["rovercam"]["0.2"][0]


def test_bench_without_pictures_is_bad_usage(tmp_path: Path) -> None:
    assert run(["bench", "image", str(tmp_path)]) == 2
    assert run(["bench", "image", str(tmp_path / "none")]) == 2
