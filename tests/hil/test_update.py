"""Update over the link: good, corrupt, unauthenticated, unbootable, hanging; one unit for all."""

import shutil

import pytest
from rovercam import places
from rovercam_hil.bench.flight import Flight
from rovercam_hil.boards import bundle, filesystem, slots
from rovercam_hil.boards.unit import unit_key

KEY = unit_key(1, 1)
PING = "services/test.py"
WHOLE = bundle.build(bundle.firmware(), KEY)
NEW_PING = "def execute(app, key, args):\n    app.pus.report(17, 2, 0)\n    app.pus.report(17, 2, 0)\n"


def changed(folder, name, text):
    """The firmware with one source replaced."""
    shutil.copytree(places.firmware_dir(), folder)
    (folder / "rover" / name).write_text(text)
    return bundle.firmware(folder)


@pytest.fixture(scope="module")
def flight(micropython_image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("update")
    old = bundle.firmware()
    good = bundle.build(changed(folder / "new", PING, NEW_PING), KEY, running=old)
    assert len(good) < 6000
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    with_raise = changed(folder / "raise", "app.py", "raise RuntimeError('unbootable')\n")
    with_hang = changed(folder / "hang", "app.py", "while True:\n    pass\n")
    extra = {
        "/corrupt": bytes(flipped),
        "/foreign": bundle.build(old, unit_key(1, 2), running=old),
        "/raise": bundle.build(with_raise, KEY, running=old),
        "/hang": bundle.build(with_hang, KEY, running=old),
        "/whole": WHOLE,
    }
    with Flight(folder, image=micropython_image, extra=extra) as running:
        running.good = good
        yield running


def install(flight, path):
    return flight.command("install_update", path=path, timeout=120)


def restarted(flight, timeout=40):
    seen = len(flight.events)
    assert flight.command("restart").state == "done"
    flight.event("started", timeout, since=seen)
    return seen


def slot(flight):
    return filesystem.read_all(flight.unit.board.flash_bytes()).get("/slot", b"a")


@pytest.mark.parametrize(
    ("path", "reason"), [("/corrupt", "unauthenticated"), ("/foreign", "unauthenticated"), ("/none", "unknown_file")]
)
def test_refused_bundle_leaves_everything_as_it_was(flight, path, reason):
    assert install(flight, path).reason.startswith(reason)
    assert slot(flight)[:1] == b"a"
    files = filesystem.read_all(flight.unit.board.flash_bytes())
    assert files["/b.slot"] == files["/a.slot"]


def test_install_needs_two_steps(flight):
    assert flight.command("install_update", arm=False, path="/corrupt").reason == "not_armed"


def test_unbootable_firmware_gives_way_to_the_old_one(flight):
    assert install(flight, "/raise").state == "done"
    assert slot(flight) == b"ab0"
    seen = restarted(flight)
    flight.event("update_rejected", since=seen)
    flight.event("exception_stored", since=seen)
    assert slot(flight) == b"a"
    assert flight.command("ping").state == "done"


@pytest.mark.slow  # the emulated chip works for 8 s until its watchdog bites
def test_hanging_firmware_gives_way_to_the_old_one(flight):
    assert install(flight, "/hang").state == "done"
    flight.event("update_rejected", since=restarted(flight))
    assert flight.command("ping").state == "done"


def test_good_firmware_comes_over_the_link_runs_on_trial_and_stays(flight):
    flight.station.put(1, flight.good, "/u", flight.session.now)
    flight.event("file_received", 60)
    done = install(flight, "/u")
    assert done.state == "done", done
    seen = restarted(flight)
    answers = len(flight.answers)
    assert flight.command("ping").state == "done"
    flight.run(1)
    assert len([a for a in flight.answers[answers:] if a.name == "connection_test"]) == 2
    assert slot(flight) == b"ab1"
    flight.event("update_confirmed", 90, since=seen)
    assert slot(flight) == b"b"
    restarted(flight)
    assert flight.command("ping").state == "done"
    assert slot(flight) == b"b"


@pytest.mark.parametrize("over_the_link", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_whole_firmware_fits_beside_two_slots(flight, over_the_link):
    """Every file in the bundle, none taken from the running slot; into the other slot, with pictures on board.

    Its way over the link takes a minute of processor time: `pytest tests/hil/test_update.py -m "slow or not slow"`."""
    flight.command("capture", camera="pattern", size="qqvga", codec="raw", downlink=False)
    into = b"b" if slot(flight)[:1] == b"a" else b"a"
    if over_the_link:
        seen = len(flight.events)
        flight.station.put(1, WHOLE, "/u", flight.session.now)
        flight.event("file_received", 120, since=seen)
    assert install(flight, "/u" if over_the_link else "/whole").state == "done"
    files = filesystem.read_all(flight.unit.board.flash_bytes())
    assert slots.read(files[f"/{into.decode()}.slot"]) == bundle.firmware()
    assert "/p/0001.m" in files
    seen = restarted(flight)
    flight.event("update_confirmed", 90, since=seen)
    assert slot(flight) == into
