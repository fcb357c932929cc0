"""The console in the browser and the HTTP API; reads the archive and the station, never a line. Needs `rovercam[web]`.

Imported only when a console is asked for: NiceGUI takes longer to load than most commands run.
"""

from rovercam.web.server import serve

__all__ = ["serve"]
