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
from rovercam_hil.boards.headers import BY_CHIP, Header

FOLDER = Path(__file__).parent / "pins"
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

    @property
    def header(self) -> Header:
        """Raises PinMapError for a chip that no header is known of."""
        try:
            return BY_CHIP[self.chip]
        except KeyError:
            raise PinMapError(f"pin map {self.name}: no chip {self.chip!r}; there are {', '.join(BY_CHIP)}") from None


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
    header = wiring.header
    users: dict[int, list[str]] = {}
    for name, gp in sorted(wiring.pins.items()):
        users.setdefault(gp, []).append(name)
        if gp not in header.pins:
            faults.append(f"{name}: {header.prefix}{gp} is not on the board's header")
        elif name in header.selectable and gp not in header.selectable[name][1]:
            what, allowed = header.selectable[name]
            there = ", ".join(f"{header.prefix}{p}" for p in sorted(allowed & header.pins.keys()))
            faults.append(f"{name}: {what} cannot be on {header.prefix}{gp}, only on {there}")
        if gp == header.strap:
            faults.append(f"{name}: {header.prefix}{gp} is the strap that keeps the unit at the prompt")
    faults += [
        f"{header.prefix}{gp} is used by {' and '.join(who)}" for gp, who in sorted(users.items()) if len(who) > 1
    ]
    if header.pwm_slices:
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
    header = wiring.header
    lines = [f"| board pin | {header.prefix} | function | to | note |", "|---|---|---|---|---|"]
    for name, gp in sorted(wiring.pins.items(), key=lambda item: item[1]):
        to, note = TO[name]
        what = header.selectable.get(name, (name.replace("_", " "),))[0]
        lines.append(f"| {header.pins[gp]} | {header.prefix}{gp} | {what} | {to} | {note} |")
    strap = header.strap
    lines.append(f"| {header.pins[strap]} | {header.prefix}{strap} | strap | {header.strap_note} | |")
    return "\n".join((*lines, *header.supply))


ROW, TOP, LEFT, BODY = 24, 60, 330, 220


def drawing(wiring: PinMap) -> str:
    """The board from above with every wire named, as SVG."""
    header = wiring.header
    used = {header.pins[gp]: name for name, gp in wiring.pins.items()} | {header.pins[header.strap]: "strap"}
    rows = len(header.left)
    height = TOP + rows * ROW + 30
    width = 2 * LEFT + BODY
    usb = TOP - 24 + (rows * ROW + 12 if header.usb_below else 0)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" font-family="sans-serif" font-size="12" '
        f'role="img" aria-label="Wiring of {html.escape(wiring.title)}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{width / 2}" y="22" text-anchor="middle" font-size="16" fill="#222">{html.escape(wiring.title)} ({wiring.chip})</text>',
        f'<rect x="{LEFT}" y="{TOP - 14}" width="{BODY}" height="{rows * ROW + 14}" rx="8" fill="#e8efe8" stroke="#567"/>',
        f'<rect x="{LEFT + BODY / 2 - 26}" y="{usb}" width="52" height="22" rx="3" fill="#bbb" stroke="#567"/>',
        f'<text x="{LEFT + BODY / 2}" y="{usb + 15}" text-anchor="middle" fill="#222">USB</text>',
    ]
    for left, side in ((True, header.left), (False, header.right)):
        for row, (pin, what) in enumerate(side):
            out += _wire(left, TOP + ROW * row + 10, pin, what, used.get(pin))
    out.append("</svg>")
    return "\n".join(out) + "\n"


def _wire(left: bool, y: int, pin: str, what: str, name: str | None) -> list[str]:
    """One pin of the drawing, and the wire on it if function ``name`` is there."""
    x = LEFT if left else LEFT + BODY
    inner, anchor = (x + 12, "start") if left else (x - 12, "end")
    out = [
        f'<circle cx="{x}" cy="{y - 4}" r="5" fill="#fff" stroke="#567"/>',
        f'<text x="{inner}" y="{y}" text-anchor="{anchor}" fill="#456">{pin} {html.escape(what)}</text>',
    ]
    if name is None:
        return out
    colour = COLOURS.get(name.split("_")[0], "#777")
    text = TO[name][0] if name in TO else "strap: prompt instead of the unit"
    far = x - 26 if left else x + 26
    out.append(
        f'<line x1="{x - 5 if left else x + 5}" y1="{y - 4}" x2="{far}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>'
    )
    out.append(
        f'<text x="{far - 6 if left else far + 6}" y="{y}" text-anchor="{"end" if left else "start"}" fill="{colour}">{html.escape(text)}</text>'
    )
    return out


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
