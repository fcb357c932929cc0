"""Power cuts inside capture, catalogue, parameter, schedule and update writes; all of them: python -m rovercam_hil.bench.powercuts."""

import pytest
from rovercam_hil.bench import powercuts
from rovercam_hil.boards import filesystem


@pytest.fixture(scope="module")
def recording(micropython_image, tmp_path_factory):
    return powercuts.record(tmp_path_factory.mktemp("cuts"), image=micropython_image)


def test_unit_comes_up_from_cuts_at_any_write(recording, tmp_path):
    result = powercuts.campaign(recording, tmp_path, checks=60, boots=5)
    assert result.faults == []
    assert (result.checked, result.booted) == (60, 5)


@pytest.mark.slow  # pytest tests/hil/test_powercuts.py -m slow
def test_unit_comes_up_from_cuts_inside_every_switch_of_the_slot(micropython_image, tmp_path):
    recording = powercuts.record(tmp_path, image=micropython_image, trial=True)
    installed = recording.acknowledged["update"]
    wanted = [p for p in powercuts.points(recording) if p[0] >= installed - 2]
    assert len(wanted) >= 12
    for k, torn, flash in powercuts.images(recording, wanted):
        folder = tmp_path / f"{k}{torn}"
        folder.mkdir()
        assert powercuts.check(recording, k, flash) == []
        assert powercuts.boot(recording, k, flash, folder, answer=True) == []


def test_a_journal_goes_on_where_it_was_cut_and_only_for_its_own_recording(tmp_path):
    path = tmp_path / "boots"
    recording = powercuts.Recording(b"flash", [], {}, {}, {})
    journal = powercuts.Journal(recording, path)
    journal.add(3, False, [])
    journal.add(3, True, ["does not come up"])
    path.write_text(path.read_text() + '{"operation": 4, "torn": fal')
    again = powercuts.Journal(recording, path)
    assert again.made == {(3, False): [], (3, True): ["does not come up"]}
    again.add(4, False, [])
    assert list(powercuts.Journal(recording, path).made) == [(3, False), (3, True), (4, False)]
    with pytest.raises(ValueError, match="another recording"):
        powercuts.Journal(powercuts.Recording(b"other", [], {}, {}, {}), path)


def test_the_check_sees_what_is_wrong(recording):
    end = len(recording.operations)
    *_, (_, _, flash) = powercuts.images(recording, [(end, False)])
    assert powercuts.check(recording, end, flash) == []
    spoiled = {
        "/p/0001.0": b"x",
        "/t/parameters.0": b"",
        "/t/parameters.1": b"",
        "/b.slot": b"",
        "/p/0001.m": b"",
    }
    for path, data in spoiled.items():
        image = filesystem.with_files(flash, {path: data})
        if path == "/p/0001.m":
            continue
        if path == "/t/parameters.0":
            image = filesystem.with_files(image, {"/t/parameters.1": b"\0\1bad!"})
        assert powercuts.check(recording, end, image), path
