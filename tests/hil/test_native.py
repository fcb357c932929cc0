"""The native board's own: MicroPython's modules on the chip's time, resets, a line that overruns, firmware that hangs."""

import subprocess

import pytest
from rovercam_hil.bench.flight import Flight
from rovercam_hil.boards import filesystem
from rovercam_hil.boards.base import BoardError, BoardTimeout
from rovercam_hil.boards.native import process
from rovercam_hil.boards.native.board import NativeBoard

pytestmark = pytest.mark.usefixtures("native_board")


@pytest.fixture
def make(tmp_path):
    """make(main, **arguments of NativeBoard): a powered board that runs this program."""
    boards = []

    def make(main, **arguments):
        files = {"/boot.py": b"", "/main.py": main.encode()}
        board = NativeBoard(filesystem=filesystem.build(files), **arguments)
        boards.append(board)
        board.power_on()
        return board

    yield make
    for board in boards:
        board.close()


def printed(board):
    return bytes(board.repl_log).decode().splitlines()


TASKS = """
import asyncio

async def waits(name, ms, log):
    try:
        await asyncio.sleep_ms(ms)
        log.append(name)
        return name + "!"
    except asyncio.CancelledError:
        log.append(name + " cancelled")
        raise

async def fails():
    await asyncio.sleep_ms(5)
    raise ValueError("no")

async def main():
    log = []
    slow = asyncio.create_task(waits("slow", 300, log))
    quick = asyncio.create_task(waits("quick", 20, log))
    print(await quick, quick.done(), slow.done())
    slow.cancel()
    try:
        await slow
    except asyncio.CancelledError:
        log.append("seen")
    print(await asyncio.gather(waits("b", 40, log), waits("a", 20, log)))
    try:
        await asyncio.wait_for_ms(waits("late", 500, log), 30)
    except asyncio.TimeoutError:
        log.append("timeout")
    try:
        await asyncio.create_task(fails())
    except ValueError as error:
        log.append(repr(error))
    event = asyncio.Event()
    waiter = asyncio.create_task(event.wait())
    await asyncio.sleep_ms(1)
    event.set()
    print(await waiter)
    lock = asyncio.Lock()
    async def locked(name):
        async with lock:
            await asyncio.sleep_ms(5)
            log.append(name)
    await asyncio.gather(locked("first"), locked("second"), locked("third"))
    print(log)

asyncio.run(main())
"""


def test_asyncio_does_what_the_built_in_one_does(make, micropython):
    board = make(TASKS)
    board.run(2.0)
    stock = subprocess.run([micropython, "-c", TASKS], capture_output=True, text=True, check=True)
    assert printed(board) == stock.stdout.splitlines()
    assert len(printed(board)) == 4


def test_time_passes_while_the_firmware_waits_and_not_while_it_computes(make):
    board = make(
        "import time\n"
        "a = time.ticks_us()\nfor _ in range(100000): pass\nb = time.ticks_us()\ntime.sleep_ms(1500)\nc = time.ticks_us()\n"
        "print(time.ticks_diff(b, a), time.ticks_diff(c, b), time.ticks_diff(5, (1 << 30) - 5), time.ticks_add((1 << 30) - 1, 2))\n"
    )
    board.run(1.0)
    assert not printed(board)
    board.run(1.0)
    computed, waited, wrapped, added = map(int, printed(board)[0].split())
    assert computed < 10
    assert waited == pytest.approx(1_500_000, abs=10)
    assert (wrapped, added) == (10, 1)


def test_a_loop_that_only_looks_at_the_clock_ends(make):
    board = make(
        "import time\nt = time.ticks_ms()\nwhile time.ticks_diff(time.ticks_ms(), t) < 50: pass\nprint('over')\n"
    )
    board.run(0.04)
    assert not printed(board)
    board.run(0.02)
    assert printed(board) == ["over"]


def test_firmware_that_hangs_is_an_error(make, monkeypatch):
    monkeypatch.setattr(process, "PATIENCE_S", 0.5)
    board = make("while True: pass\n")
    with pytest.raises(BoardTimeout, match="has computed for"):
        board.run(1.0)


def test_an_error_nobody_catches_leaves_its_traceback(make):
    board = make("1 / 0\n")
    board.run(5.0)
    assert printed(board)[-1] == "ZeroDivisionError: divide by zero"
    assert board.time == pytest.approx(5.0)


def test_the_watchdog_bites_after_its_time_and_not_before(make):
    board = make("import machine, time\nprint(machine.reset_cause())\nmachine.WDT(timeout=2000)\ntime.sleep(60)\n")
    board.run(1.99)
    assert (board.resets, printed(board)) == (0, ["1"])
    board.run(0.2)
    assert (board.resets, printed(board)) == (1, ["1", "3"])
    board.run(20.0)
    assert board.resets == 11


def test_the_watchdog_bites_an_end_by_error_too(make):
    board = make("import machine\nmachine.WDT(timeout=1000)\n1 / 0\n")
    board.run(3.5)
    assert board.resets == 3


