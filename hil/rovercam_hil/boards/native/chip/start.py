"""Starts a unit in MicroPython's unix port: the chip's modules under their names, the flash as the root, then boot.py and main.py.

start.py fd_in fd_out flash_file reset_cause scratch0 scratch1
"""

import os
import struct
import sys

import chiplink
import chipmachine
import chiptasks
import chiptime
from chiplink import link

_BLOCK = 4096
_PAGE = 256
_ERASE, _PROGRAM = b"\1", b"\0"


class Flash:
    """The flash's file as a block device; it takes the time that the chip takes, and meanwhile the firmware stands still."""

    def __init__(self, path):
        self._file = open(path, "r+b")  # noqa: SIM115 - for good
        self._blocks = os.stat(path)[6] // _BLOCK

    def readblocks(self, number, buf, offset=0):
        self._file.seek(number * _BLOCK + offset)
        self._file.readinto(buf)

    def writeblocks(self, number, buf, offset=None):
        if offset is None:
            self.ioctl(6, number)
        for at in range(0, len(buf), _PAGE):  # what a power cut comes between
            link.call(chiplink.FLASH, _PROGRAM)
            self._file.seek(number * _BLOCK + (offset or 0) + at)
            self._file.write(memoryview(buf)[at : at + _PAGE])

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._blocks
        if operation == 5:
            return _BLOCK
        if operation == 6:
            link.call(chiplink.FLASH, _ERASE)
            self._file.seek(argument * _BLOCK)
            self._file.write(b"\xff" * _BLOCK)
        return 0


def main():
    fd_in, fd_out, path, cause, low, high = sys.argv[1:]
    link.connect(int(fd_in), int(fd_out))
    chipmachine.mem32.scratch[:] = (int(low), int(high))
    chipmachine._cause = int(cause)
    sys.modules["machine"] = chipmachine
    sys.modules["time"] = sys.modules["select"] = chiptime
    sys.modules["_asyncio"] = chiptasks
    flash = Flash(path)
    os.umount("/")
    os.mount(os.VfsLfs2(flash, progsize=_PAGE, readsize=32, lookahead=32), "/")
    sys.path[:] = ["", ".frozen", "/lib"]
    link.call(chiplink.WAIT, struct.pack("<QB", 0, 0))  # how late is it?
    names = {"__name__": "__main__"}
    for name in ("/boot.py", "/main.py"):
        with open(name) as f:
            source = f.read()
        exec(compile(source, name, "exec"), names)


main()
while True:  # at the prompt, which nobody can reach here
    link.wait(1 << 62)
