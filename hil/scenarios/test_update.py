"""New firmware over the line: what is not right changes nothing, what is right runs on trial and stays."""

import shutil

import pytest
from rovercam import places
from rovercam_hil.boards import bundle

pytestmark = pytest.mark.cost(30)

PING_TWICE = "def execute(app, key, args):\n    app.pus.report(17, 2, 0)\n    app.pus.report(17, 2, 0)\n"


@pytest.fixture
def update(unit, tmp_path):
    """A bundle in which the connection test answers twice, made for the firmware that runs."""
    unit.emulated.flash_bytes()  # of a real board it is not known which firmware runs: it is tested as it was flashed
    arch = unit.options.arch
    running = unit.options.firmware or places.firmware_dir()
    shutil.copytree(running, tmp_path / "new")
    (tmp_path / "new/rover/services/test.py").write_text(PING_TWICE)
    return bundle.build(bundle.firmware(tmp_path / "new", arch), unit.key, running=bundle.firmware(running, arch))


def install(ground, path):
    """Two steps; returns how the second ended."""
    command = ground.station.dictionary.commands["install_update"]
    ground.do("arm", armed_service=command.service, armed_subtype=command.subtype, armed_function=command.function or 0)
    return ground.send("install_update", path=path, timeout=120.0)


@pytest.mark.fresh
def test_an_update_is_tried_and_kept(unit, ground, update, evidence):
    evidence.value("bundle", len(update), "bytes")
    spoilt = bytearray(update)
    spoilt[len(spoilt) // 2] ^= 1
    ground.put(bytes(spoilt), "/u")
    assert install(ground, "/u").reason.startswith("unauthenticated")
    ground.put(update, "/u")
    assert install(ground, "/u").state == "done"
    since = ground.mark()
    ground.do("restart")
    ground.event("started", since, 30.0)
    answers = ground.mark()
    ground.do("ping")
    ground.run(1.0)
    from rovercam.station.updates import AnswerReceived

    assert len(ground.found(AnswerReceived, answers, name="connection_test")) == 2, "the new firmware runs"
    ground.event("update_confirmed", since, 90.0)
    assert "task_failed" not in ground.events(since)
