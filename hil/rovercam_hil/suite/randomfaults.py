"""One random fault scenario: two to four faults at once while the unit works, then mended; it must come back.

Checked: the unit takes commands again; a file that it had acknowledged before is still whole; every camera and sensor
fault that the unit met is named in an event, so is every start. An event is sent once: where the line itself lost things,
the housekeeping that tells the same counts instead. Everything follows from the name of the scenario.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from rovercam.station import updates

if TYPE_CHECKING:
    from rovercam_hil.suite.bench import BenchUnit, Power
    from rovercam_hil.suite.ground import Ground

KEPT = "/t/kept.bin"
SENSORS = {"weather": 2, "power": 4, "attitude": 8}
CAMERA_FAULTS = (("dead", True), ("wrong_id", 0x42), ("busy", True), ("never_ready", True), ("length", 999), ("brown_out", True),
                 ("corrupted_fifo", 0.05))  # fmt: skip
LINES = (
    "ber=2e-4",
    "ber=1e-3",
    "drop=1e-3,insert=1e-3",
    "burst=0.03,burst_len=10",
    "outage=0.5-4",
    "up.ber=2e-3",
    "delay=0.3",
)
BREAKING = ("dead", "wrong_id", "busy", "never_ready", "length")


def run_scenario(unit: BenchUnit, ground: Ground, power: Power, name: str) -> list[str]:
    """Returns what was done. Raises AssertionError (FactMissing) when the unit does not come back or hides a fault."""
    rng = random.Random(f"faults/{name}")
    rig = unit.models
    kept = rng.randbytes(1500)
    ground.put(kept, KEPT)
    boot = ground.telemetry("health", 30.0).values["boot_count"]
    since = ground.mark()
    resets = unit.emulated.resets
    plan: list[str] = []
    kinds = rng.sample(["camera", "sensor", "line", "power", "reset", "cut_in_write"], rng.randint(2, 4))
    sensor_name, sensor_fault, camera_fault = "", "", ""
    if "sensor" in kinds:
        sensor_name, sensor_fault = rng.choice(list(SENSORS)), rng.choice(["dead", "nack_data", "stuck", "brown_out"])
        getattr(rig, sensor_name).inject(sensor_fault)
        plan.append(f"{sensor_name} {sensor_fault}")
    if "camera" in kinds:
        camera_fault, value = rng.choice(CAMERA_FAULTS)
        rig.camera.inject(camera_fault, value)
        plan.append(f"camera {camera_fault}")
    if "line" in kinds:
        spec = rng.choice(LINES)
        unit.wire.set(spec)
        plan.append(spec)
    ground.queue("capture", camera="mast", size="size_96x96", codec=rng.choice(["raw", "rate"]), width=96, height=24)
    ground.queue("ping")
    if "cut_in_write" in kinds:
        power.cut_in_flash_write(rng.randint(1, 12), rng.random())
    ground.run(rng.uniform(0.1, 2.5))
    cut = not unit.board.powered  # the unit need not have written so often by now, then it goes on
    unit.emulated.forget_power_cut()
    if cut:
        plan.append("power cut in a flash write")
    if "reset" in kinds and unit.board.powered:
        power.reset()
        plan.append("reset pin")
    if "power" in kinds and unit.board.powered:
        power.cut()
        cut = True
        plan.append("power cut")
        ground.run(rng.uniform(0.0, 1.0))
        power.on()
    # With the sensor still broken the unit must go on, and say so.
    if not unit.board.powered:
        power.on()
    interrupted = cut or unit.emulated.resets != resets
    lossy = "line" in kinds

    def sensor_present(present: bool) -> bool:
        told = ground.found(updates.Telemetry, since, structure="environment")
        return any(bool(t.values["sensors_present"] & SENSORS[sensor_name]) == present for t in told)

    watched = sensor_fault not in ("", "brown_out") and not interrupted
    if watched and lossy:
        ground.wait(f"a report without {sensor_name}", lambda: sensor_present(False), 40.0)
    elif watched:
        ground.event("sensor_failed", since, 40.0, sensor=SENSORS[sensor_name])
    camera_met = [
        c for c in ground.found(updates.CommandChanged, since) if c.name == "capture" and "camera" in c.reason
    ]
    unit.mend()
    unit.wait_started(90.0) if interrupted else unit.commandable(90.0)
    if camera_met and camera_fault in BREAKING and not lossy:
        ground.event("camera_failed", since, 30.0)
    if watched:  # the line is clear again
        ground.event("sensor_back", since, 40.0, sensor=SENSORS[sensor_name])
    if interrupted and not lossy:
        ground.event("started", since, 30.0)
    ended = ground.telemetry("health", 30.0).values
    assert ended["mode"] == "normal"
    if interrupted:
        assert ended["boot_count"] > boot, "it started anew and does not say so"
    assert ground.get(KEPT) == kept, "an acknowledged file was lost"
    failed = [e for e in ground.found(updates.EventReceived, since) if e.name == "task_failed"]
    assert not failed, f"a task failed: {[e.text for e in failed]}"
    unit.disturbed = False
    return plan
