"""The board's link alone: bounds, counters, FARM-1's table, silence of the ground."""

import pytest
from rovercam.places import firmware_dir

FARM = "from rover.link.farm import Farm\nfrom rover.link import downlink, profiles, spacepacket"


@pytest.fixture(scope="module")
def board(worker):
    worker.run(FARM)
    return worker


def test_queue_is_bounded_and_says_what_it_drops(board):
    board.run(
        "d = downlink.Downlink(1, 0, 100)\np = bytearray(40)\nspacepacket.put_header(p, 0, 5, 0, 40)\n"
        "r = [d.send(p) for _ in range(4)] + [d.send(b'short'), d.send(bytes(30))]"
    )
    assert board.eval("r") == [True, True, False, False, False, False]
    assert board.eval("(d.vc0_packets, d.vc0_dropped, d.pending())") == (2, 4, 80)
    board.run("d.next_frame()")
    assert board.eval("d.pending()") == 0


def test_says_nothing_when_there_is_nothing_to_say(board):
    board.run("d = downlink.Downlink(1, 3)\nd.next_frame()")
    assert board.eval("d.next_frame()") is None
    assert board.eval("len(d.next_frame(True))") == 259
    board.run("d.set_clcw(0x01000007)")
    assert board.eval("len(d.next_frame())") == 259
    assert board.eval("d.next_frame()") is None
    board.run("d.set_profile(15)\nd.probe = 2")
    assert board.eval("[len(d.next_frame() or b'') for _ in range(3)]") == [2044, 2044, 0]


def test_falls_back_when_the_ground_is_silent(board):
    board.run("d = downlink.Downlink(1, 11, 100, 1000)\nd.heard(5000)")
    assert board.eval("[d.tick(5900), d.profile]") == [False, 11]
    assert board.eval("[d.tick(6001), d.profile, d.fallbacks]") == [True, 0, 1]
    assert board.eval("d.tick(99000)") is False


@pytest.mark.parametrize("number", [-1, 16])
def test_profiles_are_a_closed_table(board, number):
    with pytest.raises(Exception, match="profile must be 0 to 15"):
        board.run(f"downlink.Downlink(1).set_profile({number})")


@pytest.mark.parametrize(
    ("state", "ns", "room", "taken", "after", "vr", "retransmit"),
    [
        (0, 10, True, True, 0, 11, False),  # E1
        (0, 10, False, False, 1, 10, True),  # E2
        (0, 11, True, False, 0, 10, True),  # E3
        (0, 136, True, False, 0, 10, True),  # E3, last of the positive half
        (0, 137, True, False, 2, 10, False),  # E5
        (0, 138, True, False, 2, 10, False),  # E5
        (0, 139, True, False, 0, 10, False),  # E4, first of the negative half
        (0, 9, True, False, 0, 10, False),  # E4
        (1, 10, True, False, 1, 10, False),
        (1, 11, True, False, 1, 10, True),
        (1, 138, True, False, 2, 10, False),
        (2, 10, True, False, 2, 10, False),
        (2, 11, True, False, 2, 10, False),
    ],
)
def test_farm_table(board, state, ns, room, taken, after, vr, retransmit):
    board.run(f"f = Farm()\nf.vr = 10\nf.state = {state}\nr = f.type_a({ns}, {room})")
    assert board.eval("(r, f.state, f.vr, f.retransmit)") == (taken, after, vr, retransmit)


def test_farm_control(board):
    board.run("f = Farm()\nf.state = 2\nf.set_vr(9)")
    assert board.eval("(f.vr, f.state, f.b_counter)") == (0, 2, 1)  # Set V(R) has no effect in lockout
    board.run("f.unlock()\nf.set_vr(9)")
    assert board.eval("(f.vr, f.state, f.b_counter)") == (9, 0, 3)
    assert board.eval("f.clcw(4)") == 4 << 26 | 1 << 24 | 3 << 9 | 9


def test_both_ends_have_the_same_table(board):
    from rovercam.protocol.profiles import TABLE

    assert (firmware_dir() / "rover" / "link" / "profiles.py").exists()
    rows = board.eval(
        "[(profiles.SYMBOLS[i], profiles.DEPTH[i], profiles.T[i], profiles.line_length(i)) for i in range(profiles.COUNT)]"
    )
    assert rows == [(p.symbols, p.depth, p.t, p.line_length) for p in TABLE]
