"""Telecommands in XTCE: the header they share, their arguments, their verification by service 1."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from rovercam.dictionary.model import Command, Dictionary, Field, Parameter
from rovercam.dictionary.xtce.types import ROOT, write_type

VERIFY_WITHIN = 120
"""Seconds in which a verification report is waited for: the unit may be beyond a slow line."""


def telecommand(root: ET.Element) -> None:
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


def unit_commands(system: ET.Element, unit: int, dictionary: Dictionary) -> None:
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
        write_type(types, "Argument", f"{kind}__item", item, dictionary)
        made = ET.SubElement(types, "ArrayArgumentType", {"name": kind, "arrayTypeRef": f"{kind}__item"})
        dimension = ET.SubElement(ET.SubElement(made, "DimensionList"), "Dimension")
        ET.SubElement(ET.SubElement(dimension, "StartingIndex"), "FixedValue").text = "0"
        end = ET.SubElement(ET.SubElement(dimension, "EndingIndex"), "DynamicValue")
        ET.SubElement(end, "ArgumentInstanceRef", {"argumentRef": count.name})
        ET.SubElement(end, "LinearAdjustment", {"intercept": "-1"})
    else:
        write_type(types, "Argument", kind, field, dictionary)
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
