"""The mission report: one HTML page that needs nothing but the files beside it."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rovercam.marstime import ZHURONG, clock

from rovercam_hil.mission.cue import PICTURE
from rovercam_hil.mission.plots import curve

if TYPE_CHECKING:
    from rovercam_hil.mission.flight import Shot
    from rovercam_hil.mission.run import Outcome

PLOTTED = (
    ("air_temperature", "Air temperature"), ("air_pressure", "Air pressure"), ("bus_voltage", "Bus voltage"),
    ("mast_pan", "Mast servo, pan"), ("heap_free", "Free heap"), ("frames_sent", "Frames sent"),
)  # fmt: skip


def page(o: Outcome) -> str:
    body = [
        _head(o), _released(o), _story(o), _orbit(o), _cue(o), _relay(o), _weather(o), _unit(o), _checks(o), _commands(o), _gallery(o), _honest(o),
    ]  # fmt: skip
    return f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Mission report, seed {o.seed}</title>' \
           f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{"".join(body)}</body></html>\n'  # fmt: skip


def _e(value: object) -> str:
    return html.escape(str(value))


def _utc(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).strftime("%d %B %Y %H:%M UTC").lstrip("0")


def _head(o: Outcome) -> str:
    held = len(o.checks.made) - len(o.checks.failed)
    verdict = "every assertion held" if not o.checks.failed else f"{len(o.checks.failed)} assertions did NOT hold"
    portrait = next(r for r in o.released if r.file.endswith("4-portrait.png"))
    return (
        f'<header><img src="{portrait.file}" alt="Rover and platform"><div><h1>Down the rails, ten metres south, and a portrait</h1>'
        f"<p>{_utc(o.flight.start)} to {_utc(o.hops.passes[-1][0])} · seed {o.seed} · {held} of {len(o.checks.made)} checked claims: {verdict}</p>"
        "</div></header>"
    )


def _figure(file: str, text: str, cls: str = "") -> str:
    image = f'<img src="{file}" alt="{_e(text.partition(".")[0])}" loading="lazy">'
    return f'<figure class="{cls}"><a href="{file}">{image}</a><figcaption>{text}</figcaption></figure>'


def _released(o: Outcome) -> str:
    out = ["<h2>The four pictures</h2>"]
    for r in o.released:
        wide = "wide" if r.size[0] > 2 * r.size[1] else "trio"
        out.append(
            _figure(
                r.file,
                f"<b>{_e(r.title)}.</b> {_e(r.caption)} <i>{_e(r.when)}, {r.size[0]} × {r.size[1]}. {_e(r.credit)}</i>",
                wide,
            )
        )
    return "".join(out)


def _by_name(o: Outcome, name: str) -> Shot:
    return next(s for s in o.flight.shots if s.name == name)


def _story(o: Outcome) -> str:
    m, plan = o.mission, o.mission.plan
    deck, rails = (
        _by_name(o, "the rover's upper deck before roll-off"),
        _by_name(o, "hazard camera: the rails before roll-off"),
    )
    wavelet, side = _by_name(o, "hazard camera, by the wavelet codec"), _by_name(o, "group portrait, from the side")
    release = next((t for t, what, _ in o.flight.log if what.startswith("release_camera") and t > deck.taken), 0.0)
    return (
        f"<h2>What happened</h2><p>On {deck.when.split(' LMST')[0]} local time the unit is powered on the deck of the platform, turns its mast "
        f"nine times and "
        "sends the landing site all round. It looks at its own deck, and with the hazard camera, whose view is so wide that the horizon bends, "
        "down the two rails.</p>"
        + _figure(deck.file, f"The upper deck, {deck.when}.", "half") + _figure(rails.file, f"The rails before roll-off, {rails.when}.", "half")
        + "<p>Then it rolls off, photographs the ground it now stands on, goes to 6 m from the platform, 60° south of east, and looks back.</p>"
        + _figure(wavelet.file, f"The ground ahead. This one went through the unit's own wavelet codec at 1 bit per pixel: {wavelet.size} bytes.", "half")
        + f"<p>On sol 18 the release point is not luck but computed from the remote camera's field of view: {plan.distance:.2f} m from the "
        f"platform, heading "
        f"{plan.release_heading:.0f}°, {plan.margin:.1f}° of air around both bodies. A release that was not armed is refused; armed, the servo turns "
        f"({_utc(release)}), and the camera stands on the sand: a unit of its own now, with a battery, heard by the rover's radio alone. "
        f"The rover backs off to the platform, faces the camera, turns, and is photographed from the side.</p>"
        + _figure(side.file, f"From the side, {side.when}. The wheels have drawn their tracks between the camera and the rover.", "half")
        + _motion()
        + f"<p>Then it drives south: {-m.places['6 June'][1]:.0f} m from the platform on 6 June.</p>" + _wheels(o)
    )  # fmt: skip


def _wheels(o: Outcome) -> str:
    rows = "".join(
        f"<tr><td>{_e(d.what)}</td><td>{d.forward:.2f} m, {d.turned:+.1f}°</td><td>{d.true_way:.2f} m, {d.true_turn:+.1f}°</td>"
        f"<td>{d.slip} %</td><td>{d.seconds:.0f} s</td></tr>"
        for d in o.mission.drives
    )
    return (
        "<h3>By its own wheels</h3><p>These drives were commands to the unit. Its firmware set six motors and counted two encoders, and its "
        f"gyroscope held the heading.</p><table><tr><th>drive</th><th>the unit's account</th><th>the truth</th><th>slip seen</th>"
        f"<th>took</th></tr>{rows}</table>"
    )


def _motion() -> str:
    return _figure(
        "pictures/motion.gif",
        "In motion: the released camera looks on while the rover turns, by its own wheels.",
        "half",
    )


def _orbit(o: Outcome) -> str:
    r, v = o.orbit.result, o.orbit
    return (
        "<h2>From orbit</h2>"
        + _figure(
            "orbit/comparison.png",
            "6 June; 11 June laid over it; what changed. Yellow: platform. Blue: the rover on 6 June. Red: on 11 June. 0.3 m per pixel.",
            "wide",
        )
        + f"<table><tr><td>moved, from orbit</td><td>{r.displacement:.2f} ± {r.displacement_uncertainty:.2f} m (95 %)</td></tr>"
        f"<tr><td>direction</td><td>{r.direction:.1f} ± {r.direction_uncertainty:.1f}° from north over east</td></tr>"
        f"<tr><td>truth of the model</td><td>{v.truth:.2f} m</td></tr>"
        f"<tr><td>wheel odometry</td><td>{v.odometry:.2f} m of rim: slip and turns make it longer than the straight line</td></tr>"
        f"<tr><td>platform to rover</td><td>{r.range_a:.1f} m on 6 June, {r.range_b:.1f} m on 11 June</td></tr>"
        f"<tr><td>registration</td><td>{r.tiles} tiles, {r.residual:.2f} pixels left</td></tr></table>"
    )


def _cue(o: Outcome) -> str:
    c = o.cue
    rows = "".join(
        f"<tr><td>candidate</td><td>{k.start:.0f} to {k.end:.0f} m of the way south</td><td>{k.depth:.1f} ± {k.uncertainty:.1f} m deep</td>"
        f"<td>reflection {k.reflection:+.2f}</td></tr>"
        for k in c.candidates
    )
    return (
        "<h2>Water or ice? Candidates</h2>"
        + _figure(
            PICTURE,
            "Radar echoes under the way south, the way to the right, depth downwards. Dark: a boundary to denser ground. Bright: the other "
            "way round, as on top of ice-rich ground. A frame marks a candidate.",
            "wide",
        )
        + f"<p>{_e(c.verdict)} The air the unit felt would freeze out at {c.frost_point:.0f} °C ({c.pressure:.2f} Pa of water vapour): frost "
        f"is a matter of the night.</p><table>{rows}</table>"
    )


def _relay(o: Outcome) -> str:
    h = o.hops
    rows = "".join(f"<tr><td>{_utc(t)}</td><td>{_e(w)}</td></tr>" for t, w in h.seen)
    blind = "".join(
        f"<tr><td>{_utc(t)}</td><td>{'corrupted' if bad else 'good'}</td><td>{n} bytes taken as good</td></tr>"
        for t, bad, n in h.passes
    )
    minutes, seconds = divmod(round(h.light), 60)
    return (
        f"<h2>Where is my picture now?</h2><p>The portrait's way: remote camera, rover, orbiter, Earth. The last hop takes {minutes} min {seconds} "
        f"s at the speed of light.</p>"
        f"<table>{rows}<tr><td>{_utc(h.delivered)}</td><td>the last byte is safe on Earth</td></tr></table>{_two_passes(o)}"
        f"<h3>In the blind</h3><p>A rover that is heard but cannot hear: it sends, and keeps everything, as nobody can "
        f"confirm.</p><table>{blind}</table>"
    )


def _two_passes(o: Outcome) -> str:
    p = o.mission.passes
    assert p is not None
    first, second = p.plan.contacts
    began = p.custody[0][0]
    rows = "".join(f"<tr><td>{t - began:.0f} s</td><td>{_e(w)}</td></tr>" for t, w in p.custody)
    return (
        "<h3>Cut in the middle</h3><p>For the portrait from the side the line itself kept to a contact plan: "
        f"{first.end - first.start:.0f} s of contact, {second.start - first.end:.0f} s of silence. The released camera went on sending; the rover "
        f"kept up to {p.kept} bytes of its frames on flash and handed them on in the second pass. {p.unheard} bytes were sent to nobody, and asked "
        f"for again.</p><table>{rows}</table>"
    )


def _weather(o: Outcome) -> str:
    labels = ["sol 8", "sol 18"]
    curves = "".join(
        f'<div class="plot">{curve(title, *o.telemetry[name], labels, gap=43200.0)}</div>'
        for name, title in PLOTTED
        if name in o.telemetry
    )
    count = sum(len(t) for t, _, _ in o.telemetry.values())
    return f'<h2>Weather and health</h2><p>All {count} samples are in <a href="telemetry.csv">telemetry.csv</a>.</p>{curves}'


def _unit(o: Outcome) -> str:
    events = "".join(
        f"<tr><td>{datetime.fromtimestamp(e['time'], UTC):%d %b %H:%M:%S}</td><td>{_e(e['severity'])}</td><td>{_e(e['text'])}</td></tr>"
        for e in o.events
    )
    return (
        f'<h2>Downlink</h2><p><a href="downlink.rec">{o.downlink} bytes</a> came down the line at 115200 baud; SHA-256 <code>{o.digest}</code>. '
        "The same seed gives the same bytes.</p>"
        f"<details><summary>{len(o.events)} events of the unit</summary><table>{events}</table></details>"
    )


def _checks(o: Outcome) -> str:
    rows = "".join(
        f'<tr class="{"" if c.held else "bad"}"><td>{"held" if c.held else "FAILED"}</td><td>{_e(c.claim)}</td><td>{_e(c.found)}</td></tr>'
        for c in o.checks.made
    )
    shown = "open" if o.checks.failed else ""
    return f"<h2>What was asserted</h2><details {shown}><summary>{len(o.checks.made)} claims</summary><table>{rows}</table></details>"


def _commands(o: Outcome) -> str:
    def local(t: float) -> str:
        m = ZHURONG.moment(t)
        return f"sol {m.sol} {clock(m.lmst, seconds=True)}"

    rows = "".join(
        f"<tr><td>{local(t)}</td><td><code>{_e(what)}</code></td><td>{_e(end)}</td></tr>"
        for t, what, end in o.flight.log
    )
    return f"<details><summary>{len(o.flight.log)} commands and movements, local mean solar time</summary><table>{rows}</table></details>"


def _gallery(o: Outcome) -> str:
    figures = "".join(
        _figure(s.file, f"{_e(s.name)}, {s.when}: {s.size} bytes, {_e(s.codec)}, down in {s.seconds:.1f} s", "third")
        for s in o.flight.shots
    )
    return f"<h2>Everything that came down</h2>{figures}"


def _honest(o: Outcome) -> str:
    where = (
        "the firmware, the same source as on a Pico, compiled for the computer it ran on: <b>no chip was emulated</b>, and computing took no time; "
        if o.flight.native
        else "the firmware, byte for byte the one a Pico runs, on stock MicroPython on an <b>emulated</b> RP2040; "
    )
    return (
        f"<h2>What is real here, and what is not</h2><p>Real: {where}"
        "every picture was taken, coded, framed, sent and commanded through it; the ground station; the virtual clock. Modelled: Mars, platform, "
        "rover, cameras' optics, "
        "sensors, the radio's modem and air, orbiters, the ground-penetrating radar "
        "and what it sees (its traces do not pass through the unit). No hardware was involved. "
        "Two units flew: the rover's, and the released camera, which runs the "
        "same firmware and was heard and commanded through the rover. Roll-off, the last metres to the release point and the turn before the camera "
        "were driven by the firmware; the ways between were driven by the model's reference driver, and the hours they take on sol 18 and the days "
        "between the sols were skipped with the units' clocks set anew. The mast's head is geared 1:2 to its servo. The ground knows where the rover "
        "is from the model. The portrait's hops beyond the rover are computed for the bytes that came down the line. "
        "Hours of the day that no source gives are ours.</p>"
    )


_STYLE = """
:root { color-scheme: dark }
body { background: #16110e; color: #ece2d8; font: 17px/1.6 Georgia, serif; max-width: 68rem; margin: 0 auto 4rem; padding: 0 1.2rem }
header { position: relative; margin: 0 -1.2rem 2rem }
header img { width: 100%; display: block; max-height: 34rem; object-fit: cover; object-position: 50% 60% }
header div { position: absolute; left: 0; right: 0; bottom: 0; padding: 4rem 1.5rem 1rem; background: linear-gradient(transparent, #16110ee0) }
h1 { font-size: 2.2rem; font-weight: 400; margin: 0; line-height: 1.2 } h2 { font-weight: 400; color: #f0a878; margin: 3rem 0 .6rem; clear: both }
h3 { font-weight: 400; color: #d8b89c } header p { margin: .4rem 0 0; color: #d8c8b8; font-size: .95rem }
figure { margin: 0 0 1.2rem; display: inline-block; vertical-align: top } figure img { width: 100%; display: block; border-radius: 3px }
.wide { width: 100% } .half { width: 49%; margin-right: .8% } .trio { width: 32.6%; margin-right: .6% }
.third { width: 24%; margin-right: .7%; font-size: .85rem }
figcaption { font-size: .88em; color: #c0b0a0; line-height: 1.4; margin-top: .3rem } figcaption i { color: #94867a }
table { border-collapse: collapse; font: 14px/1.5 system-ui, sans-serif; margin: .6rem 0 }
td, th { text-align: left; font-weight: 400; padding: .12rem 1.2rem .12rem 0; border-bottom: 1px solid #33281f;
font-variant-numeric: tabular-nums; vertical-align: top } th { color: #94867a }
.bad td { color: #ff8070 }
a { color: #f0a878 }
code { font-size: .85em; overflow-wrap: anywhere }
summary { cursor: pointer; color: #d8b89c } .plot { width: 49%; display: inline-block; margin-right: .8% }
svg { width: 100% }
svg text { fill: #a89888; font: 11px system-ui, sans-serif }
svg .t { fill: #ece2d8; font-size: 12px }
svg .r { text-anchor: end }
svg .m { text-anchor: middle }
svg .g { stroke: #33281f } svg .b { stroke: #6a5a4c; stroke-dasharray: 3 3 } svg .c { fill: none; stroke: #f0a878; stroke-width: 1.4 }
@media (max-width: 700px) { .half, .trio, .third, .plot { width: 100% } }
"""
