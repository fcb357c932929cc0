"""EXIF and XMP of a released picture, and how they get into a JPEG without encoding it again.

EXIF 2.32 (CIPA DC-008); XMP part 1 and 3 (ISO 16684-1). The place on Mars is in XMP only: EXIF's GPS tags mean Earth,
and readers would put the picture there.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from rovercam.marstime import Site, clock
from rovercam.release.subject import Subject

NAMESPACE = "urn:rovercam:release:1"
EXIF_IFD = 0x8769
_EXIF_MARK, _XMP_MARK = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"


def utc(time: float) -> datetime:
    return datetime.fromtimestamp(time, UTC)


def iso(time: float) -> str:
    """To the millisecond, with the Z that PDS4 asks for."""
    return utc(time).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def exif(subject: Subject, credit: str, software: str) -> bytes:
    """A TIFF structure with IFD0 and the Exif IFD, without the "Exif" mark."""
    taken = utc(subject.time)
    block = Image.Exif()
    block[0x010E] = _ascii(f"{subject.title}. {subject.caption}")  # ImageDescription
    block[0x0110] = _ascii(subject.model.title)  # Model
    block[0x0112] = 1  # Orientation
    block[0x0131] = software  # Software
    block[0x0132] = taken.strftime("%Y:%m:%d %H:%M:%S")  # DateTime
    block[0x013B] = _ascii(credit)  # Artist
    block[0x8298] = _ascii(credit)  # Copyright: who is to be named
    inner = block.get_ifd(EXIF_IFD)
    inner[0x9000] = b"0232"  # ExifVersion
    inner[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")  # DateTimeOriginal
    inner[0x9291] = f"{taken.microsecond // 1000:03d}"  # SubSecTimeOriginal
    inner[0x9011] = "+00:00"  # OffsetTimeOriginal
    inner[0xA402] = 0 if subject.exposure == 0 else 1  # ExposureMode
    inner[0xA405] = round(subject.model.focal_35mm)  # FocalLengthIn35mmFilm
    inner[0xA002], inner[0xA003] = subject.pixels.shape[1], subject.pixels.shape[0]
    # Exposure is in lines of the camera; a line's length in seconds is the camera's own business, so no ExposureTime.
    inner[0x9286] = b"ASCII\0\0\0" + exposure_text(subject).encode("ascii", "replace")  # UserComment
    if subject.gain:
        inner[0x8827] = min(subject.gain, 65535)  # ISOSpeedRatings, here the camera's gain number
    if subject.tilt is not None:
        inner[0x9405] = IFDRational(round(subject.tilt * 10), 10)  # CameraElevationAngle
    data: bytes = block.tobytes()
    return data.removeprefix(_EXIF_MARK)


def _ascii(text: str) -> str:
    """EXIF's ASCII fields: what is not ASCII is written with its nearest word."""
    for char, word in (("°", " deg"), ("×", "x"), ("–", "-"), ("—", "-"), ("’", "'")):
        text = text.replace(char, word)
    return text.encode("ascii", "replace").decode()


def exposure_text(subject: Subject) -> str:
    if not subject.exposure and not subject.gain:
        return "automatic exposure and gain"
    lines = "automatic exposure" if not subject.exposure else f"exposure {subject.exposure} lines"
    return f"{lines}, {'automatic gain' if not subject.gain else f'gain {subject.gain}'}"


def facts(subject: Subject, site: Site | None) -> list[tuple[str, str]]:
    """(name in our XMP namespace, value)."""
    out: list[tuple[str, str]] = [
        ("unit", str(subject.unit)),
        ("products", " ".join(map(str, subject.numbers))),
        ("camera", subject.camera),
        ("exposureLines", str(subject.exposure) if subject.exposure else "automatic"),
        ("gain", str(subject.gain) if subject.gain else "automatic"),
        ("fieldOfView", f"{subject.model.field:g}"),
        ("complete", str(subject.complete).lower()),
        ("exactPixels", f"{subject.exact:.4f}"),
        ("timeSource", "unit clock" if subject.time_from_unit else "reception; the unit's clock was not set"),
    ]
    if subject.pan is not None and subject.tilt is not None:
        out += [("panRight", f"{subject.pan:.1f}"), ("tiltUp", f"{subject.tilt:.1f}")]
    moment = subject.moment
    if moment is not None and site is not None:
        out += [
            ("sol", str(moment.sol)),
            ("localMeanSolarTime", clock(moment.lmst, seconds=True)),
            ("localTrueSolarTime", clock(moment.ltst, seconds=True)),
            ("solarLongitude", f"{moment.ls:.3f}"),
            ("sunElevation", f"{moment.sun_elevation:.2f}"),
            ("sunAzimuth", f"{moment.sun_azimuth:.2f}"),
            ("site", site.name),
            ("siteLatitude", f"{site.latitude:g}"),
            ("siteLongitudeEast", f"{site.longitude:g}"),
        ]
    for layer in subject.layers:
        if not layer.name.endswith(".m"):
            out.append(("layerSha256", f"{layer.name} {layer.sha256}"))
    return out


def xmp(subject: Subject, credit: str, software: str, site: Site | None) -> bytes:
    """An XMP packet, UTF-8."""
    own: dict[str, list[str]] = {}
    for name, value in facts(subject, site):
        own.setdefault(name, []).append(value)
    lines = []
    for name, values in own.items():
        if name == "layerSha256":
            items = "".join(f"<rdf:li>{escape(v)}</rdf:li>" for v in values)
            lines.append(f"<rovercam:{name}><rdf:Bag>{items}</rdf:Bag></rovercam:{name}>")
        else:
            lines.append(f"<rovercam:{name}>{escape(values[0])}</rovercam:{name}>")

    def alternative(tag: str, text: str) -> str:
        return f'<{tag}><rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt></{tag}>'

    body = "\n".join(
        [
            alternative("dc:title", subject.title),
            alternative("dc:description", subject.caption),
            alternative("dc:rights", credit),
            f"<dc:creator><rdf:Seq><rdf:li>{escape(credit)}</rdf:li></rdf:Seq></dc:creator>",
            f"<photoshop:Credit>{escape(credit)}</photoshop:Credit>",
            f"<xmp:CreateDate>{iso(subject.time)}</xmp:CreateDate>",
            f"<xmp:CreatorTool>{escape(software)}</xmp:CreatorTool>",
            *lines,
        ]
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        f' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:rovercam="{NAMESPACE}">\n'
        f'{body}\n</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end="r"?>'
    ).encode()


def into_jpeg(jpeg: bytes, exif_block: bytes, xmp_packet: bytes) -> bytes:
    """The same JPEG, its pixels untouched, with these two APP1 segments in front; older ones go. Raises ValueError."""
    if jpeg[:2] != b"\xff\xd8":
        raise ValueError(f"a JPEG begins with ff d8, this with {jpeg[:2].hex(' ')}")
    out = bytearray(b"\xff\xd8")
    for body in (_EXIF_MARK + exif_block, _XMP_MARK + xmp_packet):
        if len(body) + 2 > 0xFFFF:
            raise ValueError(f"{len(body)} bytes of metadata; a JPEG segment holds at most {0xFFFF - 2}")
        out += b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != 0xDA:
        length = 2 + struct.unpack_from(">H", jpeg, at + 2)[0]
        segment = jpeg[at : at + length]
        if not (segment[1] == 0xE1 and segment[4:].startswith((_EXIF_MARK, _XMP_MARK))):
            out += segment
        at += length
    return bytes(out + jpeg[at:])
