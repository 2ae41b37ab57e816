"""The metadata of ordinary files: cameras, phones, Lightroom, Photoshop and a scanner.

The tags and their types are those of the makers' own files, as published lists of tags name them;
the values are invented.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from html import escape
from io import BytesIO
from typing import Any, NamedTuple
from xml.etree import ElementTree

from PIL import Image

from remove_objects.pipeline.images.containers.jpeg import Segment, assemble, parse
from tests.support.planted import ICC, pillow_heif
from tests.support.plantings import exif as written
from tests.support.plantings import xmp
from tests.support.plantings.containers import png_chunk
from tests.support.plantings.exif import ASCII, BYTE, LONG, RATIONAL, SHORT, SRATIONAL, UNDEFINED
from tests.support.scenes import scene

_EXIF, _GPS, _INTEROPERABILITY = 0x8769, 0x8825, 0xA005
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PACK = {BYTE: "B", SHORT: "H", LONG: "I", 8: "h", 9: "i", 11: "f", 12: "d"}
#: Tags that state the structure of the file, or are rewritten for the new picture.
STRUCTURE = frozenset(
    (256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 338, 339, 34675, 33723, 34377, 700)
) | {_EXIF, _GPS, _INTEROPERABILITY}

Tags = dict[int, tuple[int, Any]]


class Ordinary(NamedTuple):
    """What a program or a device writes into its files.

    Attributes:
        name: who writes it.
        image: the first directory of EXIF, or a TIFF's own; each tag's type and value.
        photo: the EXIF directory.
        place: the GPS directory.
        properties: XMP, as the content of ``rdf:Description``.
        iptc: records, (record, field, content).
        texts: PNG's texts.
    """

    name: str
    image: Tags
    photo: Tags
    place: Tags = {}  # noqa: RUF012
    properties: str = ""
    iptc: tuple[tuple[int, int, bytes], ...] = ()
    texts: Mapping[str, str] = {}


def _camera(make: str, model: str, software: str) -> Tags:
    return {
        0x010F: (ASCII, make),
        0x0110: (ASCII, model),
        0x0112: (SHORT, [1]),
        0x011A: (RATIONAL, [(72, 1)]),
        0x011B: (RATIONAL, [(72, 1)]),
        0x0128: (SHORT, [2]),
        0x0131: (ASCII, software),
        0x0132: (ASCII, "2026:11:28 12:34:56"),
        0x0213: (SHORT, [2]),
    }


_EXPOSURE: Tags = {
    0x829A: (RATIONAL, [(1, 250)]),
    0x829D: (RATIONAL, [(56, 10)]),
    0x8822: (SHORT, [3]),
    0x8827: (SHORT, [400]),
    0x9000: (UNDEFINED, b"0232"),
    0x9003: (ASCII, "2026:11:28 12:34:56"),
    0x9004: (ASCII, "2026:11:28 12:34:56"),
    0x9010: (ASCII, "+01:00"),
    0x9011: (ASCII, "+01:00"),
    0x9012: (ASCII, "+01:00"),
    0x9101: (UNDEFINED, b"\1\2\3\0"),
    0x9201: (SRATIONAL, [(524288, 65536)]),
    0x9202: (RATIONAL, [(327680, 65536)]),
    0x9204: (SRATIONAL, [(-1, 3)]),
    0x9207: (SHORT, [5]),
    0x9209: (SHORT, [16]),
    0x920A: (RATIONAL, [(85, 1)]),
    0x9290: (ASCII, "07"),
    0x9291: (ASCII, "07"),
    0x9292: (ASCII, "07"),
    0xA000: (UNDEFINED, b"0100"),
    0xA001: (SHORT, [1]),
    0xA402: (SHORT, [0]),
    0xA403: (SHORT, [0]),
    0xA406: (SHORT, [0]),
}

CANON = Ordinary(
    "Canon camera",
    {
        **_camera("Canon", "Canon EOS R5", "Firmware Version 1.9.0"),
        0x013B: (ASCII, "Zoë Müller"),
        0x8298: (ASCII, "© 2026 Zoë Müller"),
    },
    {
        **_EXPOSURE,
        0x8830: (SHORT, [2]),
        0x8832: (LONG, [400]),
        0x9286: (UNDEFINED, b"ASCII\0\0\0Seen from the bridge"),
        0xA20E: (RATIONAL, [(8192000, 1415)]),
        0xA20F: (RATIONAL, [(5464000, 943)]),
        0xA210: (SHORT, [2]),
        0xA401: (SHORT, [0]),
        0xA430: (ASCII, "Zoë Müller"),
        0xA431: (ASCII, "012345678901"),
        0xA432: (RATIONAL, [(24, 1), (105, 1), (0, 0), (0, 0)]),
        0xA434: (ASCII, "RF24-105mm F4 L IS USM"),
        0xA435: (ASCII, "0000000042"),
    },
    {0: (BYTE, [2, 3, 0, 0])},
)

NIKON = Ordinary(
    "Nikon camera",
    {
        **_camera("NIKON CORPORATION", "NIKON Z 6_2", "Ver.01.60"),
        0x010E: (ASCII, "                               "),
    },
    {
        **_EXPOSURE,
        0x8830: (SHORT, [2]),
        0x9102: (RATIONAL, [(4, 1)]),
        0x9205: (RATIONAL, [(40, 10)]),
        0x9208: (SHORT, [0]),
        0x9286: (UNDEFINED, b"ASCII\0\0\0" + b"A wall in the evening".ljust(36)),
        0xA217: (SHORT, [2]),
        0xA300: (UNDEFINED, b"\3"),
        0xA301: (UNDEFINED, b"\1"),
        0xA302: (UNDEFINED, b"\2\0\2\0\0\1\1\2"),
        0xA401: (SHORT, [0]),
        0xA404: (RATIONAL, [(1, 1)]),
        0xA405: (SHORT, [85]),
        0xA407: (SHORT, [0]),
        0xA408: (SHORT, [0]),
        0xA409: (SHORT, [0]),
        0xA40A: (SHORT, [0]),
        0xA40C: (SHORT, [0]),
        0xA431: (ASCII, "6012345"),
        0xA432: (RATIONAL, [(850, 10), (850, 10), (18, 10), (18, 10)]),
        0xA433: (ASCII, "NIKON"),
        0xA434: (ASCII, "NIKKOR Z 85mm f/1.8 S"),
        0xA435: (ASCII, "20054321"),
    },
)

_PHONE_PLACE: Tags = {
    1: (ASCII, "N"),
    2: (RATIONAL, [(59, 1), (54, 1), (3012, 100)]),
    3: (ASCII, "E"),
    4: (RATIONAL, [(10, 1), (45, 1), (4711, 100)]),
    5: (BYTE, [0]),
    6: (RATIONAL, [(27111, 1000)]),
    7: (RATIONAL, [(11, 1), (34, 1), (5600, 100)]),
    0x0C: (ASCII, "K"),
    0x0D: (RATIONAL, [(4, 10)]),
    0x10: (ASCII, "T"),
    0x11: (RATIONAL, [(12345, 100)]),
    0x17: (ASCII, "T"),
    0x18: (RATIONAL, [(12345, 100)]),
    0x1D: (ASCII, "2026:11:28"),
    0x1F: (RATIONAL, [(47, 10)]),
}

IPHONE = Ordinary(
    "iPhone",
    {**_camera("Apple", "iPhone 15 Pro", "18.1.1"), 0x013C: (ASCII, "iPhone 15 Pro")},
    {
        **_EXPOSURE,
        0x9203: (SRATIONAL, [(50521, 8351)]),
        0x9214: (SHORT, [2002, 1505, 2213, 1327]),
        0xA217: (SHORT, [2]),
        0xA301: (UNDEFINED, b"\1"),
        0xA405: (SHORT, [24]),
        0xA432: (RATIONAL, [(222, 100), (9, 1), (178, 100), (28, 10)]),
        0xA433: (ASCII, "Apple"),
        0xA434: (ASCII, "iPhone 15 Pro back triple camera 6.765mm f/1.78"),
        0xA460: (SHORT, [2]),
    },
    _PHONE_PLACE,
)

PIXEL = Ordinary(
    "Pixel phone",
    _camera("Google", "Pixel 8 Pro", "HDR+ 1.0.585804376zd"),
    {
        **_EXPOSURE,
        0x9203: (SRATIONAL, [(612, 100)]),
        0x9205: (RATIONAL, [(151, 100)]),
        0x9206: (RATIONAL, [(4294967295, 1)]),
        0x9208: (SHORT, [0]),
        0xA217: (SHORT, [2]),
        0xA301: (UNDEFINED, b"\1"),
        0xA401: (SHORT, [1]),
        0xA404: (RATIONAL, [(0, 1)]),
        0xA405: (SHORT, [25]),
        0xA408: (SHORT, [0]),
        0xA409: (SHORT, [0]),
        0xA40A: (SHORT, [0]),
        0xA40C: (SHORT, [3]),
        0xA420: (ASCII, "0d2f5a11c0ffee00"),
        0xA433: (ASCII, "Google"),
        0xA434: (ASCII, "Pixel 8 Pro back camera 6.9mm f/1.68"),
        0xA460: (SHORT, [3]),
    },
    {
        **_PHONE_PLACE,
        0: (BYTE, [2, 2, 0, 0]),
        0x0B: (RATIONAL, [(21, 10)]),
        0x1B: (UNDEFINED, b"ASCII\0\0\0fused"),
    },
)


def _list(name: str, kind: str, *texts: str) -> str:
    items = "".join(f"<rdf:li>{escape(text)}</rdf:li>" for text in texts)
    return f"<{name}><rdf:{kind}>{items}</rdf:{kind}></{name}>"


def _alternative(name: str, text: str) -> str:
    return (
        f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt></{name}>'
    )


def _simple(prefix: str, values: Mapping[str, str]) -> str:
    return "".join(
        f"<{prefix}:{name}>{escape(text)}</{prefix}:{name}>" for name, text in values.items()
    )


_LIGHTROOM_XMP = "".join(
    (
        _simple("xmp", {
            "CreateDate": "2026-11-28T12:34:56.07", "ModifyDate": "2026-11-29T08:00:00+01:00",
            "MetadataDate": "2026-11-29T08:00:00+01:00", "Rating": "4", "Label": "Yellow",
            "CreatorTool": "Adobe Photoshop Lightroom Classic 14.0 (Macintosh)",
        }),
        _simple("aux", {
            "SerialNumber": "012345678901", "LensInfo": "24/1 105/1 0/0 0/0", "LensID": "61182",
            "Lens": "RF24-105mm F4 L IS USM", "LensSerialNumber": "0000000042",
            "ImageNumber": "0", "ApproximateFocusDistance": "426/100", "Firmware": "1.9.0",
            "FlashCompensation": "0/1",
        }),
        _simple("photoshop", {
            "DateCreated": "2026-11-28T12:34:56.07", "City": "Oslo", "State": "Oslo",
            "Country": "Norway", "Headline": "A wall", "Credit": "Zoë Müller", "Source": "own",
            "Instructions": "Ask before printing", "AuthorsPosition": "Photographer",
            "TransmissionReference": "A-17", "CaptionWriter": "ZM", "Category": "TRA",
            "Urgency": "5",
        }),
        _list("photoshop:SupplementalCategories", "Bag", "architecture", "winter"),
        _list("dc:creator", "Seq", "Zoë Müller"),
        _list("dc:subject", "Bag", "brick", "evening light", "Oslo", "Straße"),
        _alternative("dc:title", "A wall"), _alternative("dc:rights", "© 2026 Zoë Müller"),
        _alternative("dc:description", "A brick wall in the evening, seen from the bridge."),
        _list("lr:hierarchicalSubject", "Bag", "places|Norway|Oslo", "things|brick"),
        _simple("xmpRights", {"Marked": "True", "WebStatement": "https://example.com/rights"}),
        _alternative("xmpRights:UsageTerms", "All rights reserved"),
        _simple("Iptc4xmpCore", {"Location": "Akerselva", "CountryCode": "NOR",
                                 "IntellectualGenre": "Feature"}),
        _list("Iptc4xmpCore:Scene", "Bag", "011221"),
        '<Iptc4xmpCore:CreatorContactInfo rdf:parseType="Resource">'
        + _simple("Iptc4xmpCore", {"CiAdrCity": "Oslo", "CiEmailWork": "zoe@example.com",
                                   "CiUrlWork": "https://example.com", "CiTelWork": "+47 22 22"})
        + "</Iptc4xmpCore:CreatorContactInfo>",
        _list("Iptc4xmpExt:PersonInImage", "Bag", "Ada Larsen"),
        _simple("xmpMM", {
            "DocumentID": "xmp.did:9b1c2b5e-97f4-4f1a-9d0a-0c5bd3f1a111",
            "InstanceID": "xmp.iid:9b1c2b5e-97f4-4f1a-9d0a-0c5bd3f1a222",
            "OriginalDocumentID": "5A3B1C2D4E5F60718293A4B5C6D7E8F9",
            "PreservedFileName": "_MG_4711.CR3",
        }),
        _simple("crs", {
            "Version": "17.0", "ProcessVersion": "15.4", "WhiteBalance": "As Shot",
            "Temperature": "5350", "Tint": "+7", "Exposure2012": "+0.35", "Contrast2012": "0",
            "Highlights2012": "-31", "Shadows2012": "+22", "Whites2012": "0", "Blacks2012": "0",
            "Texture": "0", "Clarity2012": "+8", "Dehaze": "0", "Vibrance": "+12",
            "Saturation": "0", "Sharpness": "40", "LuminanceSmoothing": "0",
            "ColorNoiseReduction": "25", "LensProfileEnable": "1", "CameraProfile": "Adobe Color",
            "HasSettings": "True", "CropTop": "0.02", "CropLeft": "0", "CropBottom": "1",
            "CropRight": "0.98", "CropAngle": "-0.4", "HasCrop": "True",
            "ToneCurveName2012": "Linear", "AlreadyApplied": "True",
        }),
        _list("crs:ToneCurvePV2012", "Seq", "0, 0", "64, 60", "255, 255"),
    )
)  # fmt: skip

_LIGHTROOM_IPTC = (
    (1, 90, b"\x1b%G"),
    (2, 0, b"\0\4"),
    (2, 5, b"A wall"),
    (2, 10, b"5"),
    (2, 15, b"TRA"),
    (2, 20, b"architecture"),
    (2, 25, b"brick"),
    (2, 25, b"evening light"),
    (2, 25, "Straße".encode()),
    (2, 40, b"Ask before printing"),
    (2, 55, b"20261128"),
    (2, 60, b"123456+0100"),
    (2, 62, b"20261128"),
    (2, 63, b"123456+0100"),
    (2, 80, "Zoë Müller".encode()),
    (2, 85, b"Photographer"),
    (2, 90, b"Oslo"),
    (2, 92, b"Akerselva"),
    (2, 95, b"Oslo"),
    (2, 100, b"NOR"),
    (2, 101, b"Norway"),
    (2, 103, b"A-17"),
    (2, 105, b"A wall"),
    (2, 110, "Zoë Müller".encode()),
    (2, 115, b"own"),
    (2, 116, "© 2026 Zoë Müller".encode()),
    (2, 120, b"A brick wall in the evening, seen from the bridge."),
    (2, 122, b"ZM"),
)

LIGHTROOM = Ordinary(
    "Lightroom",
    {
        **CANON.image,
        0x0131: (ASCII, "Adobe Photoshop Lightroom Classic 14.0 (Macintosh)"),
        0x010E: (ASCII, "A brick wall in the evening, seen from the bridge."),
        0x011A: (RATIONAL, [(240, 1)]),
        0x011B: (RATIONAL, [(240, 1)]),
    },
    {**{tag: value for tag, value in CANON.photo.items() if tag != 0x9286}, 0x8832: (LONG, [400])},
    _PHONE_PLACE,
    _LIGHTROOM_XMP,
    _LIGHTROOM_IPTC,
)

SCANNER = Ordinary(
    "scanner",
    {
        0x010D: (ASCII, "Album 1974, page 3"),
        0x010E: (ASCII, "Grandmother's garden"),
        0x010F: (ASCII, "EPSON"),
        0x0110: (ASCII, "Perfection V600"),
        0x011A: (RATIONAL, [(600, 1)]),
        0x011B: (RATIONAL, [(600, 1)]),
        0x0128: (SHORT, [2]),
        0x0131: (ASCII, "EPSON Scan 3.9.4.2"),
        0x0132: (ASCII, "2026:11:28 12:34:56"),
        0x013B: (ASCII, "Zoë Müller"),
        0x013C: (ASCII, "OFFICE-PC"),
        0x8298: (ASCII, "Family"),
        0x013E: (RATIONAL, [(3127, 10000), (329, 1000)]),
        0x013F: (RATIONAL, [(64, 100), (33, 100), (30, 100), (60, 100), (15, 100), (6, 100)]),
    },
    {},
)

PHOTOSHOP = Ordinary(
    "Photoshop",
    {
        0x0112: (SHORT, [1]),
        0x011A: (RATIONAL, [(720000, 10000)]),
        0x011B: (RATIONAL, [(720000, 10000)]),
        0x0128: (SHORT, [2]),
        0x0131: (ASCII, "Adobe Photoshop 26.0 (Windows)"),
        0x0132: (ASCII, "2026:11:28 12:34:56"),
    },
    {0xA001: (SHORT, [1]), 0x9000: (UNDEFINED, b"0232")},
    {},
    _simple("xmp", {"CreatorTool": "Adobe Photoshop 26.0 (Windows)",
                    "CreateDate": "2026-11-28T12:00:00+01:00"})
    + _simple("photoshop", {"ColorMode": "3", "ICCProfile": "sRGB IEC61966-2.1"})
    + _simple("xmpMM", {"DocumentID": "adobe:docid:photoshop:0b0f7d9c-1c55-1b44-8f6e-3d2a1c9e7b10",
                        "InstanceID": "xmp.iid:6d1f2a3b-1234-5678-9abc-def012345678"})
    + '<xmpMM:History><rdf:Seq><rdf:li rdf:parseType="Resource">'
    + _simple("stEvt", {"action": "created",
                        "instanceID": "xmp.iid:6d1f2a3b-1234-5678-9abc-def012345678",
                        "when": "2026-11-28T12:00:00+01:00",
                        "softwareAgent": "Adobe Photoshop 26.0 (Windows)"})
    + "</rdf:li></rdf:Seq></xmpMM:History>",
    (),
    {"Software": "Adobe ImageReady", "Title": "A wall", "Author": "Zoë Müller",
     "Description": "A brick wall in the evening.", "Copyright": "© 2026 Zoë Müller",
     "Creation Time": "2026-11-28T12:34:56+01:00", "Comment": "Seen from the bridge"},
)  # fmt: skip


# --- writing


def _value(kind: int, value: Any) -> bytes:
    if kind == ASCII:
        return str(value).encode() + b"\0"
    if kind == UNDEFINED:
        return bytes(value)
    if kind in (RATIONAL, SRATIONAL):
        form = "<II" if kind == RATIONAL else "<ii"
        return b"".join(struct.pack(form, *pair) for pair in value)
    return struct.pack(f"<{len(value)}{_PACK[kind]}", *value)


def _entries(tags: Tags) -> list[written.Entry]:
    return [written.Entry(tag, kind, _value(kind, value)) for tag, (kind, value) in tags.items()]


def _directories(file: Ordinary) -> list[written.Entry]:
    inside = _entries(file.photo)
    if inside and file.name.endswith(("camera", "phone")):
        r98 = [
            written.Entry(1, ASCII, b"R98\0"),
            written.Entry(2, UNDEFINED, b"0100"),
        ]
        inside.append(written.Entry(_INTEROPERABILITY, LONG, r98))
    entries = _entries(file.image)
    if inside:
        entries.append(written.Entry(_EXIF, LONG, inside))
    if file.place:
        entries.append(written.Entry(_GPS, LONG, _entries(file.place)))
    return entries


def exif_block(file: Ordinary) -> bytes:
    """EXIF from its header on."""
    return written.block(_directories(file))


def xmp_packet(file: Ordinary) -> bytes:
    """XMP, or nothing."""
    return xmp.packet(file.properties) if file.properties else b""


def _iptc(file: Ordinary) -> bytes:
    return b"".join(xmp.record(*record) for record in file.iptc)


def jpeg(file: Ordinary) -> bytes:
    """A JPEG."""
    own = parse(_saved("JPEG", quality=90)).segments
    segments = [Segment(0xE1, b"Exif\0\0" + exif_block(file))]
    if file.properties:
        segments.append(Segment(0xE1, _XMP + xmp_packet(file)))
    if file.iptc:
        resources = xmp.resource(0x0404, _iptc(file))
        segments.append(Segment(0xED, b"Photoshop 3.0\0" + resources))
    segments.append(Segment(0xE2, b"ICC_PROFILE\0\1\1" + ICC))
    return assemble([*segments, *own[1:]])


def tiff(file: Ordinary) -> bytes:
    """A TIFF of one raw strip."""
    picture = scene()
    height, width = picture.shape[:2]
    strip = picture.tobytes()
    shorts = {256: width, 257: height, 259: 1, 262: 2, 277: 3, 278: height, 284: 1}
    entries = [written.Entry(tag, SHORT, struct.pack("<H", v)) for tag, v in shorts.items()]
    entries.append(written.Entry(258, SHORT, struct.pack("<3H", 8, 8, 8)))
    entries += [e for e in _directories(file) if e.tag != 0x0213]
    entries.append(written.Entry(34675, UNDEFINED, ICC))
    if file.properties:
        entries.append(written.Entry(700, BYTE, xmp_packet(file)))
    if file.iptc:
        entries.append(written.Entry(33723, LONG, _iptc(file)))

    def whole(at: int) -> bytes:
        strips = {273: at, 279: len(strip)}
        more = [written.Entry(tag, LONG, struct.pack("<I", v)) for tag, v in strips.items()]
        return written.block([*entries, *more])

    return whole(len(whole(0))) + strip


def png(file: Ordinary) -> bytes:
    """A PNG."""
    content = _saved("PNG")
    chunks = png_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(ICC))
    chunks += png_chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1))
    chunks += png_chunk(b"tIME", struct.pack(">HBBBBB", 2026, 11, 28, 12, 34, 56))
    chunks += png_chunk(b"eXIf", exif_block(file))
    for keyword, text in file.texts.items():
        if text.isascii():
            chunks += png_chunk(b"tEXt", f"{keyword}\0{text}".encode())
        else:
            chunks += png_chunk(b"iTXt", f"{keyword}\0\0\0\0\0{text}".encode())
    if file.properties:
        chunks += png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_packet(file))
    return content[:33] + chunks + content[33:]


def other(format: str) -> Callable[[Ordinary], bytes]:
    """A WebP, AVIF or HEIC."""

    def write(file: Ordinary) -> bytes:
        options = {"exif": exif_block(file), "icc_profile": ICC, "quality": 80}
        if file.properties:
            options["xmp"] = xmp_packet(file)
        if format != "HEIF":
            return _saved(format, **options)
        memory = BytesIO()
        pillow_heif.from_pillow(Image.fromarray(scene())).save(memory, **options)
        return memory.getvalue()

    return write


def _saved(format: str, **options: Any) -> bytes:
    memory = BytesIO()
    Image.fromarray(scene()).save(memory, format, **options)
    return memory.getvalue()


#: Each ordinary file: who writes it, the file's ending, how it is made.
FILES: tuple[tuple[Ordinary, str, Callable[[Ordinary], bytes]], ...] = (
    (CANON, "jpg", jpeg),
    (NIKON, "jpg", jpeg),
    (IPHONE, "jpg", jpeg),
    (IPHONE, "heic", other("HEIF")),
    (PIXEL, "jpg", jpeg),
    (PIXEL, "avif", other("AVIF")),
    (LIGHTROOM, "jpg", jpeg),
    (LIGHTROOM, "tif", tiff),
    (LIGHTROOM, "avif", other("AVIF")),
    (LIGHTROOM, "webp", other("WEBP")),
    (PHOTOSHOP, "png", png),
    (PHOTOSHOP, "tif", tiff),
    (SCANNER, "tif", tiff),
)


# --- reading


def tags_of(block: bytes) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Return all tags of EXIF or a TIFF: by directory and number, as numbers, fractions, texts."""
    order = "<" if block[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", block, 4)
    found: dict[tuple[str, int], tuple[Any, ...]] = {}
    waiting = [("image", first)]
    names = {_EXIF: "EXIF", _GPS: "GPS", _INTEROPERABILITY: "interoperability"}
    while waiting:
        name, at = waiting.pop()
        (count,) = struct.unpack_from(f"{order}H", block, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, length = struct.unpack_from(f"{order}HHI", block, entry)
            size = written.SIZES[kind] * length
            place = entry + 8 if size <= 4 else struct.unpack_from(f"{order}I", block, entry + 8)[0]
            value = _read(block[place : place + size], kind, order)
            if tag in names:
                waiting.append((names[tag], int(value[0])))
            elif not (name == "image" and tag in STRUCTURE):
                found[name, tag] = value
    return found


def _read(content: bytes, kind: int, order: str) -> tuple[Any, ...]:
    if kind in (ASCII, UNDEFINED):
        return (content.rstrip(b"\0 "),)
    if kind in (RATIONAL, SRATIONAL):
        form = "I" if kind == RATIONAL else "i"
        numbers = struct.unpack(f"{order}{len(content) // 4}{form}", content)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return tuple(Fraction(*pair) if pair[1] else pair for pair in pairs)
    form = _PACK.get(kind, "I")
    return struct.unpack(f"{order}{len(content) // written.SIZES[kind]}{form}", content)


def block_of(tiff: bytes, wanted: int) -> bytes:
    """Return the bytes of a tag of a TIFF's first directory."""
    order = "<" if tiff[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, length, place = struct.unpack_from(f"{order}HHII", tiff, entry)
        if tag == wanted:
            return tiff[place : place + written.SIZES[kind] * length]
    raise LookupError(f"no tag {wanted}")


def properties_of(packet: bytes) -> list[tuple[str, str]]:
    """Return all values in XMP with the names that lead to each, sorted."""
    found: list[tuple[str, str]] = []

    def walk(element: ElementTree.Element, path: str) -> None:
        for name, value in element.attrib.items():
            if not name.endswith(("about", "parseType")):
                found.append((f"{path}/{name}", value))
        if not len(element) and (text := (element.text or "").strip()):
            found.append((path, text))
        for child in element:
            inside = child.tag.rpartition("}")[2] in ("RDF", "Description", "Bag", "Seq", "Alt")
            walk(child, path if inside else f"{path}/{child.tag}")

    start, end = packet.index(b"<x:xmpmeta"), packet.index(b"</x:xmpmeta>")
    walk(ElementTree.fromstring(packet[start : end + 12].decode()), "")
    return sorted((path.replace("}li", "}li"), value) for path, value in found)


def records_of(content: bytes) -> list[tuple[int, int, bytes]]:
    """Return IPTC's records."""
    found, at = [], 0
    while content[at : at + 1] == b"\x1c":
        _, record, field, size = struct.unpack_from(">BBBH", content, at)
        found.append((record, field, content[at + 5 : at + 5 + size]))
        at += 5 + size
    return found
