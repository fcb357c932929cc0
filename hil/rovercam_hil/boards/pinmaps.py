"""Pin maps as data: one small file per board, checked for conflicts, shown as a wiring table and a drawing.

python -m rovercam_hil.boards.pinmaps docs/boards      writes a page and a drawing per board
"""

from __future__ import annotations

import html
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from rovercam_hil.boards.base import BoardError

FOLDER = Path(__file__).parent / "pins"
STRAP = 22
HEADER = {  # GP number -> pin of the 40-pin header (Raspberry Pi Pico data sheet, figure 2); the same on the Pico 2
    0: 1, 1: 2, 2: 4, 3: 5, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12, 10: 14, 11: 15, 12: 16, 13: 17, 14: 19, 15: 20,
    16: 21, 17: 22, 18: 24, 19: 25, 20: 26, 21: 27, 22: 29, 26: 31, 27: 32, 28: 34,
}  # fmt: skip
SUPPLY = {3: "GND", 8: "GND", 13: "GND", 18: "GND", 23: "GND", 28: "GND", 30: "RUN", 33: "AGND", 35: "ADC_VREF", 36: "3V3 OUT",
          37: "3V3_EN", 38: "GND", 39: "VSYS", 40: "VBUS"}  # fmt: skip
# Which pins a function can be on (RP2040 data sheet 1.4.3, RP2350 9.4): the bus unit the firmware uses, and the remainder.
SELECTABLE = {
    "line_tx": ("UART0 TX", {0, 12, 16, 28}),
    "line_rx": ("UART0 RX", {1, 13, 17, 29}),
    "spi_sck": ("SPI0 SCK", {2, 6, 18, 22}),
    "spi_mosi": ("SPI0 TX", {3, 7, 19, 23}),
    "spi_miso": ("SPI0 RX", {0, 4, 16, 20}),
    "i2c_sda": ("I2C0 SDA", {0, 4, 8, 12, 16, 20, 24, 28}),
    "i2c_scl": ("I2C0 SCL", {1, 5, 9, 13, 17, 21, 25, 29}),
}
SERVOS = ("pan", "tilt", "release", "steering")
"""On PWM at 50 Hz."""
MOTORS = tuple(f"motor_{side}_{place}" for side in ("left", "right") for place in ("front", "middle", "rear"))
"""On PWM at 400 Hz."""
TO = {
    "line_tx": ("line adapter RX", "3.3 V level; the radio or USB adapter"),
    "line_rx": ("line adapter TX", "3.3 V level"),
    "i2c_sda": ("BME280, INA219, MPU-6050: SDA", "pull-ups are on the modules"),
    "i2c_scl": ("BME280, INA219, MPU-6050: SCL", ""),
    "release": ("camera release servo: signal", "servo supply 5 V from VBUS or apart, never 3V3"),
    "pan": ("mast pan servo: signal", "as above"),
    "tilt": ("mast tilt servo: signal", "as above"),
    "steering": ("six steering servos: signal", "all wheels point alike (crabbing); supply as above"),
    **{m: (f"wheel motor driver, {m[6:].replace('_', ' ')}: PWM", "optional: rover") for m in MOTORS},
    "direction_left": (
        "wheel motor drivers, left: direction",
        "low forward; pull down, so that a reset stops the wheels",
    ),
    "direction_right": ("wheel motor drivers, right: direction", "as above"),
    "encoder_left": ("encoder of the left middle wheel", "3.3 V level, both edges count"),
    "encoder_right": ("encoder of the right middle wheel", "as above"),
    "spi_miso": ("cameras: MISO", "shared"),
    "spi_sck": ("cameras: SCK", "shared"),
    "spi_mosi": ("cameras: MOSI", "shared"),
    "camera_mast": ("mast camera: CS", "Arducam Mega; supply 3V3 OUT or 5 V"),
    "camera_mast_right": ("right mast camera: CS", "optional"),
    "camera_hazard": ("hazard camera: CS", "optional"),
    "radio": ("SC16IS760 (SPI to UART): CS", "optional: rover; its UART, RTS and CTS go to the radio modem"),
}
COLOURS = {
    "line": "#2b6cb5",
    "spi": "#8a4fb0",
    "camera": "#8a4fb0",
    "i2c": "#3c8c4f",
    "pan": "#b5502b",
    "tilt": "#b5502b",
    "release": "#b5502b",
    "steering": "#b5502b",
    "motor": "#8a7a1f",
    "direction": "#8a7a1f",
    "encoder": "#2b8c8c",
    "radio": "#8a4fb0",
}


