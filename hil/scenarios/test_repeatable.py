"""Free-running: the same seed gives the same bytes at the same times, noise on the line included."""

from rovercam_hil.suite.bench import digest


def test_same_seed_same_recording(bench, wire_kind, evidence):
    digests = []
    for _ in range(2):
        unit = bench.fresh(wire_kind)
        assert unit.emulated  # a real board's clock is its own: skipped there
        unit.wire.set("ber=5e-5,drop=1e-4")
        unit.ground.send("ping")
        unit.ground.run(6.0)
        digests.append(digest(unit.wire.recording))
        unit.close()
    evidence.value("SHA-256 of the recording", digests[0][:16])
    assert digests[0] == digests[1]
