"""The emulated Pico: boot, flash that takes time and can be torn, UART at its pace with its FIFO, resets, repeatability."""

import random

import pytest
from rovercam_hil.boards import filesystem
from rovercam_hil.boards import flash as nor
from rovercam_hil.boards.base import BoardError, BoardTimeout
from rovercam_hil.boards.pico import EmulatedPico

ECHO = b"""
from machine import UART, Pin
u = UART(0, %d, tx=Pin(0), rx=Pin(1), txbuf=2304, rxbuf=1024, timeout=0)
"""


def test_stock_micropython_mounts_the_file_system_built_here(make_board):
    files = {"/a/deep/data.bin": bytes(range(256)) * 40, "/config.json": b"{}"}
    board = make_board(files)
    out = board.exec(
        "import os, binascii\n"
        "print(os.statvfs('/')[:3], [n in os.listdir('/') for n in ('a', 'config.json')])\n"
        "d = open('/a/deep/data.bin','rb').read(); print(len(d), d == bytes(range(256))*40)\n"
        "with open('/new.txt','w') as f: f.write('from the board')"
    )
    assert out == "(4096, 4096, 212) [True, True]\n10240 True\n"
    board.power_off()
    found = filesystem.read_all(board.flash_bytes())
    assert {name: found[name] for name in files} == files
    assert found["/new.txt"] == b"from the board"


def test_flash_survives_power_cycles_in_a_file(micropython_image, tmp_path):
    kept = tmp_path / "flash.bin"
    first = EmulatedPico(image=micropython_image, filesystem=filesystem.build({}), flash_file=kept)
    first.exec("with open('/x','w') as f: f.write('kept')")
    first.power_off()
    second = EmulatedPico(image=micropython_image, flash_file=kept)
    assert second.exec("print(open('/x').read())") == "kept\n"
    second.close()


def test_erase_and_program_take_the_data_sheets_time(make_board):
    board = make_board()
    out = board.exec(
        "import rp2, time\n"
        "f = rp2.Flash(); b = bytearray(4096)\n"
        "t = time.ticks_us(); f.ioctl(6, 100); e = time.ticks_diff(time.ticks_us(), t)\n"
        "t = time.ticks_us(); f.writeblocks(100, b, 0); print(e, time.ticks_diff(time.ticks_us(), t))"
    )
    erase, program = map(int, out.split())
    assert erase == pytest.approx(45_000, abs=300)
    assert program == pytest.approx(16 * 400, abs=300)


def test_reception_overruns_the_fifo_during_an_erase(make_board):
    board = make_board()
    board.exec((ECHO % 115200).decode())
    start = board.time
    board.write(bytes(range(200)) * 6)  # 104 ms on the line
    got = board.exec(
        "import rp2\nrp2.Flash().ioctl(6, 100)\nimport time; time.sleep_ms(120)\nd = u.read()\nprint(len(d)); print(list(d[:400]))"
    )
    assert board.time - start > 0.1
    received = int(got.split("\n")[0])
    # 45 ms are 518 bytes; 32 of them waited in the FIFO.
    assert 1200 - received == board.port.overruns
    assert 518 - 32 - 12 <= board.port.overruns <= 518 - 32 + 12


@pytest.mark.parametrize("baud", [9600, 115200, 921600])
def test_uart_keeps_its_baud_rate_both_ways(make_board, baud):
    board = make_board(baud=baud)
    board.exec((ECHO % baud).decode())
    sent = random.Random(1).randbytes(500)
    board.write(sent)
    board.run(0.1 + 5000 / baud)
    assert board.exec("d = u.read(500)\nprint(u.write(d))") == "500\n"
    board.run(5000 / baud)
    data, times = board.read_timed()
    assert data == sent
    assert (times[-1] - times[0]) / 499 == pytest.approx(10 / baud, rel=0.01)


def test_every_prefix_of_the_flash_writes_boots(make_board):
    board = make_board({"/keep": b"old"}, flash_log=True)
    before = board.flash_bytes()
    board.exec("for i in range(3):\n with open('/f%d' % i, 'w') as f: f.write('x' * 300)")
    log = board.flash_log
    assert len(log) >= 6
    assert nor.replay(before, log, len(log)) == board.flash_bytes()
    for count in range(0, len(log) + 1, 3):
        files = filesystem.read_all(bytes(nor.replay(before, log, count)))
        assert files["/keep"] == b"old"
        for name in set(files) - {"/keep"}:
            assert files[name] in (b"", b"x" * 300)


def test_power_cut_inside_an_erase_leaves_a_torn_sector_that_micropython_survives(make_board):
    board = make_board({"/keep": b"old"}, flash_log=True)
    board.cut_power_at_flash_op(board.flash_operations + 4, 0.5)
    with pytest.raises((BoardTimeout, BoardError)):
        board.exec("for i in range(99):\n with open('/f%d' % i, 'w') as f: f.write('x' * 3000)", timeout=5)
    assert not board.powered
    board.power_on()
    board.run(0.3)
    assert board.exec("print(open('/keep').read())") == "old\n"


def test_torn_operations_are_between_before_and_after(make_board):
    board = make_board()
    at = board.flash_operations
    board.repl_write(b"\x01import rp2; f = rp2.Flash(); f.ioctl(6, 150); f.writeblocks(150, bytes(4096), 0)\x04")
    board.cut_power_at_flash_op(at + 5, 0.5)  # the erase, then pages 0 to 3 whole, page 4 half
    board.run(1.0)
    block = board.flash_bytes()[filesystem.OFFSET + 150 * 4096 :][:4096]
    assert block[: 4 * 256 + 128] == bytes(4 * 256 + 128)
    assert block[4 * 256 + 129 :] == b"\xff" * (4096 - 4 * 256 - 129)


def test_machine_reset_and_reset_pin_restart_the_firmware(make_board):
    board = make_board({"/main.py": b"import machine, time; time.sleep(1); print('cause', machine.reset_cause())"})
    board.run(1.0)
    assert board.repl_log.count(b"cause 1") == 1
    board.repl_write(b"import machine\rmachine.reset()\r")
    board.run(2.0)
    assert board.repl_log.count(b"cause 3") == 1
    board.reset()
    board.run(1.5)
    assert board.repl_log.count(b"cause 1") == 2
    assert board.resets == 2


def test_same_seed_same_bytes(micropython_image):
    def once():
        main = ECHO % 115200 + b"import time\nfor i in range(50):\n  u.write(b'%d %d\\n' % (i, time.ticks_us()))\n"
        board = EmulatedPico(image=micropython_image, filesystem=filesystem.build({"/main.py": main}))
        board.power_on()
        for slice_s in (0.013, 0.2, 0.05, 0.3):
            board.run(slice_s)
        return board.read_timed()

    first, second = once(), once()
    assert len(first[0]) > 300
    assert first == second


def test_usb_can_be_the_line(make_board):
    board = make_board(usb=True)
    board.write(b"print(6*7)\r")
    board.run(0.3)
    assert b"42\r\n" in board.read()


def test_strap_pin_is_seen(make_board):
    pin = "from machine import Pin; print(Pin(22, Pin.IN, Pin.PULL_UP).value())"
    assert make_board().exec(pin) == "1\n"
    assert make_board(strap=True).exec(pin) == "0\n"


def test_tracebacks_and_hangs_are_reported(make_board):
    board = make_board()
    with pytest.raises(BoardError, match="ZeroDivisionError"):
        board.exec("1/0")
    with pytest.raises(BoardTimeout, match="not within"):
        board.exec("while True: pass", timeout=0.2)
