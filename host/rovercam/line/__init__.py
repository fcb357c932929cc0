"""A pyserial URL, or a recording, as an async byte stream. Knows no protocol."""

from rovercam.line.errors import BadRecording, LineError, LineLost, PortBusy, PortDenied, PortMissing

__all__ = ["BadRecording", "LineError", "LineLost", "PortBusy", "PortDenied", "PortMissing"]
