"""The console in a real headless Chromium: a picture sharpens, a plot moves, a command is verified, nothing complains."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from rovercam_hil.bench.browser import READY, Browser, find_chromium

PLOT = "document.querySelector('.nicegui-echart').parentElement.innerText"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium here (Debian: apt install chromium; or say where in CHROMIUM)")
    running = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def loaded(ground: Any, browser: Any) -> Iterator[Any]:
    """The console of a unit that reports each second."""
    temperature = [2000.0]

    def beat(now: float) -> None:
        temperature[0] += 50
        ground.unit.housekeeping(1, now, uptime=1, time_status=1, reset_cause=1)
        ground.unit.housekeeping(2, now, chip_temperature=temperature[0], bus_voltage=7400)

    ground.beat = beat
    ground.until(lambda: ground.station.units() and len(ground.station.archive.parameter_names(1)) > 20)
    browser.open(ground.address)
    browser.until(READY, 60)
    yield browser
    ground.beat = lambda now: None


@pytest.fixture
def page(ground: Any, loaded: Any) -> Iterator[Any]:
    """At the end nothing may have complained."""
    yield loaded
    ground.quiet = False
    assert loaded.problems == []


def test_a_picture_sharpens(ground: Any, page: Any, mars_layers: Any) -> None:
    pixels, layers = mars_layers
    height, width = pixels.shape
    page.value(
        "window.seen = []; new MutationObserver(() => { const s = document.querySelector('#picture')?.getAttribute('src');"
        " if (s && s != seen[seen.length - 1]) seen.push(s) }).observe(document.body, {subtree: true, attributes: true}); 1"
    )

    def shown(layer: int) -> None:
        """Each layer waits until the page shows the one before: how fast this machine draws does not matter."""
        if layer:
            page.until(f"new Set(window.seen).size >= {layer}", 60)

    assert len(layers) == 2
    assert len(layers[1]) > 8000
    ground.put_picture(81, layers, width, height, int(time.time()), between=shown)
    ground.line_bytes = 4000  # about half of the last layer, and then no more until that half is on the page
    page.until("new Set(window.seen).size >= 2", 60)
    ground.line_bytes = None
    page.until("document.querySelector('#picture')?.dataset.state == 'down'", 30)
    page.until(f"document.querySelector('#picture').naturalWidth == {width}", 10)
    assert page.value("new Set(window.seen).size") >= 3, "it was shown while it grew"
    assert "complete" in page.value("document.querySelector('.rc-bars').innerText")
    shades = page.value(
        "(() => { const i = document.querySelector('#picture'), c = document.createElement('canvas'); c.width = i.naturalWidth;"
        " c.height = i.naturalHeight; const x = c.getContext('2d'); x.drawImage(i, 0, 0);"
        " return new Set(x.getImageData(0, 0, c.width, c.height).data).size })()"
    )
    assert shades > 50


def test_a_plot_moves_and_values_change(page: Any) -> None:
    value = (
        "[...document.querySelectorAll('tbody tr')].find(r => r.innerText.includes('chip_temperature'))"
        ".querySelectorAll('td')[1].innerText"
    )
    canvas = "document.querySelector('.nicegui-echart canvas').toDataURL()"
    page.until("document.querySelector('.nicegui-echart').closest('section').innerText.match(/live · [1-9]/) && true")
    first, drawn = page.value(value), page.value(canvas)
    page.until(f"{value} != {first!r}")
    page.until(f"{canvas} != {drawn!r}")


def test_a_command_is_verified(ground: Any, page: Any) -> None:
    newest = "document.querySelector('[data-command]')"
    before = page.value(f"{newest}?.dataset.command || '0'")
    page.press("Enter", modifiers=2)
    page.until(f"{newest}?.dataset.command > {int(before)} && {newest}.dataset.state == 'done'", 20)
    assert "capture" in page.value(f"{newest}.innerText")
    assert page.value(f"{newest}.innerText.split('●').length - 1") == 5


SELECT = "document.querySelectorAll('.rc-col')[2].querySelector('input')"


def choose(page: Any, name: str) -> None:
    """As a person does it: the key, the name, Enter."""
    page.value("document.activeElement?.blur()")
    page.press("c", "c")
    page.until(f"document.activeElement === {SELECT}")
    page.value(f"{SELECT}.select()")
    page.call("Input.insertText", text=name)
    page.until(f"[...document.querySelectorAll('.q-menu .q-item')].some(i => i.innerText.startsWith({name!r}) && "
               "i.classList.contains('q-manual-focusable--focused'))")  # fmt: skip
    page.press("Enter")
    page.until(f"{SELECT}.value.startsWith({name!r}) && !document.querySelector('.q-menu')")


def test_a_two_step_command_is_armed_then_executed(ground: Any, page: Any) -> None:
    given = "[...document.querySelectorAll('[data-command]')].map(c => c.querySelector('b').innerText + ' ' + c.dataset.state)"
    arm = "[...document.querySelectorAll('button')].find(b => b.innerText.includes('arm'))"
    send = "document.querySelector('#send')"
    assert not page.value(f"{arm}?.offsetParent"), "a command of one step needs no arming"
    choose(page, "release_camera")
    page.until(f"{arm}?.offsetParent && document.body.innerText.includes('two steps: arm, then execute') && true")
    assert page.value(f"{send}.innerText") == "2 execute"
    assert page.value(f"{send}.disabled")
    sent = len(ground.unit.commands)
    page.value("document.activeElement?.blur()")
    page.press("Enter", modifiers=2)  # the key does not get round it
    page.until("document.querySelector('#refusal').innerText.includes('arm it first')")
    assert len(ground.unit.commands) == sent
    page.value(f"{arm}.click()")
    page.until(f"{given}[0] == 'arm done' && !{send}.disabled && {send}.innerText.includes('execute (')", 20)
    assert "for release_camera" in page.value("document.querySelector('[data-command]').innerText")
    page.value(f"{send}.click()")
    page.until(f"{given}[0] == 'release_camera done' && {given}[1] == 'arm done'", 20)
    assert "2nd step" in page.value("document.querySelector('[data-command]').innerText")
    page.until(f"{send}.disabled", 20)
    assert [c[11:] for c in ground.unit.commands[sent:]] == [b"\x05\x08\x01\x06", b"\x06"], (
        "function 5 for 8, 1, 6; function 6"
    )
    choose(page, "capture")
    page.until(f"{send}.innerText == 'send' && !{send}.disabled")


def test_a_refused_value_is_said_in_the_form(ground: Any, page: Any) -> None:
    page.value(
        "(() => { const i = [...document.querySelectorAll('.rc-form label')].find(l => l.innerText.startsWith('rate'))"
        ".querySelector('input'); i.value = '99'; i.dispatchEvent(new Event('input')); })()"
    )
    time.sleep(0.3)
    page.value("document.querySelector('#send').click()")
    page.until("document.querySelector('#refusal').innerText.includes('0.05 to 16')")


def test_an_alarm_is_acknowledged_by_key(ground: Any, page: Any) -> None:
    ground.call(lambda: ground.unit.report(5, 3, bytes([3, 2, 4]), time.time()))
    page.until("document.body.innerText.includes('to acknowledge')")
    page.value("document.activeElement?.blur()")
    page.press("a", "a")
    page.until("!document.body.innerText.includes('to acknowledge')")
    assert ground.call(lambda: ground.station.archive.events(severities=["medium"])[-1]["acknowledged"]) == "tester"


def test_one_alarm_is_acknowledged_by_its_button(ground: Any, page: Any) -> None:
    for camera in (3, 3):
        ground.call(lambda camera=camera: ground.unit.report(5, 3, bytes([camera, 2, 4]), time.time()))
    seen = "[...document.querySelectorAll('tbody button')].filter(b => b.innerText == 'seen')"
    page.until("document.body.innerText.includes('2 to acknowledge')")
    page.value(f"{seen}[0].click()")
    page.until(f"document.body.innerText.includes('1 to acknowledge') && {seen}.length == 1")
    told = ground.call(lambda: [e["acknowledged"] for e in ground.station.archive.events(severities=["medium"])[-2:]])
    assert told == [None, "tester"], "the newest stands first"
    page.value(f"{seen}[0].click()")
    page.until("!document.body.innerText.includes('to acknowledge')")


def test_a_lost_port_is_shown_and_comes_back(ground: Any, page: Any) -> None:
    ground.quiet = True
    ground.call(lambda: ground.station.port_state("test line", "lost", "gone", time.time()))
    page.until("document.body.innerText.includes('port lost')")
    ground.quiet = False
    ground.call(lambda: ground.station.attach("test line", time.time()))
    page.until("!document.body.innerText.includes('port lost')")


def test_schedule_passes_and_map(ground: Any, page: Any) -> None:
    """The schedule as the unit answers it, today's contact, and the way driven by odometry."""
    entry = struct.pack(">BBHIBBB", 1, 1, 7, int(time.time()) + 3600, 8, 1, 1)  # enabled, last; capture in an hour
    ground.call(lambda: ground.unit.answers.update({(11, 17): (11, 13, entry)}))
    for step in range(5):
        moved = {"position_x": 1000 * step, "position_y": 500 * step, "heading": 450}
        ground.call(lambda moved=moved: ground.unit.housekeeping(4, time.time(), **moved))
        time.sleep(0.2)

    def tab(name: str) -> None:
        page.value(f"[...document.querySelectorAll('.q-tab')].find(t => t.innerText.trim() == {name!r}).click()")

    tab("Schedule")
    page.until("[...document.querySelectorAll('button')].some(b => b.innerText.includes('read from the unit'))")
    page.value("[...document.querySelectorAll('button')].find(b => b.innerText.includes('read from the unit')).click()")
    page.until("document.querySelector('.rc-plain')?.innerText.includes('capture')", 20)
    tab("Passes")
    page.until("document.body.innerText.includes('1 contact in the last day')", 20)
    tab("Map")
    page.until("document.querySelector('#traverse')?.dataset.points >= 5", 20)
    page.until("document.body.innerText.includes('4.0 m east, 2.0 m north')", 20)
    page.until("(async () => (await fetch(document.querySelector('#ground').getAttribute('href'))).ok)()")
    assert float(page.value("document.querySelector('#traverse').dataset.metres")) < 30
    on_map = (
        "(() => { const g = document.querySelector('#ground').getBBox(), c = document.querySelector('#traverse circle,"
        " #traverse [transform]').getCTM(), s = document.querySelector('#traverse').getCTM(); const k = g.width / 30;"
        " return [((c.e - s.e) / s.a - g.x) / k - 10, 15 - ((c.f - s.f) / s.d - g.y) / k] })()"
    )
    assert page.value(on_map) == pytest.approx([4.0, 2.0], abs=0.1), "metres from the site, measured on the picture"
    page.value("document.querySelector('.rc-map .q-toggle').click()")
    page.until("document.querySelector('#traverse').dataset.metres >= 30", 20)
    assert page.value(on_map) == pytest.approx([4.0, 2.0], abs=0.1)
    tab("Link")


def test_a_page_loaded_again_is_ready(page: Any, ground: Any) -> None:
    """As a person does it who comes back; how long it takes: `rovercam bench console`."""
    page.open(f"{ground.address}?again")
    page.until(f"location.search == '?again' && {READY}", 60)


def test_a_page_that_was_cut_off_goes_on_by_itself(ground: Any, page: Any) -> None:
    """Its WebSocket ends (a computer that slept, a proxy): it connects again and shows what is so by then."""
    page.until(f"{READY} && window.socket.connected")
    page.value("window.first = window.socket.id, window.socket.io.engine.close(), 1")
    page.until("window.socket.connected && window.socket.id != window.first", 30)
    ground.call(lambda: ground.unit.report(5, 3, bytes([3, 2, 4]), time.time()))
    page.until("document.body.innerText.includes('to acknowledge')", 20)
    page.value("document.activeElement?.blur()")
    page.press("a", "a")
    page.until("!document.body.innerText.includes('to acknowledge')", 20)
