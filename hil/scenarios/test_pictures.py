"""Pictures in colour, binned, with a region of interest, layer after layer, in series; light and corrections; what goes wrong."""

from itertools import pairwise

import numpy as np
import pytest
from rovercam.station import updates
from rovercam.station.pictures import render
from rovercam_hil.devices import sensor

pytestmark = pytest.mark.cost(80)

S = {"size": "size_96x96"}
SMALL = {**S, "binning": 4}  # of pictures that only have to be taken


def planes(unit):
    """Y, U, V of the scene: the model's own arithmetic, checked against public drivers in tests/hil."""
    return sensor.to_yuv(unit.view.picture(0, 96, 96), sensor.Settings())


def psnr(a, b):
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def binned(y, n):
    """n × n means, halves up."""
    height, width = y.shape
    return ((y.reshape(height // n, n, width // n, n).astype(int).sum((1, 3)) + n * n // 2) // (n * n)).astype(np.uint8)


def test_colour_comes_as_planes(unit, ground, scene, evidence):
    picture = ground.shoot(**S, format="color", codec="rate", rate=3.0, x=16, y=24, width=64, height=48)
    evidence.picture("3 bits per pixel", picture.pixels)
    assert picture.pixels.shape == (48, 64, 3)
    # the same scene as the camera's own coder has it
    jpeg = ground.shoot(**S, format="jpeg").pixels[24:72, 16:80]
    assert psnr(picture.pixels, jpeg) > 30
    evidence.value("PSNR against the camera's JPEG", psnr(picture.pixels, jpeg), "dB")


def test_lossless_colour_keeps_luminance_exactly(unit, ground, scene):
    picture = ground.shoot(**S, format="color", codec="lossless", width=32, height=32)
    assert picture.confidence.min() == 4
    red, green, blue = np.moveaxis(picture.pixels.astype(float), -1, 0)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    inside = (picture.pixels.min(2) > 0) & (picture.pixels.max(2) < 255)  # where no colour was clipped
    assert np.abs(y - planes(unit)[0][:32, :32])[inside].max() < 1.5


@pytest.mark.parametrize("n", [2, 4])
def test_binning_is_the_mean(unit, ground, scene, n):
    picture = ground.shoot(**S, codec="raw", binning=n)
    np.testing.assert_array_equal(picture.pixels, binned(planes(unit)[0], n))
    assert picture.fields["binning"] == n


def test_a_region_of_interest_comes_finer(unit, ground, scene):
    box = np.s_[24:56, 32:72]
    region = {"roi_x": 32, "roi_y": 24, "roi_width": 40, "roi_height": 32}
    y = planes(unit)[0]
    plain = ground.shoot(**S, codec="rate", rate=1.0)
    finer = ground.shoot(**S, codec="rate", rate=1.0, roi_gain=64, **region)
    assert psnr(finer.pixels[box], y[box]) > psnr(plain.pixels[box], y[box]) + 1
    assert finer.fields["layers"] == 3
    assert "bad_region" in ground.refused("capture", **S, codec="rate", **{**region, "roi_width": 80})


def test_layer_after_layer_and_nothing_twice(unit, ground, scene):
    since = ground.mark()
    ground.do("capture", **S, codec="lossless", rate=2.0, last_layer=1)
    number = ground.event("picture_taken", since).values["product"]

    def whole(count):
        def fact():
            done = [
                t.name
                for t in ground.found(updates.TransferChanged, since, status="finished", direction="down")
                if t.name.startswith(f"/p/{number:04d}.")
            ]
            return len(done) >= count and done

        return ground.wait(f"{count} files", fact, 60)

    first = whole(3)
    row = ground.archive.find_product(unit.number, number)["id"]
    assert not render(ground.archive, row).complete
    ground.do("downlink_product", product=number, first_layer=2)
    every = whole(5)
    assert sorted(first) == [f"/p/{number:04d}.{k}" for k in "01m"]
    assert sorted(every) == [f"/p/{number:04d}.{k}" for k in "0123m"]
    picture = render(ground.archive, row)
    assert picture.complete
    np.testing.assert_array_equal(picture.pixels, planes(unit)[0])


def test_a_jpeg_has_a_thumbnail_before_it(unit, ground, scene):
    since = ground.mark()
    ground.do("capture", **S, format="jpeg", last_layer=0)
    number = ground.event("picture_taken", since).values["product"]
    for end in "m0":
        ground.expect(updates.TransferChanged, since, 30, status="finished", name=f"/p/{number:04d}.{end}")
    small = render(ground.archive, ground.archive.find_product(unit.number, number)["id"])
    assert small.confidence.max() == 1
    y = planes(unit)[0]
    # means of blocks in 32 steps, smoothed when shown: the picture is recognised, not measured
    assert np.corrcoef(binned(small.pixels, 8).ravel(), binned(y, 8).ravel())[0, 1] > 0.9


def test_metering_brings_the_percentile_to_its_target(unit, ground, scene, evidence):
    scene.show(np.tile(np.linspace(20, 90, 96).astype(np.uint8), (96, 1)))
    ground.do("set_parameter", parameter=104, value=150)
    found = {}
    for light in (0.3, 1.0, 3.0):
        scene.brightness = light
        picture = ground.shoot(**S, codec="raw", metering="histogram", height=16)  # every row is the same
        found[light] = picture.fields["exposure"]
        assert abs(float(np.median(picture.pixels)) - 150) < 150 / 6
    evidence.value("exposures", str(found))
    assert found[0.3] > found[1.0] > found[3.0]
    scene.brightness = 0.001
    dark = ground.shoot(**S, codec="raw", metering="histogram", height=16)
    assert (dark.fields["exposure"], dark.fields["gain"]) == (2000, 64)  # exposure_longest, gain_highest


def test_a_bracket_is_a_stop_apart(unit, ground, scene):
    since = ground.mark()
    ground.do(
        "capture_series",
        **SMALL,
        kind="bracket",
        count=3,
        step=10,
        exposure=400,
        gain=16,
        codec="raw",
        downlink=False,
    )
    frames = [e.values for e in ground.found(updates.EventReceived, since, name="frame_taken")]
    assert [f["exposure"] for f in frames] == [400, 200, 800]
    assert ground.event("series_ended", since).values == {"taken": 3, "failed": 0}


def test_a_time_lapse_keeps_its_beat_and_ends_by_command(unit, ground, scene):
    since = ground.mark()
    running = ground.queue(
        "capture_series",
        **SMALL,
        kind="time_lapse",
        count=20,
        interval=6,
        exposure=500,
        gain=16,
        codec="raw",
        downlink=False,
    )
    third = lambda: len(f := ground.found(updates.EventReceived, since, name="frame_taken")) >= 3 and f  # noqa: E731
    frames = ground.wait("three frames", third, 60)
    beats = [b.time - a.time for a, b in pairwise(frames)]
    assert all(abs(beat - 6) < 0.5 for beat in beats[:2])
    ground.do("stop_series")
    assert ground.ended(running, 30).state == "done"
    assert ground.event("series_ended", since).values["taken"] < 20


def test_a_panorama_covers_its_field_with_one_exposure(unit, ground, scene):
    since = ground.mark()
    ground.do(
        "capture_panorama",
        **SMALL,
        left=60,
        right=-60,
        tilt=-10,
        field=50,
        overlap=25,
        codec="raw",
        downlink=False,
        timeout=120,
    )
    frames = [e.values for e in ground.found(updates.EventReceived, since, name="frame_taken")]
    pans = [f["pan"] for f in frames]
    assert pans[0] == 35
    assert pans[-1] == -35
    assert max(a - b for a, b in pairwise(pans)) <= 50 * 0.75
    assert {f["tilt"] for f in frames} == {-10}
    assert len({(f["exposure"], f["gain"]) for f in frames}) == 1
    assert "out_of_range" in ground.refused("capture_panorama", **S, left=-60, right=60)
