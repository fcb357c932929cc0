"""time and select as the firmware sees them: on the chip's time."""

from chiplink import link

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16
_PERIOD = 1 << 30  # as on a 32-bit port
_HALF = _PERIOD >> 1
_FOREVER = 1 << 62


def ticks_us():
    return link.look() % _PERIOD


def ticks_ms():
    return link.look() // 1000 % _PERIOD


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    return (ticks + delta) % _PERIOD


def ticks_diff(end, start):
    return (end - start + _HALF) % _PERIOD - _HALF


def sleep(seconds):
    link.sleep(int(seconds * 1000000))


def sleep_ms(ms):
    link.sleep(ms * 1000)


def sleep_us(us):
    link.sleep(us)


def time():
    return link.look() // 1000000


class poll:
    """UARTs only: nothing else of the chip can be waited for. What is written is taken or refused at once."""

    def __init__(self):
        self._flags = {}

    def register(self, port, flags=POLLIN | POLLOUT):
        self._flags[port] = flags

    modify = register

    def unregister(self, port):
        self._flags.pop(port, None)

    def poll(self, timeout=-1):
        until = _FOREVER if timeout < 0 else link.now + timeout * 1000
        waits_for_input = False
        for flags in self._flags.values():
            if flags & POLLOUT:
                until = 0
            elif flags & POLLIN:
                waits_for_input = True
        link.wait(until, waits_for_input)
        found = []
        for port, flags in self._flags.items():
            ready = flags & (POLLIN | POLLOUT if link.received else POLLOUT)
            if ready:
                found.append((port, ready))
        return found

    ipoll = poll
