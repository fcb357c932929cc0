"""Pictures: what the camera saw is what arrives, in every format, codec and size."""

import io

import numpy as np
import pytest
from PIL import Image
from rovercam_hil.devices import sensor

pytestmark = pytest.mark.cost(40)


def luma(unit, size=None):
    """What the scene is in Y: the model's own arithmetic, checked against public drivers in tests/hil."""
    picture = unit.view.picture(0, 0, 0)
    if size is not None:
        from rovercam_hil.devices.scene import fit

        picture = fit(picture, *size)
    return sensor.to_yuv(picture, sensor.Settings())[0]


def psnr(a, b):
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.wires("uart", "usb")
def test_raw_grey_is_exact(unit, ground, scene, evidence):
    picture = ground.shoot(size="size_96x96", codec="raw")
    evidence.picture("raw", picture.pixels)
    np.testing.assert_array_equal(picture.pixels, luma(unit))
    assert picture.confidence.min() == 4


def test_lossless_is_exact(unit, ground, scene, evidence):
    """A part of the frame; the whole of one, layer after layer, is in test_pictures.py."""
    picture = ground.shoot(size="size_96x96", codec="lossless", x=16, y=40, width=64, height=48)
    evidence.picture("lossless", picture.pixels)
    np.testing.assert_array_equal(picture.pixels, luma(unit)[40:88, 16:80])


def test_a_bit_budget_is_kept_and_well_spent(unit, ground, scene, evidence):
    picture = ground.shoot(size="size_96x96", codec="rate", rate=2.0)
    evidence.picture("2 bits per pixel", picture.pixels)
    quality = psnr(picture.pixels, luma(unit))
    evidence.value("PSNR at 2 bits per pixel", quality, "dB")
    assert quality > 28
    # Slots are whole; the thumbnail layer comes beside the budget.
    assert picture.fields["size"] <= 96 * 96 * 2 / 8 + 1200


def test_jpeg_is_the_cameras_own(unit, ground, scene, evidence):
    picture = ground.shoot(size="size_96x96", format="jpeg")
    evidence.picture("JPEG", picture.pixels)
    encoded = Image.open(io.BytesIO(sensor.jpeg(scene.picture(0, 96, 96), sensor.Settings().quality)))
    assert psnr(picture.pixels, np.asarray(encoded)) > 60  # 0.1 dB would be lost in rounding: these are the same bytes


def test_a_region_is_cut_out_exactly(unit, ground, scene):
    picture = ground.shoot(size="size_96x96", codec="raw", x=16, y=24, width=40, height=32)
    np.testing.assert_array_equal(picture.pixels, luma(unit)[24:56, 16:56])


@pytest.mark.parametrize("camera", ["mast_right", "hazard"])
def test_the_other_cameras_see_too(unit, ground, scene, camera):
    picture = ground.shoot(camera=camera, size="size_96x96", codec="raw", width=32, height=16)
    assert picture.fields["camera"] == camera
    np.testing.assert_array_equal(picture.pixels, luma(unit)[:16, :32])


@pytest.mark.parametrize("size", ["qqvga", "size_128x128"])
def test_other_sizes(unit, ground, scene, size):
    shape = {"qqvga": (160, 120), "size_128x128": (128, 128)}[size]
    if size == "qqvga":
        # The Arducam Mega has no 160 × 120: the unit must say so, not send something else.
        assert "camera_failed" in ground.refused("capture", size=size)
        return
    picture = ground.shoot(size=size, codec="raw")
    np.testing.assert_array_equal(picture.pixels, luma(unit, shape))


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["raw", "lossless", "rate"])
@pytest.mark.parametrize(("size", "shape"), [("qvga", (320, 240)), ("size_320x320", (320, 320)), ("vga", (640, 480))])
def test_large_sizes(unit, ground, scene, size, shape, codec, evidence):
    picture = ground.shoot(size=size, codec=codec, timeout=600)
    wanted = luma(unit, shape)
    evidence.value("PSNR", psnr(picture.pixels, wanted), "dB")
    if codec == "rate":
        assert psnr(picture.pixels, wanted) > 28
    else:
        np.testing.assert_array_equal(picture.pixels, wanted)
