"""Commands: what is right is done once, what is wrong is refused with its reason, what is forged does nothing."""

import pytest
from rovercam.protocol import pus
from rovercam.station import updates

pytestmark = pytest.mark.cost(25)


@pytest.mark.wires("uart", "usb")
def test_ping(ground):
    since = ground.mark()
    done = ground.do("ping")
    stages = [s.stage for s in done.stages]
    assert stages.index("acceptance") < stages.index("completion")
    ground.expect(updates.AnswerReceived, since, name="connection_test")


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("report_parameters", {"parameters": [4242]}, "unknown_parameter"),
        ("set_parameter", {"parameter": 1, "value": 7}, "not_settable"),
        ("delete_file", {"path": "/no/such"}, "unknown_file"),
        ("downlink_file", {"path": "/key.bin"}, "unknown_file"),
        ("downlink_product", {"product": 9999}, "unknown_file"),
        ("cancel_transfer", {"transfer": 999}, "unknown_transfer"),
        ("capture", {"size": "size_96x96", "x": 90, "width": 40}, "bad_region"),
        ("release_camera", {}, "not_armed"),
        ("delete_housekeeping", {"structure": 14}, "unknown_structure"),
    ],
)
def test_refusals_name_the_reason(ground, name, arguments, reason):
    if name == "set_parameter":
        arguments = {"parameter": ground.station.dictionary.parameters["boot_count"].id, "value": 7}
    assert reason in ground.refused(name, **arguments)


def test_a_packet_the_host_would_never_send_is_refused(unit, ground):
    """Out of range, too short, unknown: past the host's own checks, straight into the uplink."""
    station, apid = ground.station, ground.station.dictionary.apid(unit.number)
    link = station._unit(unit.number)
    number = station.dictionary.parameters["commands_refused"].id
    capture = bytes([1, 15, 99])  # function 1, camera 15, a picture size that does not exist
    for service, subtype, data in ((8, 1, capture), (9, 128, b"\x01"), (250, 7, b""), (8, 1, b"")):
        before = ground.answer("parameter_values", "report_parameters", parameters=[number])
        packet = pus.build_command(apid, link.next_sequence(station.archive, apid), service, subtype, data)
        link.send_command(packet, None, False)
        ground.run(1.0)
        after = ground.answer("parameter_values", "report_parameters", parameters=[number])
        assert _value(after) == _value(before) + 1, (service, subtype)
    unit.commandable()


def _value(report):
    return report["items"][0]["value"]


def test_two_steps_for_what_cannot_be_undone(unit, ground):
    release = ground.station.dictionary.commands["release_camera"]
    assert "not_armed" in ground.refused("release_camera")
    ground.do("arm", armed_service=release.service, armed_subtype=release.subtype, armed_function=release.function or 0)
    since = ground.mark()
    ground.do("release_camera")
    ground.event("camera_released", since)
    assert unit.models.release.released
    assert "not_armed" in ground.refused("release_camera"), "armed once is good for once"


def test_settings_survive_a_restart(unit, ground):
    number = ground.station.dictionary.parameters["exposure_target"].id
    ground.do("set_parameter", parameter=number, value=99)
    unit.disturbed = True
    since = ground.mark()
    ground.do("restart")
    ground.event("started", since, 20.0)
    unit.commandable()
    assert _value(ground.answer("parameter_values", "report_parameters", parameters=[number])) == 99
    ground.do("set_parameter", parameter=number, value=118)


@pytest.mark.fresh
def test_forged_and_replayed_frames_do_nothing(unit, ground):
    """Another key, then the very bytes of an earlier command once more: counted, not done."""
    mark = len(unit.wire.recording)
    ground.do("ping")
    sent = b"".join(data for direction, _, data in unit.wire.recording[mark:] if direction == 1)
    before = ground.telemetry("health").values["commands_accepted"]
    unit.board.write(sent)  # the replay
    ground.run(1.0)
    forged = bytearray(sent)
    at = len(forged) // 2
    forged[at] ^= 0xFF
    forged[at + 1] ^= 0xFF
    unit.board.write(bytes(forged))
    ground.run(1.0)
    link = ground.telemetry("link").values
    assert link["uplink_replayed"] >= 1
    assert ground.telemetry("health").values["commands_accepted"] == before
    unit.commandable()
