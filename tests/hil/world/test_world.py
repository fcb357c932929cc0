"""The emulated Mars: the ground's laws, light, cameras, motion and weather. Pictures are small to be quick."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from rovercam.marstime import ZHURONG

pytest.importorskip("embreex")

from rovercam_hil.world import framing, platform_body, rocks, rover_body
from rovercam_hil.world.dynamics import GRAVITY, TOP_SPEED, Rover, drive_to, on_deck, turn_to
from rovercam_hil.world.environment import Power, weather
from rovercam_hil.world.light import make_light
from rovercam_hil.world.optics import HAZARD, MAST, Lens, Sensor
from rovercam_hil.world.terrain import Terrain
from rovercam_hil.world.world import HazardCamera, MastCamera, Pose, RemoteCamera, World

SMALL = (160, 120)
AFTERNOON = ZHURONG.time_of(18, 14.5)


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=3)


def test_the_same_seed_gives_the_same_ground_and_another_seed_another() -> None:
    x, y = np.meshgrid(np.linspace(-300, 300, 40), np.linspace(-300, 300, 40))
    a, b, c = (Terrain(seed).height(x, y) for seed in (5, 5, 6))
    assert (a == b).all()
    assert not np.allclose(a, c)
    assert Terrain(5).at(0.0, 0.0) == pytest.approx(0.0, abs=1e-9)


def test_rocks_follow_golombek_and_rapp() -> None:
    """Cumulative covered area of the placed stones against F(D) = k exp(-q D), over many tiles."""
    stones = np.concatenate([rocks._tile(9, 2, i, j) for i in range(60, 100) for j in range(60, 100)])
    area = (40 * 32.0) ** 2
    lo, hi = rocks.CLASSES[2][:2]
    assert lo == 0.08  # the class tested; its tiles are 8 m
    area = (40 * rocks.CLASSES[2][2]) ** 2
    k = rocks.ABUNDANCE
    for d in (lo, 0.12, 0.16):
        placed = (math.pi / 4 * stones[stones[:, 2] >= d, 2] ** 2).sum() / area
        law = k * (math.exp(-(1.79 + 0.152 / k) * d) - math.exp(-(1.79 + 0.152 / k) * hi))
        assert placed == pytest.approx(law, rel=0.12)


def test_light_by_the_suns_height_and_the_dust() -> None:
    noon, low, dusty, night = (make_light(240, e, t) for e, t in ((70, 0.4), (8, 0.4), (70, 2.0), (-20, 0.4)))
    assert noon.direct[1] > low.direct[1] > 0
    assert dusty.direct[1] < 0.25 * noon.direct[1]
    assert dusty.diffuse[1] > noon.diffuse[1]
    assert not night.day
    assert night.diffuse.max() < 1e-4
    # Tan away from the Sun, bluish around a low Sun.
    away = low.sky(np.array([[0.6, -0.3, 0.742]]))[0]
    around = low.sky(low.sun[None, :] + [[0, 0, 0.05]])[0]
    assert away[0] / away[2] > 1.5
    assert around[0] / around[2] < 1.1


@pytest.mark.parametrize("lens", [MAST, HAZARD, Lens(field=80, k1=-0.1)])
def test_a_lens_projects_where_its_rays_come_from(lens: Lens) -> None:
    d = lens.directions(64, 48)
    pixels, front = lens.project(d.reshape(-1, 3) * 7.0, 64, 48)
    cols, rows = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    assert front.all()
    assert np.abs(pixels - np.column_stack([cols.ravel(), rows.ravel()])).max() < 1e-3
    edge = lens.project(
        np.array([[math.cos(math.radians(lens.field / 2)), math.sin(math.radians(lens.field / 2)), 0]]), 64, 48
    )
    assert edge[0][0, 0] == pytest.approx(0.0, abs=1e-6)


def test_the_hazard_cameras_horizon_bends_and_a_plain_lens_keeps_it_straight() -> None:
    horizon = [np.array([math.cos(a), math.sin(a), 0.0]) for a in (-0.9, 0.0, 0.9)]
    down = math.radians(20)
    turned = [np.array([h[0] * math.cos(down), h[1], h[0] * math.sin(down)]) for h in horizon]
    fish, _ = HAZARD.project(np.array(turned), 640, 480)
    plain, _ = Lens(field=124.0).project(np.array(turned), 640, 480)
    assert fish[0, 1] - fish[1, 1] > 15
    assert abs(plain[0, 1] - plain[1, 1]) < 1e-6


def test_sensor_noise_exposure_and_clipping() -> None:
    sensor, rng = Sensor(), np.random.default_rng(1)
    grey = np.full((60, 80, 3), 0.2)
    exposure, gain = sensor.auto(grey)
    good = sensor.expose(grey, exposure, gain, rng)
    assert good.mean() == pytest.approx(0.6, abs=0.08)
    # Shot noise: a full well of 9000 electrons gives about sqrt(N) / N.
    electrons = 0.66 * sensor.full_well
    assert good[:, :, 1].std() / good[:, :, 1].mean() == pytest.approx(1 / math.sqrt(electrons), rel=0.15)
    assert sensor.expose(grey, exposure * 20, gain, rng).min() > 0.98
    assert sensor.develop(sensor.expose(grey, exposure / 500, gain, rng)).mean() < 20
    dim = sensor.expose(grey, exposure / 16, gain * 16, rng)
    assert dim[:, :, 1].std() > 3 * good[:, :, 1].std()


def test_a_picture_shows_platform_ground_and_sky_and_is_kept_while_nothing_moves(world: World) -> None:
    world.set_rover(world.on_ground(0.0, -8.0, 90.0), rover_body.Joints())
    camera = MastCamera(world, size=SMALL)
    camera.point(0.0, -6.0)
    picture = camera.image(AFTERNOON)
    assert picture.shape == (120, 160, 3)
    assert picture.dtype == np.uint8
    frame = camera.frame(AFTERNOON)
    assert np.isfinite(frame.radiance).all()
    shares = [(frame.kind == k).mean() for k in range(4)]
    assert shares[0] > 0.1
    assert shares[1] > 0.3
    assert (frame.body == frame.names.index("platform")).mean() > 0.05
    # Red is strongest on the ground: it is Mars.
    ground = picture[frame.kind == 1].mean(axis=0)
    assert ground[0] > 1.2 * ground[1] > 1.2 * ground[2]
    assert camera.frame(AFTERNOON + 20) is frame
    camera.point(5.0, -6.0)
    assert camera.frame(AFTERNOON + 20) is not frame
    # Same seed, state and time: the same bytes.
    again = MastCamera(world, size=SMALL)
    camera.point(0.0, -6.0)
    assert (again.image(AFTERNOON) == picture).all()


def test_cameras_serve_the_device_models_scene_protocol(world: World) -> None:
    from rovercam_hil.devices.scene import Scene

    world.set_rover(world.on_ground(0.0, -8.0, 90.0), rover_body.Joints())
    camera = HazardCamera(world)
    assert isinstance(camera, Scene)
    camera.epoch = AFTERNOON
    assert camera.picture(1.0, 96, 64).shape == (64, 96, 3)
    day = camera.light(1.0)
    assert 0.3 < day < 3.0
    camera.epoch = ZHURONG.time_of(18, 19.3)
    assert camera.light(1.0) < 0.1 * day


def test_the_mast_pair_sees_parallax(world: World) -> None:
    world.set_rover(world.on_ground(0.0, -8.0, 90.0), rover_body.Joints(tilt=-6.0))
    left, right = (MastCamera(world, left=side, size=SMALL).frame(AFTERNOON) for side in (True, False))
    column = [np.nonzero(f.body == f.names.index("platform"))[1].mean() for f in (left, right)]
    distance = float(np.median(left.distance[left.body == left.names.index("platform")]))
    expected = rover_body.BASELINE / distance * MAST.focal(SMALL[0])
    assert column[0] - column[1] == pytest.approx(expected, rel=0.25)


def test_night_is_dark(world: World) -> None:
    world.set_rover(world.on_ground(0.0, -8.0, 90.0), rover_body.Joints())
    camera = HazardCamera(world, size=(80, 60))
    assert camera.frame(ZHURONG.time_of(18, 0.5)).radiance.max() < 1e-4


def test_roll_off_over_the_rails_leaves_tracks_on_the_ground_only() -> None:
    world = World(seed=4)
    rover = on_deck(world)
    assert rover.pose.z == pytest.approx(platform_body.DECK, abs=0.05)
    rover.set_sides(1.0, 1.0)
    steepest = 0.0
    while rover.y > -7.0:
        rover.step(2.0)
        steepest = min(steepest, rover.pose.pitch)
        assert rover.time < 400
    assert -30 < steepest < -15
    assert abs(rover.x) < 0.2
    assert abs(rover.pose.z - world.terrain.at(rover.x, rover.y)) < 0.1
    assert not rover.toppled
    deep, _, _, _ = world.tracks.window(rover_body.TRACK / 2, -6.0, 0.1)
    assert deep.max() > 5
    deck, _, _, _ = world.tracks.window(rover_body.TRACK / 2, -2.0, 0.3)
    assert deck.max() == 0


def test_encoders_slip_and_inertial_readings() -> None:
    world = World(seed=4)
    rover = Rover(world, 0.0, -8.0, -90.0)
    rest = np.mean([rover.inertial().accel for _ in range(50)], axis=0)
    assert np.linalg.norm(rest) == pytest.approx(GRAVITY, abs=0.08)
    rover.set_sides(1.0, 1.0)
    rover.step(300.0)
    from rovercam_hil.world.dynamics import COUNT

    by_wheel = rover.pulses_left * COUNT
    moved = math.dist((rover.x, rover.y), (0.0, -8.0))
    assert by_wheel == pytest.approx(TOP_SPEED * 300, rel=0.1)
    assert 0.01 < 1 - moved / by_wheel < 0.12  # slip was mild
    rover.set_sides(-0.5, 0.5)
    rover.step(10.0)
    assert np.mean([rover.inertial().gyro[2] for _ in range(20)]) == pytest.approx(rover.turn_rate, abs=0.2)
    assert rover.turn_rate > 0.5


def test_weather_and_power_through_a_sol() -> None:
    hours = {h: weather(ZHURONG, ZHURONG.time_of(20, h)) for h in (5.5, 9, 14, 20)}
    assert hours[5.5].temperature < -70 < -40 < hours[14].temperature < 0
    assert 780 < hours[9].pressure < 930
    assert hours[9].pressure > hours[14].pressure  # the thermal tide
    power = Power(ZHURONG, charge=0.9)
    power.step(ZHURONG.time_of(20, 4.0))
    assert power.solar == 0
    assert power.current > 0
    power.step(ZHURONG.time_of(20, 11.5))
    assert power.solar > 140
    assert power.may_wake
    assert 18 <= power.voltage <= 25.2
    flat = Power(ZHURONG, tau=4.0, charge=0.5)
    flat.step(ZHURONG.time_of(20, 4.0))
    flat.step(ZHURONG.time_of(20, 12.0))
    assert not flat.may_wake  # a dust storm keeps it asleep


def test_portrait_is_planned_driven_and_frames_both() -> None:
    world = World(seed=11)
    plan = framing.plan(world)
    assert plan.distance == pytest.approx(10.0, abs=0.6)
    rover = Rover(world, 0.0, -5.6, -90.0)
    for leg in plan.approach:
        assert drive_to(rover, leg.x, leg.y)
    assert turn_to(rover, plan.release_heading)
    world.set_remote(framing.released(world, rover.pose))
    for leg in plan.withdraw:
        assert drive_to(rover, leg.x, leg.y, backwards=leg.backwards)
    camera = RemoteCamera(world, size=SMALL)
    camera.fine = False
    for heading in (plan.front_heading, plan.side_heading):
        assert turn_to(rover, heading)
        rover.show()
        found = framing.check(camera.frame(AFTERNOON), border=1)
        assert found.whole, found
    # The check can fail: a camera turned away cuts the rover off.
    assert world.remote is not None
    world.set_remote(replace(world.remote, heading=world.remote.heading + 25.0))
    assert not framing.check(camera.frame(AFTERNOON), border=1).whole


def test_impossible_framing_is_said_before_anything_starts(world: World) -> None:
    with pytest.raises(framing.FramingError, match="at least"):
        framing.plan(world, Lens(field=20.0))


def test_a_camera_without_a_rover_says_so() -> None:
    world = World(seed=3)
    with pytest.raises(ValueError, match="set_rover"):
        MastCamera(world).image(AFTERNOON)
    assert Pose(0, 0, 0).matrix().shape == (4, 4)
