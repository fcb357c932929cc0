"""Files up and down, byte for byte."""

import pytest
from rovercam.station import updates
from rovercam_hil.suite.bench import SAMPLE_PATH

pytestmark = pytest.mark.cost(15)

CONTENT = bytes((7 * k * k + k // 251) & 255 for k in range(20_000))


def test_a_file_comes_down_whole(unit, ground, evidence):
    data = unit.sample()
    began = ground.elapsed
    assert ground.get(SAMPLE_PATH) == data
    evidence.value("12 000 bytes down in", ground.elapsed - began, "s")


@pytest.mark.wires("uart", "usb")
def test_a_file_goes_up_and_comes_back(ground, chance, evidence):
    data = chance.randbytes(1500)
    began = ground.elapsed
    ground.put(data, "/t/up.bin")
    evidence.value("1500 bytes up in", ground.elapsed - began, "s")
    assert ground.get("/t/up.bin") == data
    listed = ground.answer("file_list", "list_files", path="/t")
    assert "up.bin" in str(listed)
    ground.do("delete_file", path="/t/up.bin")
    assert "unknown_file" in ground.refused("report_file", path="/t/up.bin")


@pytest.mark.slow
@pytest.mark.fresh(extra={"/t/long.bin": CONTENT * 15})
def test_a_long_transfer_through_a_bad_line(ground, line, evidence):
    line.set("ber=1e-4,drop=2e-4,insert=1e-4")
    began = ground.elapsed
    assert ground.get("/t/long.bin", timeout=900) == CONTENT * 15
    evidence.value("300 000 bytes through 1e-4 in", ground.elapsed - began, "s")
    done = ground.found(updates.TransferChanged, 0, lambda t: t.status == "active")
    evidence.plot(
        "bytes down", {"received": ([u.time - ground.session.start for u in done], [u.received for u in done])}
    )
