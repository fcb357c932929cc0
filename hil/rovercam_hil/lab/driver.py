"""labgrid's driver of a camera unit: where its line is, and its power if that can be switched.

Named in an environment's ``drivers:`` as ``RoverCameraDriver``, with ``imports: [rovercam_hil.lab.driver]``. It opens
nothing: the bench opens the line itself, so that scenarios are the same for every board.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attr
from labgrid.driver import Driver
from labgrid.factory import target_factory
from labgrid.protocol import PowerProtocol
from labgrid.resource import SerialPort
from labgrid.util.proxy import proxymanager


@target_factory.reg_driver
@attr.s(eq=False)
class RoverCameraDriver(Driver):
    """``port``: SerialPort (local), or NetworkSerialPort as exporters offer it. ``power``: any power driver, if there is one."""

    bindings: ClassVar[dict[str, Any]] = {
        "port": {"SerialPort", "NetworkSerialPort"},
        "power": {PowerProtocol, None},
    }

    @property
    def url(self) -> str:
        """The line as pyserial opens it."""
        port: Any = self.port
        if isinstance(port, SerialPort):
            return str(port.port)
        host, number = proxymanager.get_host_and_port(port)
        scheme = {"rfc2217": "rfc2217", "raw": "socket"}[port.protocol]
        return f"{scheme}://{host}:{number}"

    @property
    def baud(self) -> int:
        return int(self.port.speed)  # type: ignore[attr-defined]

    def switch(self, on: bool) -> None:
        """Supply on or off, by labgrid's power driver."""
        self.target.activate(self.power)  # type: ignore[attr-defined]
        (self.power.on if on else self.power.off)()  # type: ignore[attr-defined]
