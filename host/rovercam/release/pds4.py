"""PDS4 product: raw numbers in a plain array file, and the XML label that describes it.

Information model 1.21.0.0 (schema PDS4_PDS_1L00) with the display dictionary 1.5.1.0, which says which way is up. The
array file holds the picture as received, then one byte per pixel of confidence: 0 nothing, 1 thumbnail, 2 base quality,
3 refined, 4 exact.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np

from rovercam.marstime import Site, clock
from rovercam.release.metadata import exposure_text, iso, utc
from rovercam.release.subject import Subject, direction

MODEL, MODEL_CODE, DISPLAY_CODE = "1.21.0.0", "1L00", "1L00_1510"
PDS = "http://pds.nasa.gov/pds4/pds/v1"
DISP = "http://pds.nasa.gov/pds4/disp/v1"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
MARS = "urn:nasa:pds:context:target:planet.mars"
COLLECTION = "urn:nasa:pds:rovercam_release:pictures"
"""Logical identifiers begin with an agency's name; those that will be archived get theirs from it (`--collection`)."""
COLLECTION_FORM = re.compile(r"^urn(:[a-z0-9][a-z0-9._-]*){5}$")


def array_file(subject: Subject) -> bytes:
    """Picture (most significant byte first; bands one after the other), then confidence."""
    pixels = subject.pixels if subject.pixels.ndim == 2 else np.moveaxis(subject.pixels, 2, 0)
    kind = "u1" if pixels.dtype == np.uint8 else ">u2"
    return np.ascontiguousarray(pixels).astype(kind).tobytes() + subject.confidence.astype("u1").tobytes()


class _Writer:
    """Elements in the order they are called for, which is the schema's."""

    def __init__(self, element: ET.Element):
        self.element = element

    def group(self, tag: str, namespace: str = PDS) -> _Writer:
        return _Writer(ET.SubElement(self.element, f"{{{namespace}}}{tag}"))

    def put(self, tag: str, text: Any, namespace: str = PDS, **attributes: str) -> _Writer:
        ET.SubElement(self.element, f"{{{namespace}}}{tag}", attributes).text = str(text)
        return self

    def reference(self, lid: str, kind: str) -> None:
        self.group("Internal_Reference").put("lid_reference", lid).put("reference_type", kind)


