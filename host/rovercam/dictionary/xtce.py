"""The dictionary as an XTCE 1.2 mission database (OMG formal/2018-10-01), as Yamcs reads it.

One space system for what all units share (packet headers, verification, events), one below it per unit: its housekeeping
structures, answers and commands, told apart by APID. Lists in answers are described up to where they begin; parameter
values (20.2) are not, since their shape depends on their content. A settable parameter has a command of its own instead
of `set_parameter`, whose argument has another type for each.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from typing import Any

from rovercam.dictionary.fields import LIMITS, base_type, raw_range
from rovercam.dictionary.model import Command, Dictionary, DictionaryError, Field, Parameter, Structure

NAMESPACE = "http://www.omg.org/spec/XTCE/20180204"
ROOT = "rovercam"
BITS = {"u8": 8, "u16": 16, "u32": 32, "i8": 8, "i16": 16, "i32": 32, "f32": 32, "bool": 8}
BODY = 19 * 8
"""Bits before a report's source data: packet header of 6 bytes, PUS-C secondary header of 13."""
VERIFY_WITHIN = 120
"""Seconds in which a verification report is waited for: the unit may be beyond a slow line."""
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


def xtce(dictionary: Dictionary, units: Iterable[int] = (1,)) -> str:
    """The database for these units as XML text. Raises DictionaryError for a unit id that cannot be."""
    root = ET.Element(
        "SpaceSystem",
        {"xmlns": NAMESPACE, "name": ROOT, "shortDescription": f"rovercam dictionary {dictionary.version}"},
    )
    ET.SubElement(root, "Header", {"validationStatus": "Working", "version": f"{dictionary.hash:08x}"})
    _shared(root, dictionary)
    for unit in units:
        if not 1 <= unit <= 99:
            raise DictionaryError(f"unit {unit}: units have ids 1 to 99")
        _unit(root, unit, dictionary)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


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
        _type(self.types, "Parameter", name, field, self.dictionary, bits=bits)
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


