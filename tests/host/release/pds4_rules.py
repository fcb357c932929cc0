"""Rules of the PDS4 information model that our labels must keep, written down independently of what writes them.

From the PDS4 Information Model Specification and Data Dictionary: the order and number of a class's members, the words
an attribute may have, and that the label tells the truth about its file. Not the whole model: what a picture uses.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path

PDS = "{http://pds.nasa.gov/pds4/pds/v1}"
DISP = "{http://pds.nasa.gov/pds4/disp/v1}"
ARRAY = "name? local_identifier? md5_checksum? offset axes axis_index_order description? Element_Array Axis_Array+ Special_Constants? Object_Statistics?"
ORDER = {
    "Product_Observational": "Identification_Area Observation_Area Reference_List? File_Area_Observational+",
    "Identification_Area": "logical_identifier version_id title information_model_version product_class Alias_List?"
    " Citation_Information? Modification_History? License_Information?",
    "Citation_Information": "author_list? editor_list? publication_year doi? keyword* description",
    "Modification_History": "Modification_Detail+",
    "Modification_Detail": "modification_date version_id description",
    "Observation_Area": "comment? Time_Coordinates Primary_Result_Summary? Investigation_Area+ Observing_System+"
    " Target_Identification+ Mission_Area? Discipline_Area?",
    "Time_Coordinates": "start_date_time stop_date_time local_mean_solar_time? local_true_solar_time? solar_longitude?",
    "Primary_Result_Summary": "type* purpose+ data_regime* processing_level+ processing_level_id? description? Science_Facets*",
    "Investigation_Area": "name type Internal_Reference+",
    "Observing_System": "name? description? Observing_System_Component+",
    "Observing_System_Component": "name type description? Internal_Reference*",
    "Target_Identification": "name alternate_designation* type+ description? Internal_Reference*",
    "Internal_Reference": "lid_reference reference_type comment?",
    "Local_Internal_Reference": "comment? local_identifier_reference local_reference_type",
    "File_Area_Observational": "File Array_2D_Image? Array_3D_Image? Array_2D?",
    "File": "file_name local_identifier? creation_date_time? file_size? records? maximum_record_length? md5_checksum? comment?",
    "Array_2D_Image": ARRAY,
    "Array_3D_Image": ARRAY,
    "Array_2D": ARRAY,
    "Element_Array": "data_type unit? scaling_factor? value_offset?",
    "Axis_Array": "axis_name local_identifier? unit? elements sequence_number Band_Bin_Set?",
    "Discipline_Area": "Display_Settings*",
    "Display_Settings": "Local_Internal_Reference+ Display_Direction Color_Display_Settings? Movie_Display_Settings?",
    "Display_Direction": "comment? horizontal_display_axis horizontal_display_direction vertical_display_axis vertical_display_direction",
    "Color_Display_Settings": "comment? color_display_axis red_channel_band green_channel_band blue_channel_band",
}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"
WORDS = {
    "product_class": "Product_Observational",
    "version_id": r"[1-9]\d*\.\d+",
    "logical_identifier": r"urn:[a-z0-9-]+:[a-z0-9-]+(:[a-z0-9._-]+){3}",
    "information_model_version": r"1\.\d+\.0\.0",
    "start_date_time": TIME,
    "stop_date_time": TIME,
    "creation_date_time": TIME,
    "modification_date": r"\d{4}-\d\d-\d\d",
    "publication_year": r"\d{4}",
    "md5_checksum": r"[0-9a-f]{32}",
    "axis_index_order": "Last Index Fastest",
    "data_type": "UnsignedByte|UnsignedMSB2|UnsignedLSB2",
    "processing_level": "Telemetry|Raw|Partially Processed|Calibrated|Derived",
    "purpose": "Calibration|Checkout|Engineering|Navigation|Observation Geometry|Science|Supporting Observation",
    "horizontal_display_direction": "Left to Right|Right to Left",
    "vertical_display_direction": "Top to Bottom|Bottom to Top",
    "local_reference_type": "display_settings_to_array",
}
TYPES = {
    "Investigation_Area": "Mission|Individual Investigation|Field Campaign|Observing Campaign|Other Investigation",
    "Observing_System_Component": "Host|Instrument|Facility|Laboratory|Observatory|Telescope|Computer|Literature Search",
    "Target_Identification": "Planet|Satellite|Asteroid|Comet|Equipment|Calibration|Calibrator",
}
UNITS = {"offset": "byte", "file_size": "byte", "solar_longitude": "deg"}
BYTES = {"UnsignedByte": 1, "UnsignedMSB2": 2, "UnsignedLSB2": 2}


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def problems(label: Path) -> list[str]:
    """What is wrong with a label, its file beside it."""
    root = ET.parse(label).getroot()
    found = []
    for element in root.iter():
        name = _name(element)
        if name in ORDER:
            pattern = "".join(f"(?:{w.rstrip('?*+')} ){w[-1] if w[-1] in '?*+' else ''}" for w in ORDER[name].split())
            members = "".join(f"{_name(child)} " for child in element)
            if not re.fullmatch(pattern, members):
                found.append(f"{name}: members {members}against {ORDER[name]}")
        elif len(element):
            found.append(f"{name} is no class of the model that we use")
        elif not (element.text or "").strip():
            found.append(f"{name} is empty")
        if name in WORDS and not re.fullmatch(WORDS[name], element.text or ""):
            found.append(f"{name}: {element.text!r}")
        if name in UNITS and element.get("unit") != UNITS[name]:
            found.append(f"{name} without its unit")
        if name in TYPES and not re.fullmatch(TYPES[name], element.findtext(f"{PDS}type") or ""):
            found.append(f"{name}: type {element.findtext(f'{PDS}type')!r}")
    return found + _truth(root, label.parent)


def _truth(root: ET.Element, folder: Path) -> list[str]:
    found = []
    area = root.find(f"{PDS}File_Area_Observational")
    assert area is not None
    file = area.find(f"{PDS}File")
    assert file is not None
    data = (folder / (file.findtext(f"{PDS}file_name") or "")).read_bytes()
    if int(file.findtext(f"{PDS}file_size") or 0) != len(data):
        found.append("file_size")
    if file.findtext(f"{PDS}md5_checksum") != hashlib.md5(data).hexdigest():
        found.append("md5_checksum")
    end, names = 0, set()
    for array in area:
        if _name(array) == "File":
            continue
        axes = array.findall(f"{PDS}Axis_Array")
        names.add(array.findtext(f"{PDS}local_identifier"))
        if int(array.findtext(f"{PDS}axes") or 0) != len(axes):
            found.append("axes")
        if [a.findtext(f"{PDS}sequence_number") for a in axes] != [str(n + 1) for n in range(len(axes))]:
            found.append("sequence_number")
        if int(array.findtext(f"{PDS}offset") or -1) != end:
            found.append("offset")
        size = BYTES.get(array.findtext(f"{PDS}Element_Array/{PDS}data_type") or "", 0)
        for axis in axes:
            size *= int(axis.findtext(f"{PDS}elements") or 0)
        end += size
    if end != len(data):
        found.append(f"arrays end at {end}, the file at {len(data)}")
    for reference in root.iter(f"{PDS}local_identifier_reference"):
        if reference.text not in names:
            found.append(f"local_identifier_reference {reference.text}")
    return found
