"""The ground station for notebooks and scripts: tables, arrays and plain calls, no event loop. See docs/notebook.md."""

from rovercam.notebook.link import Unit, connect
from rovercam.notebook.reading import Picture, Reader, open
from rovercam.notebook.table import Table

__all__ = ["Picture", "Reader", "Table", "Unit", "connect", "open"]