def test_what_the_scratch_registers_keep(make):
    main = (
        "import machine, time\nkept = machine.mem32[0x4005800C]\nprint(kept)\n"
        "machine.mem32[0x4005800C] = 0xFFFFFFFE if kept == 7 else 7\ntime.sleep(1)\nmachine.reset()\n"
    )
    board = make(main)
    board.run(2.5)
    assert printed(board) == ["0", "7", "-2"]
    board.power_cut()
    board.power_on()
    board.run(0.5)
    assert printed(board)[-1] == "0"


def test_edges_on_a_pin_interrupt(make):
    board = make(
        "import time\nfrom machine import Pin\nn = [0, 0]\n"
        "def edge(pin): n[pin.value()] += 1\n"
        "p = Pin(26, Pin.IN)\np.irq(edge, Pin.IRQ_RISING | Pin.IRQ_FALLING)\ntime.sleep(1)\n"
        "p.irq(None)\ntime.sleep(1)\nprint(n)\n"
    )
    pin, clock = board.mcu.gpio[26], board.mcu.clock
    for k in range(400):
        clock.create_alarm(lambda k=k: pin.set_input_value(not k & 1)).schedule((k + 1) * 5e6 + 1e6)
    board.run(3.0)
    rising, falling = map(int, printed(board)[0].strip("[]").split(",")[::-1])
    assert (rising, falling) == (100, 99) or (rising, falling) == (100, 100)


LISTENER = """
from machine import UART
import time
u = UART(0, 921600, txbuf=256, rxbuf=512)
time.sleep_ms(20)
with open("/x", "w") as f:
    f.write("y" * %d)
time.sleep_ms(20)
b = bytearray(2000)
print(u.any(), u.readinto(b), u.readinto(b), bytes(b[:3]))
"""


def test_bytes_that_come_while_flash_is_written_overrun_the_fifo(make):
    quiet = make(LISTENER % 0, baud=921600)
    quiet.write_at(bytes(range(200)), [0.010 + k / 92160 for k in range(200)])
    quiet.run(0.5)
    assert printed(quiet) == ["200 200 None b'\\x00\\x01\\x02'"]
    assert quiet.port.overruns == 0
    busy = make(LISTENER % 20000, baud=921600)
    busy.write_at(bytes(2000), [0.021 + k / 92160 for k in range(2000)])
    busy.run(3.0)
    taken = int(printed(busy)[0].split()[0])
    assert taken + busy.port.overruns == 2000
    assert taken < 600
    full = make(
        "from machine import UART\nimport time\nu = UART(0, 115200, rxbuf=512)\ntime.sleep(1)\nprint(u.any())\n"
    )
    full.write_at(bytes(700), [0.010 + k / 11520 for k in range(700)])
    full.run(2.0)
    assert printed(full) == ["544"]
    assert full.port.overruns == 156


def test_the_transmit_buffer_fills_and_empties_at_the_lines_rate(make):
    board = make(
        "from machine import UART\nimport time\nu = UART(0, 9600, txbuf=100)\n"
        "print(u.write(bytes(300)), u.write(b'x'))\ntime.sleep_ms(105)\nprint(u.write(bytes(300)))\n",
        baud=9600,
    )
    board.run(1.0)
    assert printed(board) == ["132 None", "100"]
    data, times = board.read_timed()
    assert len(data) == 232
    assert times[99] - times[0] == pytest.approx(99 / 960)


def test_the_same_seed_gives_the_same_bytes_at_the_same_times(tmp_path):
    found = []
    for k in range(2):
        made = Flight(tmp_path / str(k), native=True)
        made.session.record = True
        with made as flight:
            assert flight.command("capture", size="size_96x96").state == "done"
            flight.run(20)
            found.append(flight.session.links[0].recording)
    assert sum(len(data) for _, data in found[0]) > 5000
    assert found[0] == found[1]


def test_the_flash_file_is_the_next_boards_flash(tmp_path):
    flash = tmp_path / "flash.bin"
    for boots in (1, 2):
        with Flight(tmp_path / str(boots), native=True, flash_file=flash) as flight:
            assert flight.health()["boot_count"] == boots


def test_another_boards_flash_is_refused(tmp_path):
    other = tmp_path / "pico.bin"
    other.write_bytes(b"\xff" * 4096)
    with pytest.raises(BoardError, match="not the flash of a native unit"):
        NativeBoard(flash_file=other)


def test_what_a_sleeping_unit_did_outlives_a_reset_a_second_later(tmp_path):
    """The reports of a scheduled command are on flash half a second after it, not with the watchdog's next food."""
    with Flight(tmp_path, native=True) as flight:
        board, session = flight.unit.board, flight.session
        assert flight.command("set_mode", mode="sleep").state == "done"
        at = int(session.now) + 1000
        waiting, bringing = flight.station.schedule(1, at, "ping", {}, session.now)
        flight.until(lambda: flight.commands[bringing.id].ended, 60, "the scheduling")
        while session.now < at + 1.5:  # nobody listens
            board.run(min(20.0, at + 1.5 - session.now))
            board.read()
            session.elapsed = board.time
        board.reset(watchdog=True)
        flight.event("started", 40, since=len(flight.events))
        flight.command("retrieve_store", timeout=60)
        flight.until(lambda: flight.commands[waiting.id].ended, 60, "the scheduled command's reports")
        assert flight.commands[waiting.id].state == "done"