def label(
    subject: Subject, data: bytes, file_name: str, *, made: float, credit: str, software: str,
    site: Site | None, collection: str = COLLECTION,
) -> bytes:  # fmt: skip
    """The label of ``data`` = array_file(subject), written to ``file_name``. made: POSIX seconds of writing."""
    for prefix, name in (("", PDS), ("disp", DISP), ("xsi", XSI)):
        ET.register_namespace(prefix, name)
    schemas = f"{PDS} https://pds.nasa.gov/pds4/pds/v1/PDS4_PDS_{MODEL_CODE}.xsd {DISP} https://pds.nasa.gov/pds4/disp/v1/PDS4_DISP_{DISPLAY_CODE}.xsd"
    root = ET.Element(f"{{{PDS}}}Product_Observational", {f"{{{XSI}}}schemaLocation": schemas})
    product = _Writer(root)
    _identification(product, subject, made, credit, software, collection)
    _observation(product, subject, site)
    _files(product, subject, data, file_name, made)
    ET.indent(root, " ")
    models = "".join(
        f'<?xml-model href="https://pds.nasa.gov/pds4/{where}.sch" schematypens="http://purl.oclc.org/dsdl/schematron"?>\n'
        for where in (f"pds/v1/PDS4_PDS_{MODEL_CODE}", f"disp/v1/PDS4_DISP_{DISPLAY_CODE}")
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{models}'.encode() + ET.tostring(root, "utf-8") + b"\n"


def _identification(
    product: _Writer, subject: Subject, made: float, credit: str, software: str, collection: str
) -> None:
    area = product.group("Identification_Area")
    area.put("logical_identifier", f"{collection}:{subject.name.lower()}").put("version_id", "1.0")
    area.put("title", subject.title).put("information_model_version", MODEL)
    area.put("product_class", "Product_Observational")
    citation = area.group("Citation_Information")
    citation.put("author_list", credit).put("publication_year", utc(made).year)
    citation.put("description", subject.caption)
    detail = area.group("Modification_History").group("Modification_Detail")
    detail.put("modification_date", utc(made).date().isoformat()).put("version_id", "1.0")
    detail.put("description", f"Made by {software} from the unit's files as received.")


def _observation(product: _Writer, subject: Subject, site: Site | None) -> None:
    area = product.group("Observation_Area")
    comments = [f"Camera {subject.camera}, {exposure_text(subject)}"]
    if looked := direction(subject.pan, subject.tilt):
        comments.append(looked)
    if not subject.time_from_unit:
        comments.append("times are those of reception: the unit's clock was not set")
    if not subject.complete:
        comments.append("not all of the picture was received: see the confidence array")
    area.put("comment", "; ".join(comments) + ".")
    times = area.group("Time_Coordinates")
    times.put("start_date_time", iso(subject.first_time)).put("stop_date_time", iso(subject.time))
    moment = subject.moment
    if moment is not None:
        times.put("local_mean_solar_time", f"Sol-{moment.sol:05d}M{clock(moment.lmst, seconds=True)}")
        times.put("local_true_solar_time", clock(moment.ltst, seconds=True))
        times.put("solar_longitude", f"{moment.ls:.4f}", unit="deg")
    result = area.group("Primary_Result_Summary")
    result.put("purpose", "Checkout" if subject.camera == "pattern" else "Science")
    result.put("processing_level", "Partially Processed" if len(subject.rows) > 1 else "Raw")
    investigation = area.group("Investigation_Area")
    investigation.put("name", "rovercam").put("type", "Mission")
    investigation.reference("urn:nasa:pds:context:investigation:mission.rovercam", "data_to_investigation")
    system = area.group("Observing_System")
    host = system.group("Observing_System_Component").put("name", f"rovercam unit {subject.unit}").put("type", "Host")
    host.reference(f"urn:nasa:pds:context:instrument_host:rover.rovercam{subject.unit}", "is_instrument_host")
    camera = system.group("Observing_System_Component").put("name", subject.model.title).put("type", "Instrument")
    camera.reference(f"urn:nasa:pds:context:instrument:rovercam.{subject.camera.lower()}", "is_instrument")
    target = area.group("Target_Identification")
    if site is not None:
        target.put("name", "Mars").put("type", "Planet").reference(MARS, "data_to_target")
    else:
        target.put("name", "Earth").put("type", "Planet")
        target.reference("urn:nasa:pds:context:target:planet.earth", "data_to_target")
    settings = area.group("Discipline_Area").group("Display_Settings", DISP)
    local = settings.group("Local_Internal_Reference")
    local.put("local_identifier_reference", "picture").put("local_reference_type", "display_settings_to_array")
    way = settings.group("Display_Direction", DISP)
    way.put("horizontal_display_axis", "Sample", DISP).put("horizontal_display_direction", "Left to Right", DISP)
    way.put("vertical_display_axis", "Line", DISP).put("vertical_display_direction", "Top to Bottom", DISP)
    if subject.colour:
        colour = settings.group("Color_Display_Settings", DISP).put("color_display_axis", "Band", DISP)
        for band, name in enumerate(("red", "green", "blue"), 1):
            colour.put(f"{name}_channel_band", band, DISP)


def _files(product: _Writer, subject: Subject, data: bytes, file_name: str, made: float) -> None:
    area = product.group("File_Area_Observational")
    file = area.group("File").put("file_name", file_name).put("local_identifier", "array_file")
    file.put("creation_date_time", iso(made)).put("file_size", len(data), unit="byte")
    file.put("md5_checksum", hashlib.md5(data, usedforsecurity=False).hexdigest())
    height, width = subject.pixels.shape[:2]
    axes = [("Line", height), ("Sample", width)]
    wide = subject.pixels.dtype != np.uint8
    _array(
        area, "Array_3D_Image" if subject.colour else "Array_2D_Image", "picture", 0,
        [("Band", 3), *axes] if subject.colour else axes, "UnsignedMSB2" if wide else "UnsignedByte",
        f"The picture as received, {subject.depth} significant bits per sample.",
    )  # fmt: skip
    _array(
        area, "Array_2D", "confidence", subject.pixels.nbytes, axes, "UnsignedByte",
        "What each pixel is worth: 0 nothing, 1 thumbnail, 2 base quality, 3 refined, 4 exact.",
    )  # fmt: skip


def _array(area: _Writer, tag: str, name: str, offset: int, axes: list[tuple[str, int]], kind: str, text: str) -> None:
    array = area.group(tag).put("name", name).put("local_identifier", name).put("offset", offset, unit="byte")
    array.put("axes", len(axes)).put("axis_index_order", "Last Index Fastest").put("description", text)
    array.group("Element_Array").put("data_type", kind)
    for number, (axis, elements) in enumerate(axes, 1):
        array.group("Axis_Array").put("axis_name", axis).put("elements", elements).put("sequence_number", number)
