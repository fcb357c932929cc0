"""Boards that labgrid manages: on another machine, leased for the time of a run. Needs the extra ``lab``.

    rovercam hil --board labgrid:docs/lab/environment.yaml

The environment names the place (``RemotePlace``) or local resources, and, where power can be switched, a power driver of
labgrid's. See docs/hil.md, "Boards on other machines".
"""
