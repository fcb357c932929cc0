"""XTCE types of fields: numbers with calibration, ranges and alarms, enumerations, texts, bytes."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import Any

from rovercam.dictionary.fields import LIMITS, base_type, raw_range
from rovercam.dictionary.model import Dictionary, DictionaryError, Field, Parameter

ROOT = "rovercam"
"""The space system of what all units share."""
BITS = {"u8": 8, "u16": 16, "u32": 32, "i8": 8, "i16": 16, "i32": 32, "f32": 32, "bool": 8}


def write_type(
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
        enumeration(types, kind, name, dictionary.enums[field.type], field=field)
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


def enumeration(
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
