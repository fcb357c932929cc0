"""Every telecommand of the dictionary, none skipped, with good, boundary and bad arguments, over a noisy line.

Generated: for each command its defaults, the least and the greatest value of every argument, and bad packets (an argument beyond its range,
one byte too few, one too many), which the unit must refuse by itself: they are made by hand, past the host's own checks.

A seeded sample of the commands in every run; all of them: pytest tests/hil/test_every_command.py -m "slow or not slow"
"""

import random
import struct

import pytest
from rovercam.dictionary import encode_command, load, to_engineering
from rovercam.dictionary.fields import base_type, raw_range
from rovercam.protocol import pus, sequences
from rovercam_hil.bench.flight import Flight
from rovercam_hil.line.link import Link
from rovercam_hil.line.spec import LineSpec

D = load()
FORMATS = {"u8": ">B", "u16": ">H", "u32": ">I", "i8": ">b", "i16": ">h", "i32": ">i"}
PING = pus.build_command(D.apid(1), 1, 17, 1, b"")

# What an argument must be for the command to make sense on a fresh unit; everything else is generated.
GOOD = {
    "parameter": 103,
    "parameters": [1, 2, 103],
    "value": 3,
    "events": [9],
    "path": "/q/file",
    "entry": 1,  # of something that is really there: see prepare()
    "product": 1,
    "transfer": 1,
    "target": "/q/file2",
    "sequence": "seq",
    "seconds": 4_000_000_000,
    "packet": PING,
    "structure": 9,
    "monitor": 1,
    "low": 0,
    "event": 20,
    "size": "qqvga",
    "camera": "pattern",
    "codec": "raw",
    "downlink": False,
    "distance": 5.0,
    "angle": 90.0,
    "nonce": "616263",  # too short: a new key would shut out the commands that follow; hil/scenarios/test_keys.py rotates
    "count": 2,
    "left": 20.0,
    "right": -20.0,
}
MOVING = ("drive", "turn", "crab")  # long ones: stopped when they have started
SERIES = ("capture_series", "capture_panorama")  # likewise
FIRST = (
    "create_housekeeping",
    "insert_schedule",
    "add_monitor",
    "add_action",
)  # what the others of their service work on
LAST = ("set_mode", "set_profile", "restart", "repl")  # these change what the others meet
# What a unit that has no such thing answers, and nothing else will do: command -> the argument that is not the good one -> reason; "" are the
# good arguments themselves, and stand for what is not listed. None: it is done.
REFUSED = {
    "capture": {"x=2591": "bad_region", "y=1943": "bad_region"},
    "capture_panorama": {"left=-180.0": "out_of_range", "right=180.0": "out_of_range"},  # the left edge to the right of the right one
    "rotate_key": {"": "unsupported"},
    "install_update": {"": "damaged"},
    "insert_schedule": {"seconds=0": "too_late"},
    "delete_schedule": {"entry=0": "out_of_range", "entry=65535": "out_of_range"},
    "shift_entry": {"entry=0": "out_of_range", "entry=65535": "out_of_range"},
    "add_monitor": {"high=-2147483648": "out_of_range"},
    "delete_action": {"detail=255": "out_of_range"},  # the same as the good one, which is gone by then
    "suspend_transfer": {"transfer=0": "unknown_transfer", "transfer=65535": "unknown_transfer"},
    "resume_transfer": {"transfer=0": "unknown_transfer", "transfer=65535": "unknown_transfer"},
    "cancel_transfer": {"transfer=0": "unknown_transfer", "transfer=65535": "unknown_transfer"},
    "downlink_product": {"product=0": "unknown_file", "product=65535": "unknown_file"},
    "delete_product": {"product=0": "unknown_file", "product=65535": "unknown_file"},
    "protect_product": {"product=0": "unknown_file", "product=65535": "unknown_file"},
}  # fmt: skip
GOOD_FOR = {"list_files": {"path": "/q"}}  # where the same argument means another thing


def refusal(command, arguments):
    """Why the unit has to refuse these arguments, None when it has to do it."""
    known = REFUSED.get(command.name, {})
    changed = [f"{k}={v}" for k, v in arguments.items() if good(command).get(k) != v]
    return known.get(changed[0] if changed else "", known.get(""))