class PinMapError(BoardError):
    """A pin map that cannot work: every conflict, one a line."""


@dataclass(frozen=True)
class PinMap:
    name: str
    title: str
    chip: str
    proven: str
    pins: dict[str, int] = field(default_factory=dict)


def names() -> list[str]:
    """Boards there is a map of."""
    return sorted(p.stem for p in FOLDER.glob("*.toml"))


def load(name: str) -> PinMap:
    """The map of a board by name; raises PinMapError."""
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        raise PinMapError(f"no pin map {name!r}; there are {', '.join(names())}")
    return load_file(path)


def load_file(path: Path) -> PinMap:
    """A map of one's own: the keys of a map that comes with rovercam, missing pins taken from the Pico's."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PinMapError(f"{path}: {error}") from None
    pins = data.get("pins")
    if not isinstance(pins, dict) or not all(isinstance(v, int) and not isinstance(v, bool) for v in pins.values()):
        raise PinMapError(f"{path}: expected a table [pins] of name = GP number")
    unknown = sorted(set(pins) - set(TO))
    if unknown:
        raise PinMapError(f"{path}: no function {', '.join(unknown)}; there are {', '.join(sorted(TO))}")
    if path.parent != FOLDER:
        pins = {**load("pico").pins, **pins}
    return PinMap(
        data.get("name", path.stem),
        data.get("title", path.stem),
        data.get("chip", "RP2040"),
        data.get("proven", "unproven"),
        pins,
    )


def check(wiring: PinMap) -> None:
    """Raises PinMapError with every conflict."""
    faults = []
    users: dict[int, list[str]] = {}
    for name, gp in sorted(wiring.pins.items()):
        users.setdefault(gp, []).append(name)
        if gp not in HEADER:
            faults.append(f"{name}: GP{gp} is not on the board's header")
        elif name in SELECTABLE and gp not in SELECTABLE[name][1]:
            what, allowed = SELECTABLE[name]
            faults.append(
                f"{name}: {what} cannot be on GP{gp}, only on {', '.join(f'GP{p}' for p in sorted(allowed & HEADER.keys()))}"
            )
        if gp == STRAP:
            faults.append(f"{name}: GP{STRAP} is the strap that keeps the unit at the prompt")
    faults += [f"GP{gp} is used by {' and '.join(who)}" for gp, who in sorted(users.items()) if len(who) > 1]
    faults += _pwm_faults(wiring)
    if faults:
        raise PinMapError(f"pin map {wiring.name}:\n  " + "\n  ".join(faults))


def _pwm_faults(wiring: PinMap) -> list[str]:
    """Two functions on one PWM channel, or of different frequency on one slice (RP2040 data sheet 4.5.2)."""
    faults = []
    channels: dict[tuple[int, int], str] = {}
    slices: dict[int, str] = {}
    for name in (*SERVOS, *MOTORS):
        if name not in wiring.pins:
            continue
        gp = wiring.pins[name]
        channel = (gp // 2 % 8, gp % 2)
        if channel in channels:
            faults.append(
                f"{name} and {channels[channel]} share PWM {channel[0]}{'AB'[channel[1]]}: they could not move apart"
            )
        other = slices.setdefault(channel[0], name)
        if (other in SERVOS) != (name in SERVOS):
            faults.append(f"{name} and {other} share PWM slice {channel[0]}, and differ in frequency")
        channels[channel] = name
    return faults


def table(wiring: PinMap) -> str:
    """The wiring as a Markdown table."""
    lines = ["| board pin | GP | function | to | note |", "|---|---|---|---|---|"]
    for name, gp in sorted(wiring.pins.items(), key=lambda item: item[1]):
        to, note = TO[name]
        what = SELECTABLE.get(name, (name.replace("_", " "),))[0]
        lines.append(f"| {HEADER[gp]} | GP{gp} | {what} | {to} | {note} |")
    lines.append(f"| {HEADER[STRAP]} | GP{STRAP} | strap | GND while starting: stay at MicroPython's prompt | |")
    lines.append("| 36 | 3V3 OUT | supply | sensors VCC, cameras VCC | at most 300 mA |")
    lines.append(
        "| 40 | VBUS | supply | servos 5 V | from USB; big servos from a supply of their own, grounds joined |"
    )
    lines.append("| 3, 8, 13, 18, 23, 28, 38 | GND | ground | all of them | |")
    return "\n".join(lines)


ROW, TOP, LEFT, BODY = 24, 60, 330, 220


def drawing(wiring: PinMap) -> str:
    """The board from above with every wire named, as SVG."""
    used = {HEADER[gp]: (f"GP{gp}", name) for name, gp in wiring.pins.items()}
    used[HEADER[STRAP]] = (f"GP{STRAP}", "strap")
    plain = {pin: f"GP{gp}" for gp, pin in HEADER.items()}
    height = TOP + 20 * ROW + 30
    width = 2 * LEFT + BODY
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" font-family="sans-serif" font-size="12" '
        f'role="img" aria-label="Wiring of {html.escape(wiring.title)}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{width / 2}" y="22" text-anchor="middle" font-size="16" fill="#222">{html.escape(wiring.title)} ({wiring.chip})</text>',
        f'<rect x="{LEFT}" y="{TOP - 14}" width="{BODY}" height="{20 * ROW + 14}" rx="8" fill="#e8efe8" stroke="#567"/>',
        f'<rect x="{LEFT + BODY / 2 - 26}" y="{TOP - 24}" width="52" height="22" rx="3" fill="#bbb" stroke="#567"/>',
        f'<text x="{LEFT + BODY / 2}" y="{TOP - 9}" text-anchor="middle" fill="#222">USB</text>',
    ]
    for pin in range(1, 41):
        left = pin <= 20
        y = TOP + ROW * ((pin - 1) if left else (40 - pin)) + 10
        x = LEFT if left else LEFT + BODY
        label = plain.get(pin, SUPPLY.get(pin, ""))
        inner, anchor = (x + 12, "start") if left else (x - 12, "end")
        out.append(f'<circle cx="{x}" cy="{y - 4}" r="5" fill="#fff" stroke="#567"/>')
        out.append(f'<text x="{inner}" y="{y}" text-anchor="{anchor}" fill="#456">{pin} {html.escape(label)}</text>')
        if pin not in used:
            continue
        _, name = used[pin]
        colour = COLOURS.get(name.split("_")[0], "#777")
        text = TO[name][0] if name in TO else "strap: GND at start = prompt"
        far = x - 26 if left else x + 26
        out.append(
            f'<line x1="{x - 5 if left else x + 5}" y1="{y - 4}" x2="{far}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>'
        )
        out.append(
            f'<text x="{far - 6 if left else far + 6}" y="{y}" text-anchor="{"end" if left else "start"}" fill="{colour}">{html.escape(text)}</text>'
        )
    out.append("</svg>")
    return "\n".join(out) + "\n"


def page(wiring: PinMap) -> str:
    """The board's page for docs/boards."""
    state = {
        "emulated": "Every test runs on the emulated chip of this board.",
        "hardware": "Proven on hardware.",
        "unproven": "**Unproven on hardware**: please report a run of `rovercam flash` and `rovercam hil --board PORT`.",
    }[wiring.proven]
    return (
        f"# {wiring.title}: wiring\n\n{state}\n\nMade from `hil/rovercam_hil/boards/pins/{wiring.name}.toml` by "
        f"`python -m rovercam_hil.boards.pinmaps docs/boards`. Your own map: copy that file, change it, `rovercam flash --pins FILE`.\n\n"
        f"![wiring]({wiring.name}.svg)\n\n{table(wiring)}\n"
    )


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names():
        wiring = load(name)
        check(wiring)
        (folder / f"{name}.md").write_text(page(wiring), encoding="utf-8")
        (folder / f"{name}.svg").write_text(drawing(wiring), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/boards"))
