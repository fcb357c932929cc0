"""A release read back by programs of others: Pillow, imagecodecs, sha256sum's format; exifread, tifffile, pds4_tools where installed."""

from __future__ import annotations

import hashlib
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rovercam.archive import Archive
from rovercam.cli import run
from rovercam.marstime import ZHURONG
from rovercam.release import png, tiff
from rovercam.release.cameras import MODELS, load
from rovercam.release.errors import ReleaseError
from rovercam.release.metadata import NAMESPACE, into_jpeg
from rovercam.release.publish import Order, publish

from .conftest import TAKEN, mast_picture
from .pds4_rules import problems

CREDIT = "A test bench"
ORDER = Order(
    title="Title <& more>", credit=CREDIT, made=1_700_000_000.0, site=ZHURONG, models=MODELS, mosaics=[(1, 2, 3)],
    introduction="What it is.", words={"4": {"title": "Wheels", "caption": "The “wheels” & <stones>.", "alt": "Wheels."}},
)  # fmt: skip
HAZARD, PANORAMA, MAST = "unit1-0004-sol0018", "unit1-0001-0003-panorama", "unit1-0002-sol0018"


@pytest.fixture(scope="module")
def folder(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    publish(archive, archive.products(kind="picture"), out, ORDER)
    return out


def _xmp(data: bytes) -> ET.Element:
    return ET.fromstring(data[data.index(b"<x:xmpmeta") : data.index(b"</x:xmpmeta>") + 12])


def test_ten_bits_are_kept_in_png_and_tiff(folder: Path, ten_bits: np.ndarray) -> None:
    wide = (ten_bits << 6) | (ten_bits >> 4)
    with Image.open(folder / "pictures" / f"{HAZARD}.png") as picture:
        assert picture.mode == "I;16"
        assert np.array_equal(np.asarray(picture), wide)
    with Image.open(folder / "pictures" / f"{HAZARD}.tif") as picture:
        assert np.array_equal(np.asarray(picture), wide)
        assert picture.tag_v2[33432] == CREDIT
    data = (folder / "pictures" / f"{HAZARD}.png").read_bytes()
    assert data[data.index(b"sBIT") + 4] == 10
    with Image.open(folder / "pictures" / f"{HAZARD}.jpg") as picture:
        assert np.abs(np.asarray(picture).astype(int) - (ten_bits >> 2)).mean() < 4


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_read_by_others(channels: int) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    pixels = np.random.default_rng(2).integers(0, 65536, (17, 23, channels), np.uint16)
    pixels = pixels[:, :, 0] if channels == 1 else pixels
    assert np.array_equal(imagecodecs.png_decode(png.encode(pixels, 16)), pixels)
    data = tiff.encode(pixels, ascii_tags={270: "words"})
    if channels == 1:
        with Image.open(io.BytesIO(data)) as picture:
            assert np.array_equal(np.asarray(picture), pixels)
    else:
        tifffile = pytest.importorskip("tifffile", reason="Pillow reads no 16-bit colour")
        assert np.array_equal(tifffile.imread(io.BytesIO(data)), pixels)


def test_the_cameras_jpeg_is_not_encoded_again(folder: Path, archive: Archive) -> None:
    row = next(p for p in archive.products() if p["number"] == 2)
    original = archive.content(next(la["transfer"] for la in row["layers"] if la["layer"] == 0))
    assert original is not None
    released = (folder / "pictures" / f"{MAST}.jpg").read_bytes()
    scan = original.index(b"\xff\xda")
    assert released.endswith(original[scan:])
    with Image.open(io.BytesIO(original)) as a, Image.open(io.BytesIO(released)) as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))


def test_a_second_release_replaces_the_metadata(folder: Path) -> None:
    released = (folder / "pictures" / f"{MAST}.jpg").read_bytes()
    again = into_jpeg(released, b"MM", b"<x/>")
    assert again.count(b"http://ns.adobe.com/xap/1.0/\0") == 1
    assert CREDIT.encode() not in again
    with pytest.raises(ValueError, match="ff d8"):
        into_jpeg(b"\x89PNG", b"", b"")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_exif_says_when_and_who(folder: Path, suffix: str) -> None:
    with Image.open(folder / "pictures" / f"{MAST}.{suffix}") as picture:
        exif = picture.getexif()
    inner = exif.get_ifd(0x8769)
    assert inner[0x9003] == "2021:06:01 " + exif[0x0132].split()[1]
    assert exif[0x8298] == CREDIT
    assert exif[0x0110] == "Mast camera"
    assert inner[0x9011] == "+00:00"
    assert inner[0xA405] == 42  # 46.5° wide
    assert float(inner[0x9405]) == 0.0
    with Image.open(folder / "pictures" / f"{HAZARD}.{suffix}") as picture:
        inner = picture.getexif().get_ifd(0x8769)
    assert inner[0x9286] == b"ASCII\0\0\0exposure 321 lines, gain 7"


