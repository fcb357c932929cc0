"""The dictionary as an XTCE 1.2 mission database (OMG formal/2018-10-01), as Yamcs reads it.

One space system for what all units share (packet headers, verification, events), one below it per unit: its housekeeping
structures, answers and commands, told apart by APID. Lists in answers are described up to where they begin; parameter
values (20.2) are not, since their shape depends on their content. A settable parameter has a command of its own instead
of `set_parameter`, whose argument has another type for each.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from rovercam.dictionary.model import Dictionary, DictionaryError
from rovercam.dictionary.xtce.commands import telecommand, unit_commands
from rovercam.dictionary.xtce.telemetry import (
    GROUND_APID_UNIT,
    GROUND_EVENT_FIELDS,
    PICTURE_RECEIVED,
    shared,
    unit_reports,
)
from rovercam.dictionary.xtce.types import ROOT

NAMESPACE = "http://www.omg.org/spec/XTCE/20180204"


def xtce(dictionary: Dictionary, units: Iterable[int] = (1,)) -> str:
    """The database for these units as XML text. Raises DictionaryError for a unit id that cannot be."""
    root = ET.Element(
        "SpaceSystem",
        {"xmlns": NAMESPACE, "name": ROOT, "shortDescription": f"rovercam dictionary {dictionary.version}"},
    )
    ET.SubElement(root, "Header", {"validationStatus": "Working", "version": f"{dictionary.hash:08x}"})
    shared(root, dictionary)
    telecommand(root)
    for unit in units:
        if not 1 <= unit <= 99:
            raise DictionaryError(f"unit {unit}: units have ids 1 to 99")
        system = ET.SubElement(root, "SpaceSystem", {"name": f"unit{unit}"})
        unit_reports(system, unit, dictionary)
        unit_commands(system, unit, dictionary)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


__all__ = ["GROUND_APID_UNIT", "GROUND_EVENT_FIELDS", "NAMESPACE", "PICTURE_RECEIVED", "ROOT", "xtce"]