def good(command):
    values = {}
    for field in command.args:
        if field.name in GOOD:
            values[field.name] = GOOD_FOR.get(command.name, GOOD)[field.name]
        elif field.default is None:
            low, _ = raw_range(field, D)
            values[field.name] = to_engineering(field, low, D)
    return values


def numeric(field):
    return not field.type.endswith("[]") and base_type(field.type, D.enums) in (*FORMATS, "bool")


def ends(field):
    """Least and greatest raw value that the dictionary allows."""
    names = D.enums.get(field.type)
    return (
        (min(names.values()), max(names.values())) if names else (0, 1) if field.type == "bool" else raw_range(field, D)
    )


def boundaries(command):
    """The good arguments with one at its least or greatest value."""
    for field in command.args:
        if numeric(field) and field.name not in (
            "packet",
            "parameter",
            "exposure",
            "width",
            "height",
            "size",
            "codec",
            "camera",
        ):
            for raw in ends(field):
                yield {**good(command), field.name: to_engineering(field, raw, D)}


def bad(command):
    """Bodies that the unit must refuse: too short, too long, each argument beyond each end of its range."""
    body = encode_command(command, good(command), D)
    if not any(f.type == "value" for f in command.args):
        yield body + b"\0", "wrong_length"
        if len(body) > (command.function is not None):
            yield body[:-1], "wrong_length"
    for index, field in enumerate(command.args):
        if not numeric(field):
            continue
        base = "u8" if field.type in D.enums or field.type == "bool" else base_type(field.type, D.enums)
        size = struct.calcsize(FORMATS[base])
        low, high = ends(field)
        for raw in (low - 1, high + 1):
            try:
                packed = struct.pack(FORMATS[base], int(raw))
            except struct.error:
                continue  # the type itself ends here
            prefix = b"" if command.function is None else bytes([command.function])
            before = [encode_part(command, k) for k in range(index)]
            after = [encode_part(command, k) for k in range(index + 1, len(command.args))]
            assert len(packed) == size
            yield prefix + b"".join(before) + packed + b"".join(after), "out_of_range"


def encode_part(command, index):
    """One argument's bytes, cut out of the encoding of the first `index` + 1."""
    import dataclasses

    values = good(command)

    def upto(n):
        short = dataclasses.replace(command, args=command.args[:n])
        return encode_command(short, {k: v for k, v in values.items() if k in {f.name for f in short.args}}, D)

    return upto(index + 1)[len(upto(index)) :]


@pytest.fixture(scope="module")
def flight(micropython_image, tmp_path_factory):
    line = Link(LineSpec.parse("ber=2e-5,seed=5"))
    extra = {
        "/q/file": b"contents",
        "/q/big": random.Random(1).randbytes(40_000),
        "/q/seq": sequences.pack("500 ping", D, 1),
    }
    with Flight(
        tmp_path_factory.mktemp("every"), image=micropython_image, extra=extra, down=line.down, up=line.up
    ) as running:
        running.made = set()
        yield running


def raw_command(flight, command, body):
    """Send a body as it is; the unit's refusal as (state, reason)."""
    original = flight.station.dictionary
    from rovercam.station import commanding

    real = commanding.encode_command
    commanding.encode_command = lambda *_: body
    try:
        number = flight.send(command.name, **good(command))
    finally:
        commanding.encode_command = real
    assert flight.station.dictionary is original
    flight.until(lambda: flight.commands[number].ended, 60, f"the end of {command.name}")
    return flight.commands[number]


def rank(command):
    """Things are made, used and deleted, service by service."""
    name = command.name
    late = 1 + LAST.index(name) if name in LAST else 0
    return late, command.service, 0 if name in FIRST else 2 if name.startswith("delete_") else 1, command.subtype


ORDER = sorted(D.commands.values(), key=rank)


def test_none_is_skipped():
    assert {c.name for c in ORDER} == set(D.commands)
    assert sum(1 for c in ORDER for _ in bad(c)) > 2 * len(ORDER)


def sampled(seed, count, without=()):
    """All commands as parameters; those outside a seeded sample are slow, and those that take minutes."""
    chosen = {c.name for c in random.Random(seed).sample([c for c in ORDER if c.name not in LAST], count)} - {*without}
    slow = pytest.mark.slow  # all of them: some 700 commands at a few tenths of a second
    return [pytest.param(c, id=c.name, marks=() if c.name in chosen else slow) for c in ORDER]


