"""Flipped bits in the firmware on flash: found, named, mended from the other slot; real firmware on the emulated Pico.

The slow ones too: pytest tests/hil/test_integrity.py -m "slow or not slow"
"""

import shutil

import pytest
from rovercam import places
from rovercam_hil.bench.flight import Flight
from rovercam_hil.boards import bundle, filesystem, slots

PING = "rover/services/test.mpy"
APP = "rover/app.mpy"


@pytest.fixture(scope="module")
def flight(micropython_image, tmp_path_factory):
    with Flight(tmp_path_factory.mktemp("integrity"), image=micropython_image) as running:
        yield running


def files(flight):
    return filesystem.read_all(flight.unit.board.flash_bytes())


def flip(flight, path, offset):
    """One bit of a file in the flash chip, behind the file system's back, power on or off."""
    board = flight.unit.board
    flash = board.mcu.flash if board.powered else board._flash
    before = files(flight)[path]
    for lead in (8, 15, 0):  # of sixteen bytes around it, at least one of these pieces lies in one block
        wanted = before[offset - lead : offset - lead + 16]
        at = board.flash_bytes().find(wanted, filesystem.OFFSET)
        while at >= 0:
            flash[at + lead] ^= 0x10
            if files(flight)[path] != before:
                return
            flash[at + lead] ^= 0x10  # the same bytes of another file, or what is left of an older one
            at = board.flash_bytes().find(wanted, at + 1)
    raise AssertionError(f"byte {offset} of {path} is nowhere in the flash")


def flip_in_slot(flight, slot, name):
    at, size, _ = slots.table(files(flight)[f"/{slot}.slot"])[name]
    flip(flight, f"/{slot}.slot", at + size // 2)


def said(flight, seen):
    """(event, values) of what the firmware said of its slots."""
    return [(e.name, e.values) for e in flight.events[seen:] if e.name.startswith("slot_")]


def both_whole(flight):
    found = files(flight)
    return slots.read(found["/a.slot"]) == slots.read(found["/b.slot"]) == bundle.firmware()


def test_good_slots_are_checked_in_silence(flight):
    seen = len(flight.events)
    assert flight.command("check_slots", timeout=60).state == "done"
    assert said(flight, seen) == []


def test_a_bit_flipped_while_the_unit_runs_is_found_in_the_background_and_mended(flight):
    seen = len(flight.events)
    flip_in_slot(flight, "a", "rover/dictionary.bin")
    flight.event("slot_repaired", 60, since=seen)  # the first check is 40 s after the start
    assert said(flight, seen) == [
        ("slot_damaged", {"slot": "a", "file": "rover/dictionary.bin"}),
        ("slot_repaired", {"slot": "a", "file": "rover/dictionary.bin"}),
    ]
    assert both_whole(flight)
    assert flight.health()["tables_damaged"] == 1
    flight.until(lambda: flight.health()["arena_owner"] == "free", 30, "the end of the check")


@pytest.mark.slow
def test_every_damaged_file_is_named(flight):
    seen = len(flight.events)
    for name in (PING, APP):
        flip_in_slot(flight, "b", name)
    assert flight.command("check_slots", timeout=60).state == "done"
    assert [(name, values["file"]) for name, values in said(flight, seen)] == [
        ("slot_damaged", APP), ("slot_damaged", PING), ("slot_repaired", APP), ("slot_repaired", PING),
    ]  # fmt: skip
    assert both_whole(flight)


def test_a_unit_with_damaged_start_up_code_starts_from_the_other_slot_and_mends_the_first(flight):
    board = flight.unit.board
    board.power_off()
    flip_in_slot(flight, "a", APP)
    seen = len(flight.events)
    flight.start()
    assert flight.command("check_slots", timeout=60).state == "done"
    assert said(flight, seen) == [
        ("slot_damaged", {"slot": "a", "file": APP}),
        ("slot_repaired", {"slot": "a", "file": APP}),
    ]
    assert both_whole(flight)
    seen = len(flight.events)
    flight.command("restart")
    flight.event("started", 30, since=seen)  # from slot a again


@pytest.mark.slow
@pytest.mark.parametrize(("where", "event"), [("head", "slot_copied"), ("checksum", "slot_repaired")])
def test_damage_to_a_slots_own_tables_is_mended(flight, where, event):
    seen = len(flight.events)
    flip(flight, "/b.slot", 100 if where == "head" else len(files(flight)["/b.slot"]) - 2)
    assert flight.command("check_slots", timeout=60).state == "done"
    assert [name for name, _ in said(flight, seen)] == ["slot_damaged", event]
    assert both_whole(flight)


@pytest.mark.slow
def test_a_missing_second_copy_is_made(flight):
    board = flight.unit.board
    board.power_off()
    fs = filesystem.mount(bytes(board._flash))
    fs.remove("/b.slot")
    board._flash[filesystem.OFFSET :] = bytes(fs.context.buffer)
    seen = len(flight.events)
    flight.start()
    assert flight.command("check_slots", timeout=60).state == "done"
    assert said(flight, seen)[-1] == ("slot_copied", {"slot": "b", "source": "a"})
    assert both_whole(flight)


@pytest.mark.slow
def test_the_files_that_start_the_unit_are_mended_too(flight):
    seen = len(flight.events)
    text = files(flight)["/main.py"]
    flip(flight, "/main.py", len(text) // 2)
    assert flight.command("check_slots", timeout=60).state == "done"
    assert ("slot_repaired", {"slot": "root", "file": "main.py"}) in said(flight, seen)
    assert files(flight)["/main.py"] == text


@pytest.mark.slow
def test_what_the_other_slot_does_not_have_makes_the_unit_change_to_it(micropython_image, tmp_path):
    """Slot a holds a newer firmware than slot b; a file that is only in the newer one is damaged."""
    shutil.copytree(places.firmware_dir(), tmp_path / "new")
    (tmp_path / "new/rover/services/test.py").write_text(
        "def execute(app, key, args):\n    app.pus.report(17, 2, 0)\n    app.pus.report(17, 2, 0)\n"
    )
    newer = slots.build(bundle.firmware(tmp_path / "new"))
    with Flight(tmp_path, image=micropython_image, extra={"/a.slot": newer}) as flight:
        flip_in_slot(flight, "a", PING)
        seen = len(flight.events)
        assert flight.command("check_slots", timeout=60).reason == "damaged"
        flight.event("started", 30, since=seen)
        assert ("slot_left", {"slot": "a", "source": "b"}) in said(flight, seen)
        assert flight.command("ping").state == "done"
        assert files(flight)["/slot"] == b"b"
        assert flight.command("check_slots", timeout=60).state == "done"
        assert ("slot_copied", {"slot": "a", "source": "b"}) in said(flight, seen)
        assert both_whole(flight)