def test_exif_by_another_reader(folder: Path) -> None:
    exifread = pytest.importorskip("exifread")
    with (folder / "pictures" / f"{HAZARD}.jpg").open("rb") as file:
        tags = exifread.process_file(file)
    assert str(tags["Image Copyright"]) == CREDIT
    assert str(tags["EXIF DateTimeOriginal"]).startswith("2021:06:01 ")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_xmp_says_where_on_mars(folder: Path, suffix: str) -> None:
    root = _xmp((folder / "pictures" / f"{MAST}.{suffix}").read_bytes())
    moment = ZHURONG.moment(TAKEN + 10)

    def own(name: str) -> str:
        found = root.find(f".//{{{NAMESPACE}}}{name}")
        assert found is not None, name
        return found.text or ""

    assert own("sol") == "18"
    assert own("localMeanSolarTime").startswith("13:12")
    assert float(own("sunElevation")) == pytest.approx(moment.sun_elevation, abs=0.01)
    assert float(own("panRight")) == 0.0
    rights = root.find(".//{http://purl.org/dc/elements/1.1/}rights//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li")
    assert rights is not None
    assert rights.text == CREDIT


def test_pan_follows_the_mast(folder: Path) -> None:
    found = [_xmp((folder / "pictures" / f"unit1-{n:04d}-sol0018.jpg").read_bytes()) for n in (1, 2, 3)]
    assert [float(r.findtext(f".//{{{NAMESPACE}}}panRight") or "nan") for r in found] == [40.0, 0.0, -40.0]


def test_labels_keep_the_models_rules_and_describe_the_arrays(folder: Path, ten_bits: np.ndarray) -> None:
    labels = sorted((folder / "pds4").glob("*.xml"))
    assert len(labels) == 5
    for label in labels:
        assert problems(label) == []
    text = (folder / "pds4" / f"{HAZARD}.xml").read_text()
    assert "<data_type>UnsignedMSB2</data_type>" in text
    assert "<local_mean_solar_time>Sol-00018M13:12" in text
    data = (folder / "pds4" / f"{HAZARD}.img").read_bytes()
    assert np.array_equal(np.frombuffer(data[: ten_bits.size * 2], ">u2").reshape(ten_bits.shape), ten_bits)
    assert set(data[ten_bits.size * 2 :]) == {4}


def test_the_rules_find_mistakes(folder: Path, tmp_path: Path) -> None:
    """Rules that accept everything would prove nothing."""
    text = (folder / "pds4" / f"{HAZARD}.xml").read_text()
    (tmp_path / f"{HAZARD}.img").write_bytes((folder / "pds4" / f"{HAZARD}.img").read_bytes())
    for old, new in (
        ("<version_id>1.0</version_id>", "<version_id>one</version_id>"),
        ("<axes>2</axes>", "<axes>3</axes>"),
        ("Last Index Fastest", "First Index Fastest"),
        ("<elements>64</elements>", "<elements>65</elements>"),
        ("<name>Mars</name>", ""),
        ("<type>Planet</type>", "<type>Rock</type>"),
    ):
        assert old in text
        (tmp_path / "wrong.xml").write_text(text.replace(old, new, 1))
        assert problems(tmp_path / "wrong.xml"), new


def test_labels_by_pds4_tools(folder: Path, ten_bits: np.ndarray) -> None:
    pds4_tools = pytest.importorskip("pds4_tools")
    found = pds4_tools.read(str(folder / "pds4" / f"{HAZARD}.xml"), quiet=True)
    assert np.array_equal(found["picture"].data, ten_bits)
    found = pds4_tools.read(str(folder / "pds4" / f"{MAST}.xml"), quiet=True)
    with Image.open(folder / "pictures" / f"{MAST}.png") as picture:
        assert np.array_equal(np.moveaxis(np.asarray(found["picture"].data), 0, 2), np.asarray(picture))


