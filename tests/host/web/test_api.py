"""The HTTP API over the real station and the firmware's link: every answer, every refusal, and any input at all."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rovercam.dictionary import load
from rovercam.web.access import Access, Guard, is_loopback
from websockets.sync.client import connect

DICTIONARY = load()


@pytest.fixture(scope="module")
def http(ground: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=ground.address, timeout=30) as client:
        ground.until(ground.station.units)
        yield client


def housekeeping(ground: Any, structure: int = 2, **values: float) -> None:
    ground.call(lambda: ground.unit.housekeeping(structure, time.time(), **values))


def test_status_and_description(http: httpx.Client) -> None:
    status = http.get("/api/status").json()
    assert status["role"] == "operator"
    assert status["heard"] == [1]
    assert status["ports"] == {"test line": True}
    description = http.get("/api/openapi.json").json()
    assert {"/api/commands", "/api/events", "/api/pictures/{picture}.png"} <= description["paths"].keys()
    assert http.get("/api/time").json()["sol"] > 1900


def test_telemetry_latest_and_history(ground: Any, http: httpx.Client) -> None:
    began = time.time() - 1
    for raw in (2000, 6100, 2100):
        housekeeping(ground, chip_temperature=raw)
        time.sleep(0.12)
    _wait(lambda: http.get("/api/units/1/latest").json().get("chip_temperature", {}).get("value") == 21.0)
    latest = http.get("/api/units/1/latest").json()["chip_temperature"]
    assert latest["state"] == "normal"
    _wait(lambda: len(_history(http, start=began)["values"]) >= 3)
    assert _history(http, start=began)["values"][-3:] == pytest.approx([20.0, 61.0, 21.0])
    assert _history(http, start=began, strategy="latest", size=2)["values"] == pytest.approx([61.0, 21.0])
    assert _history(http, start=began)["engineering_unit"] == "°C"
    assert _history(http, end=began)["values"] == [v for v in _history(http, end=began)["values"] if v is not None]
    limits = next(p for p in http.get("/api/parameters").json() if p["name"] == "chip_temperature")
    assert (limits["yellow_max"], limits["red_max"]) == (60, 85)
    assert "chip_temperature" in http.get("/api/units/1/parameters").json()


def _history(http: httpx.Client, **query: Any) -> Any:
    answer = http.get("/api/units/1/parameters/chip_temperature/history", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _wait(what: Any, seconds: float = 10.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("not so in time")


def test_a_command_is_sent_and_verified(ground: Any, http: httpx.Client) -> None:
    before = len(ground.unit.commands)
    answer = http.post("/api/commands", json={"unit": 1, "name": "point_mast", "arguments": {"pan": -12.5}})
    assert answer.status_code == 202, answer.text
    number = answer.json()["id"]
    _wait(lambda: http.get(f"/api/commands/{number}").json()["state"] == "done")
    stages = [s["stage"] for s in http.get(f"/api/commands/{number}").json()["stages"]]
    assert stages == ["sent", "received", "acceptance", "start", "completion"]
    assert len(ground.unit.commands) == before + 1
    assert ground.unit.commands[-1][-5:] == b"\x07" + (-125).to_bytes(2, "big", signed=True) + b"\0\0"
    _wait(lambda: [c for c in http.get("/api/commands").json() if c["id"] == number and c["state"] == "done"])


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"unit": 1, "name": "pong"}, 404, "did you mean ping"),
        ({"unit": 1, "name": "point_mast", "arguments": {"pan": 181}}, 422, "-180 to 180"),
        ({"unit": 1, "name": "point_mast"}, 422, "pan is missing"),
        ({"unit": 1, "name": "point_mast", "arguments": {"pan": 1, "roll": 2}}, 422, "no argument 'roll'"),
        ({"unit": 1, "name": "point_mast", "arguments": {"pan": "left"}}, 422, "not a number"),
        ({"unit": 1, "name": "list_files", "arguments": {"path": 10**15}}, 422, "text is needed"),
        ({"unit": 1, "name": "list_files", "arguments": {"path": "x" * 61}}, 422, "at most 60"),
        ({"unit": 1, "name": "capture", "arguments": {"camera": "rear"}}, 422, "allowed are mast"),
        ({"unit": 2, "name": "ping"}, 409, "no key"),
        ({"unit": 100, "name": "ping"}, 422, "unit"),
        ({"unit": 1}, 422, "name"),
        ({"unit": 1, "name": "ping", "extra": 1}, 422, "extra"),
        ([], 422, ""),
    ],
)
def test_bad_commands_are_refused_with_the_reason(
    ground: Any, http: httpx.Client, body: Any, status: int, says: str
) -> None:
    before = len(ground.station.archive.commands())
    answer = http.post("/api/commands", json=body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]
    assert ground.call(lambda: len(ground.station.archive.commands())) == before


def test_events_are_acknowledged(ground: Any, http: httpx.Client) -> None:
    ground.call(
        lambda: ground.unit.report(5, 4, bytes([5]) + (1000).to_bytes(4, "big") + (10).to_bytes(4, "big"), time.time())
    )
    event = _wait(
        lambda: [e for e in http.get("/api/events", params={"severity": "high"}).json() if e["name"] == "flash_full"]
    )[-1]
    assert event["acknowledged"] is None
    assert event["text"] == "Flash full: 1000 bytes wanted, 10 free"
    answer = http.post(f"/api/events/{event['id']}/acknowledge", json={"who": "Anna"})
    assert answer.json() == {"id": event["id"], "acknowledged": "Anna"}
    again = http.get("/api/events", params={"after": event["id"] - 1}).json()[0]
    assert again["acknowledged"] == "Anna"
    assert http.post("/api/events/999999/acknowledge").status_code == 404


def test_a_picture_in_all_its_forms(ground: Any, http: httpx.Client, mars_layers: Any) -> None:
    pixels, layers = mars_layers
    height, width = pixels.shape
    ground.put_picture(70, layers, width, height, int(time.time()))
    picture = _wait(
        lambda: [p for p in http.get("/api/pictures").json() if p["number"] == 70 and p["state"] == "down"], 30
    )[-1]
    full = np.asarray(Image.open(io.BytesIO(http.get(picture["png"]).content)))
    assert full.shape == (height, width)
    error = np.mean((full.astype(float) - pixels) ** 2)
    assert 10 * math.log10(255**2 / max(error, 1e-9)) > 28
    thumbnail = Image.open(io.BytesIO(http.get(picture["png"], params={"kind": "thumbnail"}).content))
    assert max(thumbnail.size) == 240
    overlay = Image.open(io.BytesIO(http.get(picture["png"], params={"kind": "confidence"}).content))
    assert (overlay.mode, overlay.size) == ("RGBA", (width, height))
    told = http.get(f"/api/pictures/{picture['id']}").json()
    assert told["complete"]
    assert sum(told["confidence"].values()) == pytest.approx(1)
    assert told["confidence"]["nothing"] == 0
    assert next(t for t in http.get("/api/transfers").json() if t["target"] == "/p/0070.0")["status"] == "finished"
    assert http.get("/api/products", params={"kind": "picture"}).json()[-1]["id"] == picture["id"]
    assert http.get("/api/pictures/4711.png").status_code == 404
    assert "catalogue entry" in http.get("/api/pictures/4711").json()["detail"]


def test_link_overview(http: httpx.Client) -> None:
    link = http.get("/api/units/1/link").json()
    assert link["frames"] > 0
    assert link["uplink"]["cop1"] == "active"
    assert not link["insecure"]
    refused = http.get("/api/units/9/link")
    assert (refused.status_code, "was not heard" in refused.json()["detail"]) == (409, True)


def test_updates_arrive_live(ground: Any, http: httpx.Client) -> None:
    address = ground.address.replace("http", "ws") + "api/live?unit=1&kinds=Telemetry,CommandChanged"
    with connect(address) as socket:
        http.post("/api/commands", json={"unit": 1, "name": "ping"})
        seen = []
        while not seen or seen[-1].get("state") != "done":
            seen.append(json.loads(socket.recv(timeout=10)))
        assert {m["kind"] for m in seen} <= {"Telemetry", "CommandChanged"}
        housekeeping(ground, 2, chip_temperature=9000)
        while seen[-1]["kind"] != "Telemetry":
            seen.append(json.loads(socket.recv(timeout=10)))
        assert seen[-1]["alarms"]["chip_temperature"] == "red"
    nonsense = ground.address.replace("http", "ws") + "api/live?kinds=Nonsense"
    with connect(nonsense) as socket, pytest.raises(Exception, match="no such kinds"):
        socket.recv(timeout=5)


def test_other_sites_and_names_are_kept_out(ground: Any, http: httpx.Client) -> None:
    assert http.get("/api/status", headers={"host": "evil.example"}).status_code == 403
    assert http.get("/", headers={"host": "evil.example"}).status_code == 403
    evil = http.post("/api/commands", json={"unit": 1, "name": "ping"}, headers={"origin": "http://evil.example"})
    assert evil.status_code == 403
    with (
        pytest.raises(Exception, match="403"),
        connect(
            ground.address.replace("http", "ws") + "api/live", additional_headers={"Origin": "http://evil.example"}
        ),
    ):
        pass


def test_a_huge_body_is_refused(http: httpx.Client) -> None:
    assert http.post("/api/commands", content=b"x" * ((1 << 20) + 1)).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    try:
        status = http.post("/api/commands", content=endless()).status_code
    except httpx.TransportError:
        status = 400
    assert 400 <= status < 500
    assert http.get("/api/status").status_code == 200


# ------------------------------------------------------------------------------------------------------------- access
@pytest.mark.parametrize(
    ("name", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("127.8.8.8", True), ("0.0.0.0", False),
     ("192.168.1.5", False), ("localhost.evil.example", False), ("", False), ("::", False)],
)  # fmt: skip
def test_loopback(name: str, local: bool) -> None:
    assert is_loopback(name) is local


def roles(access: Access, query: str = "", headers: dict[str, str] | None = None) -> str | None:
    raw = [(k.encode(), v.encode()) for k, v in (headers or {}).items()]
    return access.role_of({"headers": raw, "query_string": query.encode()})


def test_tokens_and_roles(tmp_path: Any) -> None:
    access = Access.for_host("0.0.0.0", tmp_path)
    operator, viewer = access.tokens["operator"], access.tokens["viewer"]
    assert operator != viewer
    assert Access.for_host("0.0.0.0", tmp_path).tokens == access.tokens
    if sys.platform != "win32":
        assert (tmp_path / "web.json").stat().st_mode & 0o77 == 0
    assert roles(access) is None
    assert roles(access, "token=wrong") is None
    assert roles(access, f"token={operator}") == "operator"
    assert roles(access, headers={"authorization": f"Bearer {viewer}"}) == "viewer"
    own = {"cookie": f"rovercam={operator}", "host": "base:80", "origin": "http://base:80"}
    assert roles(access, headers=own) == "operator"
    assert roles(access, headers=own | {"origin": "http://evil.example"}) is None
    assert roles(access, headers={"host": "127.0.0.1:80"}) is None, "from here too: a proxy may stand between"


def test_a_viewer_looks_and_does_not_command(worker: Any, tmp_path: Any, ground: Any) -> None:
    """The same API behind a guard that asks for tokens."""
    access = Access.for_host("10.0.0.1", tmp_path)
    from rovercam.web import api

    class Station:
        dictionary = DICTIONARY

    class Context:
        station = Station()
        sender = "x"
        model = None
        site_map = None

    guarded = Guard(api.make_api(Context()), access)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app=guarded)  # type: ignore[arg-type]

    async def ask() -> list[int]:
        async with httpx.AsyncClient(transport=transport, base_url="http://base") as client:
            viewer = {"authorization": f"Bearer {access.tokens['viewer']}"}
            return [
                (await client.get("/api/parameters")).status_code,
                (await client.get("/api/parameters", headers=viewer)).status_code,
                (await client.post("/api/commands", json={"unit": 1, "name": "ping"}, headers=viewer)).status_code,
                (await client.post("/api/events/1/acknowledge", headers=viewer)).status_code,
                (await client.post("/api/transfers/1/1/cancel", headers=viewer)).status_code,
                (await client.get("/api/map", headers=viewer)).status_code,
            ]

    import asyncio

    assert asyncio.run(ask()) == [401, 200, 403, 403, 403, 404], "and this station has no map"


def test_other_commands_do_not_load_the_web(tmp_path: Any) -> None:
    script = "import sys, rovercam.cli, rovercam.cli.ground; print([m for m in ('nicegui', 'fastapi', 'uvicorn') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


# --------------------------------------------------------------------------------------------------------- any input
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-5, 300), st.floats(), st.text(max_size=20),
    st.sampled_from(["nan", "inf", "-1", "1e400", "0x10", "", " ", "/", "mast", "\ud800", "\0", "1" * 400]),
)  # fmt: skip
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
ROUTES = (
    "/api/status", "/api/time", "/api/parameters", "/api/units/{}/link", "/api/units/{}/parameters", "/api/units/{}/latest",
    "/api/units/{}/parameters/{}/history", "/api/units/1/parameters/chip_temperature/history", "/api/events",
    "/api/commands", "/api/commands/{}", "/api/pictures", "/api/pictures/{}", "/api/pictures/{}.png", "/api/products",
    "/api/transfers", "/api/{}",
)  # fmt: skip
QUERY = st.dictionaries(
    st.sampled_from(["start", "end", "size", "strategy", "unit", "limit", "after", "severity", "kind", "status", "token"]),
    SCALAR.map(lambda v: str(v).encode("utf-8", "replace").decode()), max_size=4,
)  # fmt: skip
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def quoted(value: Any) -> str:
    from urllib.parse import quote

    return quote(str(value).encode("utf-8", "replace"), safe="")


@FUZZ
@given(route=st.sampled_from(ROUTES), path=st.lists(SCALAR, min_size=2, max_size=2), query=QUERY)
def test_any_question_is_answered_or_refused_cleanly(
    http: httpx.Client, route: str, path: list[Any], query: Any
) -> None:
    answer = http.get(route.format(*map(quoted, path)), params=query)
    if answer.status_code == 307:  # a slash too many, to the address without it
        assert not answer.headers["location"].split("?")[0].endswith("/")
        return
    assert answer.status_code in (200, 403, 404, 405, 409, 422), (answer.request.url, answer.text)
    if "png" not in answer.headers["content-type"] and "html" not in answer.headers["content-type"]:
        answer.json()


@FUZZ
@given(
    name=st.one_of(st.sampled_from(sorted(set(DICTIONARY.commands) - {"insert_schedule"})), SCALAR),
    arguments=st.one_of(JSON, st.none()),
    unit=st.one_of(st.just(1), SCALAR),
    data=st.data(),
)
def test_any_command_is_sent_or_refused_cleanly(
    ground: Any, http: httpx.Client, name: Any, arguments: Any, unit: Any, data: st.DataObject
) -> None:
    if arguments is None:
        fields = DICTIONARY.commands[name].args if isinstance(name, str) and name in DICTIONARY.commands else ()
        arguments = {f.name: data.draw(JSON) for f in fields}
    before = ground.call(lambda: len(ground.station.archive.commands(limit=100_000)))
    body = json.dumps({"unit": unit, "name": name, "arguments": arguments}).encode()
    answer = http.post("/api/commands", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (202, 404, 409, 422), answer.text
    answer.json()
    after = ground.call(lambda: len(ground.station.archive.commands(limit=100_000)))
    assert after - before == (answer.status_code == 202)


@FUZZ
@given(
    body=st.binary(max_size=60),
    kind=st.sampled_from(["application/json", "text/plain", "", "multipart/form-data; boundary=x"]),
)
def test_any_bytes_are_refused_cleanly(http: httpx.Client, body: bytes, kind: str) -> None:
    for path in ("/api/commands", "/api/events/1/acknowledge", "/api/transfers/1/1/cancel"):
        answer = http.post(path, content=body, headers={"content-type": kind})
        assert 200 <= answer.status_code < 500, answer.text


def test_the_station_still_works_after_all_that(ground: Any, http: httpx.Client) -> None:
    number = http.post("/api/commands", json={"unit": 1, "name": "ping"}).json()["id"]
    _wait(lambda: http.get(f"/api/commands/{number}").json()["state"] == "done", 30)
