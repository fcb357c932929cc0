"""Pin maps: every one is free of conflicts, says what the firmware says, and the documents are made from them."""

import ast
import re
from pathlib import Path

import pytest
from rovercam import places
from rovercam_hil.boards import filesystem, pinmaps

DOCS = Path(__file__).resolve().parents[2] / "docs" / "boards"


@pytest.mark.parametrize("name", pinmaps.names())
def test_maps_are_free_of_conflicts_and_documented(name):
    wiring = pinmaps.load(name)
    pinmaps.check(wiring)
    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == pinmaps.page(wiring), (
        "run: python -m rovercam_hil.boards.pinmaps docs/boards"
    )
    assert (DOCS / f"{name}.svg").read_text(encoding="utf-8") == pinmaps.drawing(wiring)


def test_the_picos_map_is_the_firmwares_default():
    pins = {}
    for file in ("pico.py", "wheels.py"):
        source = (places.firmware_dir() / "rover/board" / file).read_text(encoding="utf-8")
        pins |= ast.literal_eval(re.search(r"^(?:WHEEL_)?PINS = (\{.*?\})", source, re.DOTALL | re.MULTILINE)[1])
    assert pinmaps.load("pico").pins == pins


def test_the_esp32s3s_map_is_the_firmwares():
    source = (places.firmware_dir() / "rover/board/esp32.py").read_text(encoding="utf-8")
    pins = ast.literal_eval(re.search(r"^PINS = (\{.*?\})", source, re.DOTALL | re.MULTILINE)[1])
    assert pinmaps.load("esp32s3").pins == pins


@pytest.mark.parametrize("arch", ["armv7emsp", "xtensawin"])
def test_the_firmware_compiles_for_the_other_boards(arch):
    files = filesystem.firmware_files(arch=arch)
    assert "/a/rover/app.mpy" in files
    assert ("/a/rover/imaging/planes_thumb.mpy" in files) == arch.startswith("arm")
    assert ("/a/rover/imaging/planes.mpy" in files) != arch.startswith("arm")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pan": 4}, "GP4 is used by i2c_sda and pan"),
        ({"line_tx": 5}, "UART0 TX cannot be on GP5"),
        ({"tilt": 22}, "strap"),
        ({"pan": 29}, "not on the board's header"),
        ({"pan": 10, "motor_right_middle": 26, "encoder_left": 28}, "share PWM 5A"),
        ({"pan": 11, "motor_right_rear": 15, "tilt": 28}, "pan share PWM slice 5, and differ in frequency"),
    ],
)
def test_conflicts_are_all_named(change, message):
    pico = pinmaps.load("pico")
    with pytest.raises(pinmaps.PinMapError, match=message):
        pinmaps.check(pinmaps.PinMap("mine", "Mine", "RP2040", "unproven", {**pico.pins, **change}))


def test_a_users_file_replaces_single_pins(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n[pins]\npan = 6\n')
    wiring = pinmaps.load_file(file)
    assert (wiring.pins["pan"], wiring.pins["tilt"]) == (6, 15)
    file.write_text("[pins]\npann = 6\n")
    with pytest.raises(pinmaps.PinMapError, match="no function pann"):
        pinmaps.load_file(file)