def _shared(root: ET.Element, dictionary: Dictionary) -> None:
    tm = _Telemetry(root, dictionary)
    eleven, fourteen = Field(name="apid", type="u16"), Field(name="sequence_count", type="u16")
    tm.parameter(eleven, bits=11)
    tm.parameter(fourteen, bits=14)
    for name in ("service", "subtype", "structure_id"):
        tm.parameter(Field(name=name, type="u8"))
    tm.container("packet", [("apid", 5), ("sequence_count", 18), ("service", 56), ("subtype", 64)])

    tm.parameter(Field(name="request_apid", type="u16"), bits=11)
    tm.parameter(Field(name="request_sequence", type="u16"), bits=14)
    _enumeration(
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
    _enumeration(tm.types, "Parameter", "event_id", numbers)
    ET.SubElement(tm.parameters, "Parameter", {"name": "event_id", "parameterTypeRef": "event_id"})
    tm.container("event", [("event_id", BODY)], "packet", [("service", 5)])
    for event_name, fields in [*((e.name, e.fields) for e in dictionary.events.values()),
                               ("picture_received", GROUND_EVENT_FIELDS)]:  # fmt: skip
        entries = [(tm.parameter(f, f"{event_name}_{f.name}"), None) for f in fields]
        tm.container(f"event_{event_name}", entries, "event", [("event_id", event_name)])
    _telecommand(root)


def _unit(root: ET.Element, unit: int, dictionary: Dictionary) -> None:
    system = ET.SubElement(root, "SpaceSystem", {"name": f"unit{unit}"})
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
    _commands(system, unit, dictionary)


def _structure(tm: _Telemetry, structure: Structure, named: set[str]) -> None:
    entries: list[tuple[str, int | None]] = []
    for n, parameter in enumerate(structure.parameters):
        if parameter.name not in named:
            named.add(parameter.name)
            tm.parameter(parameter)
        entries.append((parameter.name, BODY + 8 if n == 0 else None))
    tm.container(f"structure_{structure.name}", entries, "housekeeping", [(f"/{ROOT}/structure_id", structure.id)])


# --------------------------------------------------------------------------------------------------------------- types
def _type(
    types: ET.Element,
    kind: str,
    name: str,
    field: Field | Parameter,
    dictionary: Dictionary,
    *,
    bits: int | None = None,
) -> None:
    """kind: Parameter or Argument; an XTCE type of this name for a field."""
    if field.type == "string":
        made = _element(types, f"String{kind}Type", name, field)
        encoding = ET.SubElement(made, "StringDataEncoding", {"encoding": "UTF-8"})
        variable = ET.SubElement(encoding, "Variable", {"maxSizeInBits": "2048"})
        # The schema wants one of two ways to find the length; Yamcs ignores this one and takes the leading size.
        reference = ET.SubElement(ET.SubElement(variable, "DynamicValue"), "ParameterInstanceRef")
        reference.set("parameterRef", "_yamcs_ignore")
        ET.SubElement(variable, "LeadingSize", {"sizeInBitsOfSizeTag": "8"})
        return
    if field.type == "bytes":
        _bytes_type(_element(types, f"Binary{kind}Type", name, field))
        return
    if field.type in dictionary.enums:
        _enumeration(types, kind, name, dictionary.enums[field.type], field=field)
        return
    base = base_type(field.type, dictionary.enums)
    if base is None or base not in BITS:
        raise DictionaryError(f"{name}: no XTCE type for {field.type}")
    if base == "bool":
        made = _element(types, f"Boolean{kind}Type", name, field, zeroStringValue="no", oneStringValue="yes")
        ET.SubElement(made, "IntegerDataEncoding", {"sizeInBits": "8", "encoding": "unsigned"})
        return
    _number_type(types, kind, name, field, base, bits or BITS[base], dictionary)


def _bytes_type(made: ET.Element) -> None:
    """One byte of length in front, by Yamcs's own transformations: XTCE has no word for it."""
    encoding = ET.SubElement(made, "BinaryDataEncoding")
    size = ET.SubElement(ET.SubElement(encoding, "SizeInBits"), "DynamicValue")
    ET.SubElement(size, "ParameterInstanceRef", {"parameterRef": "_yamcs_ignore"})
    for way, what in (("From", "Decoder"), ("To", "Encoder")):
        algorithm = ET.SubElement(encoding, f"{way}BinaryTransformAlgorithm", {"name": f"LeadingSizeBinary{what}"})
        text = ET.SubElement(algorithm, "AlgorithmText", {"language": "Java"})
        text.text = f"org.yamcs.algo.LeadingSizeBinary{what}(8)"


def _number_type(
    types: ET.Element, kind: str, name: str, field: Field | Parameter, base: str, bits: int, dictionary: Dictionary
) -> None:
    calibrated = field.scale != 1 or field.offset != 0
    real = calibrated or base == "f32"
    signed = base.startswith("i")
    attributes = (
        {"sizeInBits": "64" if calibrated else "32"} if real else {"signed": str(signed).lower(), "sizeInBits": "32"}
    )
    made = _element(types, f"{'Float' if real else 'Integer'}{kind}Type", name, field, **attributes)
    if base == "f32":
        encoding = ET.SubElement(made, "FloatDataEncoding", {"sizeInBits": "32"})
    else:
        way = "twosComplement" if signed else "unsigned"
        encoding = ET.SubElement(made, "IntegerDataEncoding", {"sizeInBits": str(bits), "encoding": way})
    if calibrated:
        # A command's calibrator goes from the engineering value to the raw one.
        raw = (-field.offset / field.scale, 1.0 / field.scale)
        terms = (field.offset, field.scale) if kind == "Parameter" else raw
        polynomial = ET.SubElement(ET.SubElement(encoding, "DefaultCalibrator"), "PolynomialCalibrator")
        for exponent, coefficient in enumerate(terms):
            ET.SubElement(polynomial, "Term", {"coefficient": repr(float(coefficient)), "exponent": str(exponent)})
    if kind == "Argument" and base in LIMITS:
        low, high = (edge * field.scale + field.offset for edge in raw_range(field, dictionary))
        ranges = ET.SubElement(made, "ValidRangeSet", {"validRangeAppliesToCalibrated": "true"})
        ET.SubElement(ranges, "ValidRange", {"minInclusive": _text(low), "maxInclusive": _text(high)})
    if isinstance(field, Parameter):
        _alarms(made, field)


def _alarms(made: ET.Element, parameter: Parameter) -> None:
    found = []
    for color, tag in (("yellow", "WarningRange"), ("red", "CriticalRange")):
        low, high = getattr(parameter, f"{color}_min"), getattr(parameter, f"{color}_max")
        limits = {n: _text(v) for n, v in (("minInclusive", low), ("maxInclusive", high)) if v is not None}
        if limits:
            found.append((tag, limits))
    if found:
        ranges = ET.SubElement(ET.SubElement(made, "DefaultAlarm", {"minViolations": "1"}), "StaticAlarmRanges")
        for tag, limits in found:
            ET.SubElement(ranges, tag, limits)


def _enumeration(
    types: ET.Element, kind: str, name: str, values: Any, *, bits: int = 8, field: Field | Parameter | None = None
) -> None:
    made = _element(types, f"Enumerated{kind}Type", name, field)
    ET.SubElement(made, "IntegerDataEncoding", {"sizeInBits": str(bits), "encoding": "unsigned"})
    listed = ET.SubElement(made, "EnumerationList")
    for label, value in sorted(values.items(), key=lambda item: item[1]):
        ET.SubElement(listed, "Enumeration", {"value": str(value), "label": label})


def _element(types: ET.Element, tag: str, name: str, field: Field | Parameter | None, **attributes: str) -> ET.Element:
    made = ET.SubElement(types, tag, {"name": name, **attributes})
    unit = field.unit if field is not None else ""
    if unit:
        ET.SubElement(ET.SubElement(made, "UnitSet"), "Unit").text = unit
    return made


def _text(value: float) -> str:
    """Bounds of calibrated values, one unit in the last place wider than what rounding took away."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else f"{value:.9g}"


# ------------------------------------------------------------------------------------------------------------ commands
def _telecommand(root: ET.Element) -> None:
    """Packet header and PUS-C secondary header, to be filled by the commands; verification by service 1."""
    data = ET.SubElement(root, "CommandMetaData")
    types = ET.SubElement(data, "ArgumentTypeSet")
    for bits in (4, 8, 11):
        made = ET.SubElement(types, "IntegerArgumentType", {"name": f"u{bits}", "signed": "false", "sizeInBits": "32"})
        ET.SubElement(made, "IntegerDataEncoding", {"sizeInBits": str(bits), "encoding": "unsigned"})
    command = ET.SubElement(
        ET.SubElement(data, "MetaCommandSet"), "MetaCommand", {"name": "telecommand", "abstract": "true"}
    )
    listed = ET.SubElement(command, "ArgumentList")
    for name, bits in (("apid", 11), ("acknowledgements", 4), ("service", 8), ("subtype", 8)):
        ET.SubElement(listed, "Argument", {"name": name, "argumentTypeRef": f"u{bits}"})
    entries = ET.SubElement(ET.SubElement(command, "CommandContainer", {"name": "telecommand"}), "EntryList")

    def fixed(name: str, value: int, bits: int) -> None:
        ET.SubElement(
            entries,
            "FixedValueEntry",
            {"name": name, "binaryValue": f"{value:0{(bits + 7) // 8 * 2}x}", "sizeInBits": str(bits)},
        )

    fixed("version_type_header", 0b00011, 5)  # version 0, telecommand, secondary header
    ET.SubElement(entries, "ArgumentRefEntry", {"argumentRef": "apid"})
    fixed("sequence", 0xC000, 16)  # unsegmented; the count is filled in when it is sent
    fixed("length", 0, 16)
    fixed("pus_version", 2, 4)
    for name in ("acknowledgements", "service", "subtype"):
        ET.SubElement(entries, "ArgumentRefEntry", {"argumentRef": name})
    fixed("source", 0, 16)
    verifiers = ET.SubElement(command, "VerifierSet")
    for tag, name, stage in (("AcceptedVerifier", "Accepted", 1), ("ExecutionVerifier", "Started", 3), ("CompleteVerifier", "Complete", 7)):  # fmt: skip
        _verifier(verifiers, tag, name, stage)


def _verifier(verifiers: ET.Element, tag: str, name: str, stage: int) -> None:
    """Yamcs's own verifier of service 1: compares APID and sequence count; its inputs have a fixed order."""
    verifier = ET.SubElement(verifiers, tag, {"name": name})
    algorithm = ET.SubElement(verifier, "CustomAlgorithm", {"name": f"verify_{name.lower()}"})
    text = ET.SubElement(algorithm, "AlgorithmText", {"language": "Java"})
    text.text = f'org.yamcs.pus.Pus1Verifier({{stage: {stage}, template: "{{errorCode}}"}})'
    inputs = ET.SubElement(algorithm, "InputSet")
    for source, known in (
        ("/yamcs/cmd/arg/apid", "sentApid"),
        ("/yamcs/cmdHist/ccsds-seqcount", "sentSeq"),
        (f"/{ROOT}/request_apid", "rcvdApid"),
        (f"/{ROOT}/request_sequence", "rcvdSeq"),
        (f"/{ROOT}/subtype", "subtype"),
        (f"/{ROOT}/failure_code", "errorCode"),
    ):
        ET.SubElement(inputs, "InputParameterInstanceRef", {"parameterRef": source, "inputName": known})
    ET.SubElement(
        verifier,
        "CheckWindow",
        {"timeToStopChecking": f"PT{VERIFY_WITHIN}S", "timeWindowIsRelativeTo": "commandRelease"},
    )


def _commands(system: ET.Element, unit: int, dictionary: Dictionary) -> None:
    data = ET.SubElement(system, "CommandMetaData")
    types, commands = ET.SubElement(data, "ArgumentTypeSet"), ET.SubElement(data, "MetaCommandSet")
    for command in dictionary.commands.values():
        if any(f.type == "value" for f in command.args):
            for parameter in dictionary.parameters.values():
                if parameter.settable:
                    _setter(types, commands, unit, command, parameter, dictionary)
            continue
        _command(types, commands, unit, command, command.name, command.args, b"", dictionary)


def _setter(
    types: ET.Element, commands: ET.Element, unit: int, command: Command, parameter: Parameter, dictionary: Dictionary
) -> None:
    value = Field(
        name="value", type=parameter.type, unit=parameter.unit, scale=parameter.scale, offset=parameter.offset,
        min=parameter.min, max=parameter.max, text=parameter.text,
    )  # fmt: skip
    _command(
        types,
        commands,
        unit,
        command,
        f"set_parameter_{parameter.name}",
        (value,),
        parameter.id.to_bytes(2, "big"),
        dictionary,
    )


def _command(
    types: ET.Element, commands: ET.Element, unit: int, command: Command, name: str, fields: Sequence[Field],
    front: bytes, dictionary: Dictionary,
) -> None:  # fmt: skip
    """front: application data before the fields, after the function id."""
    made = ET.SubElement(commands, "MetaCommand", {"name": name, "shortDescription": command.text})
    base = ET.SubElement(made, "BaseMetaCommand", {"metaCommandRef": f"/{ROOT}/telecommand"})
    assigned = ET.SubElement(base, "ArgumentAssignmentList")
    for argument, value in (
        ("apid", dictionary.apid(unit)),
        ("acknowledgements", 15),
        ("service", command.service),
        ("subtype", command.subtype),
    ):
        ET.SubElement(assigned, "ArgumentAssignment", {"argumentName": argument, "argumentValue": str(value)})
    arguments = ET.Element("ArgumentList")
    entries = ET.Element("EntryList")
    data = (b"" if command.function is None else bytes([command.function])) + front
    if data:
        ET.SubElement(
            entries, "FixedValueEntry", {"name": "front", "binaryValue": data.hex(), "sizeInBits": str(8 * len(data))}
        )
    for field in fields:
        _argument(types, arguments, entries, name, field, dictionary)
    if len(arguments):
        made.append(arguments)
    container = ET.SubElement(made, "CommandContainer", {"name": name})
    container.append(entries)
    ET.SubElement(container, "BaseContainer", {"containerRef": f"/{ROOT}/telecommand"})
    if command.two_step:
        ET.SubElement(
            made,
            "DefaultSignificance",
            {"consequenceLevel": "critical", "reasonForWarning": "cannot be undone: send arm with its numbers first"},
        )


def _argument(
    types: ET.Element, arguments: ET.Element, entries: ET.Element, command: str, field: Field, dictionary: Dictionary
) -> None:
    kind = f"{command}__{field.name}"
    if field.type.endswith("[]"):
        count = Field(name=f"{field.name}_count", type="u8", max=field.max_items or 255)
        _argument(types, arguments, entries, command, count, dictionary)
        item = Field(name=field.name, type=field.type.removesuffix("[]"), min=field.min, max=field.max)
        _type(types, "Argument", f"{kind}__item", item, dictionary)
        made = ET.SubElement(types, "ArrayArgumentType", {"name": kind, "arrayTypeRef": f"{kind}__item"})
        dimension = ET.SubElement(ET.SubElement(made, "DimensionList"), "Dimension")
        ET.SubElement(ET.SubElement(dimension, "StartingIndex"), "FixedValue").text = "0"
        end = ET.SubElement(ET.SubElement(dimension, "EndingIndex"), "DynamicValue")
        ET.SubElement(end, "ArgumentInstanceRef", {"argumentRef": count.name})
        ET.SubElement(end, "LinearAdjustment", {"intercept": "-1"})
    else:
        _type(types, "Argument", kind, field, dictionary)
    attributes = {"name": field.name, "argumentTypeRef": kind}
    if field.text:
        attributes["shortDescription"] = field.text
    if field.default is not None and not field.type.endswith("[]"):
        attributes["initialValue"] = _default(field)
    ET.SubElement(arguments, "Argument", attributes)
    ET.SubElement(entries, "ArgumentRefEntry", {"argumentRef": field.name})


def _default(field: Field) -> str:
    """A default is a raw number in the dictionary, and an engineering value here."""
    if isinstance(field.default, bool):
        return "yes" if field.default else "no"
    if isinstance(field.default, str) or field.scale == 1:
        return str(field.default)
    return f"{field.default * field.scale + field.offset:.9g}"