def test_the_mosaic_joins_its_pictures(folder: Path) -> None:
    with Image.open(folder / "pictures" / f"{PANORAMA}.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[1] == pytest.approx(160 / 46.5 * (80 + 46.5), abs=3)
    middle = pixels[:, pixels.shape[1] // 2 - 40 : pixels.shape[1] // 2 + 40]
    assert np.corrcoef(middle[middle.shape[0] // 2, :, 0], mast_picture(0.0)[60, 40:120, 0])[0, 1] > 0.8
    record = next(r for r in _provenance(folder) if r["name"] == PANORAMA)
    assert record["products"] == [1, 2, 3]
    assert len(record["mosaic"]["pointing_corrections"]) == 3


def _provenance(folder: Path) -> list:  # type: ignore[type-arg]
    found: list = json.loads((folder / "provenance.json").read_text())["pictures"]  # type: ignore[type-arg]
    return found


def test_provenance_leads_back_to_the_frames(folder: Path, archive: Archive) -> None:
    record = next(r for r in _provenance(folder) if r["products"] == [4])
    layer = next(la for la in record["layers"] if la["name"].endswith(".0"))
    row = next(p for p in archive.products() if p["number"] == 4)
    content = archive.content(next(la["transfer"] for la in row["layers"] if la["layer"] == 0))
    assert layer["sha256"] == hashlib.sha256(content or b"").hexdigest()
    frames = [f for f in archive.frames(TAKEN + 60, TAKEN + 62.5)]
    assert record["frames"]["count"] == len(frames) == 3
    assert record["frames"]["sha256"] == hashlib.sha256(b"".join(f[4] for f in frames)).hexdigest()
    assert record["software"].startswith("rovercam ")


def test_sums_are_those_of_every_file(folder: Path) -> None:
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == sum(1 for p in folder.rglob("*") if p.is_file()) - 1
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.alts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [v for k, v in found.items() if k in ("href", "src") and v and not v.startswith("data:")]
        if tag == "img":
            self.alts.append(found.get("alt") or "")


def test_the_page_leads_to_files_that_are_there(folder: Path) -> None:
    text = (folder / "index.html").read_text()
    page = _Links()
    page.feed(text)
    assert len(page.links) > 5 * 6
    assert [link for link in page.links if not link.startswith("#") and not (folder / link).is_file()] == []
    assert all(page.alts)
    jumps = [link[1:] for link in page.links if link.startswith("#")]
    assert jumps == re.findall(r' id="([^"]+)"', text), "the strip of all pictures leads to each, in their order"
    (small,) = re.findall(r'alt="([^"]+)"[^>]* class="small" style="max-width:256px"', text)
    assert small == "Wheels.", "64 pixels wide: not blown up to the column's width"
    assert "Title &lt;&amp; more&gt;" in text
    assert "The “wheels” &amp; &lt;stones&gt;." in text
    assert re.search(r"https?://", text) is None


def test_the_same_release_twice_is_the_same(folder: Path, archive: Archive, tmp_path: Path) -> None:
    publish(archive, archive.products(kind="picture"), tmp_path, ORDER)
    assert (tmp_path / "SHA256SUMS").read_text() == (folder / "SHA256SUMS").read_text()


def test_what_cannot_be_released_is_said(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="no picture was chosen"):
        publish(archive, [], tmp_path, ORDER)
    rows = [p for p in archive.products() if p["number"] == 4]
    with pytest.raises(ReleaseError, match=r"\[1, 2, 3\]"):
        publish(archive, rows, tmp_path, ORDER)
    (tmp_path / "wrong.json").write_text('{"mast": {"lens": 3}}')
    with pytest.raises(ReleaseError, match="expected"):
        load(tmp_path / "wrong.json")


def test_the_command(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("ROVERCAM_HOME", str(archive.path.parent))
    assert run(["release", str(tmp_path / "o"), "4", "--mosaic", "1-3", "--json", "--credit", CREDIT]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [p["products"] for p in found["pictures"]] == [[1, 2, 3], [4]]
    assert Path(found["page"]).is_file()
    assert run(["release", str(tmp_path / "o"), "9"]) == 1
    assert "no complete picture 9" in capsys.readouterr().err
    assert run(["release", str(tmp_path / "o"), "nine"]) == 2
    assert run(["release", str(tmp_path / "o"), "--collection", "Mine"]) == 2
