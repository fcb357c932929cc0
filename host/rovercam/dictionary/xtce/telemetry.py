"""Reports in XTCE: packets, verification and events that all units share, and each unit's housekeeping and answers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from rovercam.dictionary.model import Dictionary, Field, Parameter, Structure
from rovercam.dictionary.xtce.types import ROOT, enumeration, write_type

BODY = 19 * 8
"""Bits before a report's source data: packet header of 6 bytes, PUS-C secondary header of 13."""
GROUND_APID_UNIT = 0
PICTURE_RECEIVED = 250
"""Event id of the station's own report, from the ground's APID; on-board ids end below."""
GROUND_EVENT_FIELDS = (
    Field(name="source_unit", type="u8"),
    Field(name="product", type="u16"),
    Field(name="width", type="u16"),
    Field(name="height", type="u16"),
    Field(name="url", type="string"),
)


class _Telemetry:
    """The four sets of one space system's telemetry."""

    def __init__(self, system: ET.Element, dictionary: Dictionary):
        data = ET.SubElement(system, "TelemetryMetaData")
        self.types = ET.SubElement(data, "ParameterTypeSet")
        self.parameters = ET.SubElement(data, "ParameterSet")
        self.containers = ET.SubElement(data, "ContainerSet")
        self.dictionary = dictionary

    def parameter(self, field: Field | Parameter, name: str = "", *, bits: int | None = None) -> str:
        name = name or field.name
        write_type(self.types, "Parameter", name, field, self.dictionary, bits=bits)
        attributes = {"name": name, "parameterTypeRef": name}
        if field.text:
            attributes["shortDescription"] = field.text
        ET.SubElement(self.parameters, "Parameter", attributes)
        return name

    def container(
        self,
        name: str,
        entries: Sequence[tuple[str, int | None]],
        base: str = "",
        where: Sequence[tuple[str, str | int]] = (),
    ) -> None:
        """entries: (parameter, bits from the start of the packet; None: right behind the one before)."""
        container = ET.SubElement(self.containers, "SequenceContainer", {"name": name})
        listed = ET.SubElement(container, "EntryList")
        for parameter, at in entries:
            entry = ET.SubElement(listed, "ParameterRefEntry", {"parameterRef": parameter})
            if at is not None:
                location = ET.SubElement(entry, "LocationInContainerInBits", {"referenceLocation": "containerStart"})
                ET.SubElement(location, "FixedValue").text = str(at)
        if base:
            parent = ET.SubElement(container, "BaseContainer", {"containerRef": base})
            if where:
                criteria = ET.SubElement(ET.SubElement(parent, "RestrictionCriteria"), "ComparisonList")
                for parameter, value in where:
                    ET.SubElement(criteria, "Comparison", {"parameterRef": parameter, "value": str(value)})


def shared(root: ET.Element, dictionary: Dictionary) -> None:
    tm = _Telemetry(root, dictionary)
    eleven, fourteen = Field(name="apid", type="u16"), Field(name="sequence_count", type="u16")
    tm.parameter(eleven, bits=11)
    tm.parameter(fourteen, bits=14)
    for name in ("service", "subtype", "structure_id"):
        tm.parameter(Field(name=name, type="u8"))
    tm.container("packet", [("apid", 5), ("sequence_count", 18), ("service", 56), ("subtype", 64)])

    tm.parameter(Field(name="request_apid", type="u16"), bits=11)
    tm.parameter(Field(name="request_sequence", type="u16"), bits=14)
    enumeration(
        tm.types, "Parameter", "failure_code", {n: c for c, n in dictionary.failures.items()} | {"none": 0}, bits=16
    )
    ET.SubElement(tm.parameters, "Parameter", {"name": "failure_code", "parameterTypeRef": "failure_code"})
    tm.parameter(Field(name="failure_detail", type="u16"))
    tm.container(
        "verification", [("request_apid", BODY + 5), ("request_sequence", BODY + 18)], "packet", [("service", 1)]
    )
    for subtype, stage in ((2, "acceptance"), (4, "start"), (6, "progress"), (8, "completion")):
        tm.container(
            f"{stage}_failed",
            [("failure_code", BODY + 32), ("failure_detail", None)],
            "verification",
            [("subtype", subtype)],
        )

    numbers = {e.name: e.id for e in dictionary.events.values()} | {"picture_received": PICTURE_RECEIVED}
    enumeration(tm.types, "Parameter", "event_id", numbers)
    ET.SubElement(tm.parameters, "Parameter", {"name": "event_id", "parameterTypeRef": "event_id"})
    tm.container("event", [("event_id", BODY)], "packet", [("service", 5)])
    for event_name, fields in [*((e.name, e.fields) for e in dictionary.events.values()),
                               ("picture_received", GROUND_EVENT_FIELDS)]:  # fmt: skip
        entries = [(tm.parameter(f, f"{event_name}_{f.name}"), None) for f in fields]
        tm.container(f"event_{event_name}", entries, "event", [("event_id", event_name)])


def unit_reports(system: ET.Element, unit: int, dictionary: Dictionary) -> None:
    tm = _Telemetry(system, dictionary)
    up = f"/{ROOT}/"
    apid = dictionary.apid(unit)
    named: set[str] = set()
    tm.container("report", [], f"{up}packet", [(f"{up}apid", apid)])
    tm.container("housekeeping", [(f"{up}structure_id", BODY)], "report", [(f"{up}service", 3), (f"{up}subtype", 25)])
    for structure in dictionary.structures.values():
        _structure(tm, structure, named)
    for report in dictionary.reports.values():
        entries = []
        for field in report.fields:
            if field.repeat or field.type == "value":
                break
            entries.append(tm.parameter(field, f"{report.name}_{field.name}"))
        located = [(name, BODY if n == 0 else None) for n, name in enumerate(entries)]
        where = [(f"{up}service", report.service), (f"{up}subtype", report.subtype)]
        tm.container(f"answer_{report.name}", located, "report", where)


def _structure(tm: _Telemetry, structure: Structure, named: set[str]) -> None:
    entries: list[tuple[str, int | None]] = []
    for n, parameter in enumerate(structure.parameters):
        if parameter.name not in named:
            named.add(parameter.name)
            tm.parameter(parameter)
        entries.append((parameter.name, BODY + 8 if n == 0 else None))
    tm.container(f"structure_{structure.name}", entries, "housekeeping", [(f"/{ROOT}/structure_id", structure.id)])