@pytest.mark.parametrize("command", sampled(1, 6))
def test_bad_arguments_are_refused_by_the_unit(flight, command):
    for body, reason in bad(command):
        failed = raw_command(flight, command, body)
        assert failed.state == "failed", (body.hex(), reason)
        assert failed.reason.split(" ")[0] == reason, (body.hex(), failed.reason)


def stopped_on_the_way(flight, command, arguments):
    """A drive is stopped once the wheels turn; one that is refused is ended by then."""
    number = flight.send(command.name, **arguments)
    body = flight.unit.rig.chassis.body
    flight.until(lambda: any(body.duty) or flight.commands[number].ended, 60, f"wheels or the end of {command.name}")
    assert flight.command("stop_drive").state == "done"
    flight.until(lambda: flight.commands[number].ended, 60, f"the end of {command.name}")
    return flight.commands[number]


def stopped_series(flight, command, arguments):
    """A series is stopped after a few seconds; one that is short or refused has ended by then."""
    number = flight.send(command.name, **arguments)
    until = flight.session.elapsed + 3.0
    flight.until(lambda: flight.commands[number].ended or flight.session.elapsed > until, 60, command.name)
    assert flight.command("stop_series").state == "done"
    flight.until(lambda: flight.commands[number].ended, 120, f"the end of {command.name}")
    return flight.commands[number]


def prepare(flight, command):
    """Make what the good arguments name: a structure, a monitor, a schedule entry, a product, a transfer under way."""
    needs = {field.name for field in command.args}
    for maker in (D.commands[name] for name in FIRST):
        if maker.service == command.service and maker.name not in flight.made:
            flight.made.add(maker.name)
            if maker != command:
                for arguments in (good(maker), *boundaries(maker)):
                    flight.command(maker.name, **arguments)
    if command.name == "abort_sequence":
        flight.command("run_sequence", sequence=GOOD["sequence"])
    if "entry" in needs:
        flight.command("insert_schedule", seconds=GOOD["seconds"], packet=PING)
        seen = len(flight.answers)
        flight.command("list_schedule")
        GOOD["entry"] = flight.answer("schedule", since=seen).values["items"][-1]["entry"]
    if "product" in needs:
        seen = len(flight.events)
        flight.command("capture", **good(D.commands["capture"]))
        GOOD["product"] = flight.event("picture_taken", since=seen).values["product"]
    if "transfer" in needs:
        known = set(flight.transfers)
        flight.command("downlink_file", path="/q/big")
        flight.until(lambda: set(flight.transfers) - known, 30, "the transfer")
        GOOD["transfer"] = flight.transfers[max(set(flight.transfers) - known)].number
        if command.name == "resume_transfer":
            flight.command("suspend_transfer", transfer=GOOD["transfer"])


def put_back(flight, command):
    """What would be in the way of the commands that follow."""
    if command.name == "set_parameter":
        flight.command("set_parameter", parameter="keep_alive_period", value=2)
    elif command.name == "set_time":
        flight.command("set_time", seconds=int(flight.session.now), fraction=0)


@pytest.mark.timeout(3600)  # `capture` has some forty cases: ten minutes on a loaded machine
@pytest.mark.parametrize("command", sampled(2, 6, ("capture", *SERIES, *MOVING)))
def test_good_and_boundary_arguments_end_as_they_should(flight, command):
    prepare(flight, command)
    cases = [good(command)]
    if command.name not in LAST:
        cases += list(boundaries(command))
    seen = len(flight.events)
    wrong = []
    for arguments in cases:
        if command.name in MOVING:
            done = stopped_on_the_way(flight, command, arguments)
            nothing_to_do = not arguments.get("distance", arguments.get("angle"))
            assert done.reason in ("stopped", "too_far") or nothing_to_do, (arguments, done.reason)
            continue
        series = command.name in SERIES
        done = (
            stopped_series(flight, command, arguments)
            if series
            else flight.command(command.name, timeout=60, **arguments)
        )
        reason = done.reason.split(" ")[0] if done.state != "done" else None
        if reason != refusal(command, arguments) and not (series and reason == "stopped"):
            wrong.append((arguments, done.state, reason, refusal(command, arguments)))
        put_back(flight, command)
    assert not wrong
    assert "task_failed" not in [e.name for e in flight.events[seen:]]
    if command.name == "restart":
        flight.event("started", 20, since=seen)
    elif command.name == "repl":
        flight.run(4)
        assert b">>>" in bytes(flight.unit.board.repl_log)
