"""Everything that crosses to a real Yamcs and back: parameters, events, commands under COP-1, a picture by its own CFDP."""

from __future__ import annotations

import io
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rovercam.dictionary import load
from rovercam.station.pictures import render

from .conftest import PATIENCE, HandOver, until


def test_parameters_are_equal(hand_over: HandOver) -> None:
    """Each parameter of every housekeeping structure that came: the archive has the same value at the same time."""
    dictionary = load()
    names = [p.name for s in dictionary.structures.values() if s.period for p in s.parameters]
    last = f"/rovercam/unit1/{names[-1]}"
    until(lambda: hand_over.processor.get_parameter_value(last), "housekeeping reaches Yamcs")

    def compare() -> int:
        equal = 0
        with hand_over.archive() as archive:
            for name in dict.fromkeys(names):
                value = hand_over.processor.get_parameter_value(f"/rovercam/unit1/{name}", from_cache=True)
                if value is None:
                    continue
                at = value.generation_time.timestamp()
                series = archive.history(1, name, at - 0.002, at + 0.002)  # Yamcs keeps milliseconds
                if not len(series):
                    continue
                ours, theirs = series.values[0], value.eng_value
                enum = dictionary.enums.get(dictionary.parameters[name].type)
                theirs = enum[theirs] if enum and theirs in enum else theirs
                assert math.isclose(float(ours), float(theirs), rel_tol=1e-6, abs_tol=1e-9), (name, ours, theirs)
                equal += 1
        return equal

    # A value that is not committed yet, or not there in time any more, is looked at again.
    assert until(lambda: compare() >= 0.9 * len(set(names)), "nine tenths of the parameters were compared")


def test_events_are_shown(hand_over: HandOver) -> None:
    for mode in ("sleep", "normal"):  # the event of the start may come before the station is on the line
        hand_over.run("set_mode", {"mode": mode})
    shown = until(lambda: [e for e in hand_over.events if e.startswith("Mode normal")], "the event of the mode")
    with hand_over.archive() as archive:
        assert shown[0] in [e["text"] for e in archive.events()]


def test_commands_are_executed_and_verified(hand_over: HandOver) -> None:
    until(lambda: any("to 1(Active)" in e for e in hand_over.events), "COP-1 in force between Yamcs and the station")
    command = hand_over.run("ping")
    states = {name: a.status for name, a in command.acknowledgments.items()}
    assert states["Acknowledge_Sent"] == "OK"  # by FOP-1: the station acknowledged the frame
    assert [states[f"Verifier_{stage}"] for stage in ("Accepted", "Started", "Complete")] == ["OK", "OK", "OK"]
    assert command.is_success()
    command = hand_over.run("release_camera")
    assert not command.is_success()
    assert command.error == "not_armed"  # the unit's own reason


def test_arguments_arrive_as_they_were_given(hand_over: HandOver) -> None:
    """Calibrated numbers, enumerations, texts and lists, as the archive logs what the unit was sent."""
    hand_over.run("point_mast", {"pan": -12.3, "tilt": 7.7})
    hand_over.run("list_files", {"path": "/t"})
    hand_over.run("report_parameters", {"parameters_count": 2, "parameters": [1, 6]})
    names = ("point_mast", "list_files", "report_parameters")

    def logged() -> dict[str, Any] | None:
        """What the archive has of them, once it has their ends."""
        with hand_over.archive() as archive:
            found = {c["name"]: c for c in archive.commands() if c["sender"] == "yamcs"}
        return found if all(n in found and found[n]["state"] == "done" for n in names) else None

    sent = until(logged, "the commands' ends in the archive")
    assert sent["point_mast"]["arguments"]["pan"] == -12.3 or math.isclose(
        sent["point_mast"]["arguments"]["pan"], -12.3
    )
    assert math.isclose(sent["point_mast"]["arguments"]["tilt"], 7.7)
    assert sent["list_files"]["arguments"] == {"path": "/t"}
    assert sent["report_parameters"]["arguments"]["parameters"] == [1, 6]


def test_a_picture_is_received_by_their_cfdp(hand_over: HandOver) -> None:
    connection = hand_over.processor.create_command_connection()
    connection.issue("/rovercam/unit1/capture", args={"camera": "pattern", "size": "qqvga"})
    bucket = hand_over.client.get_storage_client().get_bucket("pictures")
    until(lambda: [o for o in bucket.list_objects().objects], "a picture in Yamcs's bucket")
    data = bucket.download_object("unit1-0001.png")
    with hand_over.archive() as archive:
        (product,) = archive.products(kind="picture")
        expected = render(archive, product["id"]).pixels
    with Image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.asarray(picture), expected)
    assert until(
        lambda: any(e.startswith("Picture 1 of unit 1 received: 160×120") for e in hand_over.events), "the event"
    )


def test_a_file_of_theirs_reaches_the_unit(hand_over: HandOver, tmp_path: Path) -> None:
    """By Yamcs's own CFDP, class 2, to the station, and by the station's to the unit; then fetched from there."""
    data = random.Random(7).randbytes(3000)
    bucket = hand_over.client.get_storage_client().get_bucket("uplink")
    bucket.upload_object("plan", io.BytesIO(data))
    (service,) = hand_over.client.get_file_transfer_client("rovercam").list_services()
    sent = service.upload("uplink", "plan", "/q/plan", "ground", "unit1", {"reliable": True})

    sent.await_complete(timeout=PATIENCE)
    assert sent.is_success(), sent.error

    def arrived() -> bool:
        with hand_over.archive() as archive:
            return any((t["target"], t["status"]) == ("/q/plan", "finished") for t in archive.transfers(unit=1))

    until(arrived, "the station's transfer ends")
    fetched = tmp_path / "plan"
    words = [sys.executable, "-m", "rovercam.cli", "get", "/q/plan", str(fetched)]
    subprocess.run(words, env=os.environ | {"ROVERCAM_HOME": str(hand_over.home)}, check=True, timeout=240)
    assert fetched.read_bytes() == data
