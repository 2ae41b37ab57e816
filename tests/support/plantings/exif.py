"""EXIF with a payload in each place that its structure has, known and unknown."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED = 1, 2, 3, 4, 5, 6, 7
SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE, IFD = 8, 9, 10, 11, 12, 13
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_NAMES = {
    BYTE: "BYTE", ASCII: "ASCII", SHORT: "SHORT", LONG: "LONG", RATIONAL: "RATIONAL",
    SBYTE: "SBYTE", UNDEFINED: "UNDEFINED", SSHORT: "SSHORT", SLONG: "SLONG",
    SRATIONAL: "SRATIONAL", FLOAT: "FLOAT", DOUBLE: "DOUBLE", IFD: "IFD",
}  # fmt: skip
_EXIF, _GPS, _INTEROPERABILITY, _SUB = 0x8769, 0x8825, 0xA005, 0x014A
_HEADER = 8


class Entry(NamedTuple):
    """An entry of a directory: tag, type, and its bytes or, for a link, a directory."""

    tag: int
    kind: int
    value: bytes | list[Entry]


def block(entries: list[Entry], *, second: list[Entry] | None = None, behind: bytes = b"") -> bytes:
    """Build EXIF from its header on, little-endian: a directory, a linked second one, the rest."""
    data = bytearray(b"II*\0" + struct.pack("<I", _HEADER))
    link = _write(data, entries)
    if second is not None:
        struct.pack_into("<I", data, link, len(data))
        _write(data, second)
    return bytes(data) + behind


def _write(data: bytearray, entries: list[Entry]) -> int:
    """Append a directory and its values; return the place of its link."""
    entries = sorted(entries)
    start = len(data)
    link = start + 2 + 12 * len(entries)
    data += struct.pack("<H", len(entries)) + bytes(12 * len(entries) + 4)
    for number, (tag, kind, value) in enumerate(entries):
        if isinstance(value, list):
            content = struct.pack("<I", len(data))
            _write(data, value)
        else:
            content = value + bytes(-len(value) % SIZES[kind])
        if len(content) > 4:
            place = struct.pack("<I", len(data))
            data += content + bytes(len(content) % 2)
        else:
            place = content.ljust(4, b"\0")
        head = struct.pack("<HHI", tag, kind, len(content) // SIZES[kind])
        data[start + 2 + 12 * number : start + 14 + 12 * number] = head + place
    return link


def ordinary() -> list[Entry]:
    """What any camera writes."""
    photo = [Entry(0x9003, ASCII, b"2026:11:28 12:00:00\0")]
    return [
        Entry(0x010F, ASCII, b"Canon\0"),
        Entry(0x0112, SHORT, b"\1\0"),
        Entry(_EXIF, LONG, photo),
    ]


def in_image(payload: bytes, *, tag: int, kind: int, ahead: bytes = b"") -> bytes:
    """In the first directory."""
    return block([*ordinary(), Entry(tag, kind, ahead + payload)])


def in_photo(payload: bytes, *, tag: int, kind: int, ahead: bytes = b"") -> bytes:
    """In the directory of the photo."""
    return block([*ordinary()[:2], Entry(_EXIF, LONG, [Entry(tag, kind, ahead + payload)])])


def in_place(payload: bytes, *, tag: int, kind: int, ahead: bytes = b"") -> bytes:
    """In the directory of GPS."""
    inside = [Entry(0, BYTE, b"\2\3\0\0"), Entry(tag, kind, ahead + payload)]
    return block([*ordinary(), Entry(_GPS, LONG, inside)])


def in_interoperability(payload: bytes) -> bytes:
    """In the directory of interoperability."""
    inside = [Entry(1, ASCII, b"R98\0"), Entry(0x1000, UNDEFINED, payload)]
    return block([*ordinary()[:2], Entry(_EXIF, LONG, [Entry(_INTEROPERABILITY, LONG, inside)])])


def in_thumbnail(payload: bytes) -> bytes:
    """As the second directory's JPEG, whatever it is."""
    return _with_picture(payload, 0x0201, 0x0202, 6)


def in_strips(payload: bytes) -> bytes:
    """As the second directory's uncompressed strips."""
    return _with_picture(payload, 0x0111, 0x0117, 1)


def in_tiles(payload: bytes) -> bytes:
    """As the second directory's tiles."""
    return _with_picture(payload, 0x0144, 0x0145, 1)


def _with_picture(payload: bytes, place: int, length: int, compression: int) -> bytes:
    def entries(at: int) -> list[Entry]:
        return [
            Entry(0x0103, SHORT, struct.pack("<H", compression)),
            Entry(place, LONG, struct.pack("<I", at)),
            Entry(length, LONG, struct.pack("<I", len(payload))),
        ]

    at = len(block(ordinary(), second=entries(0)))
    return block(ordinary(), second=entries(at), behind=payload)


def in_sub_directory(payload: bytes) -> bytes:
    """In a directory below the first."""
    return block([*ordinary(), Entry(_SUB, LONG, [Entry(0x010E, ASCII, payload)])])


def in_sub_picture(payload: bytes) -> bytes:
    """As the JPEG of a directory below the first."""

    def entries(at: int) -> list[Entry]:
        return [
            Entry(0x0201, LONG, struct.pack("<I", at)),
            Entry(0x0202, LONG, struct.pack("<I", len(payload))),
        ]

    at = len(block([*ordinary(), Entry(_SUB, LONG, entries(0))]))
    return block([*ordinary(), Entry(_SUB, LONG, entries(at))], behind=payload)


def in_second_directory(payload: bytes) -> bytes:
    """As a text of the second directory."""
    return block(ordinary(), second=[Entry(0x010E, ASCII, payload)])


def behind_all(payload: bytes) -> bytes:
    """Behind the last directory."""
    return block(ordinary(), behind=payload)


def in_a_gap(payload: bytes) -> bytes:
    """Between the header and the first directory."""
    content = block(ordinary())
    # Values of ``ordinary`` lie behind their directory; a leading gap moves them all.
    moved = bytearray(content)
    _move(moved, _HEADER, len(payload))
    return bytes(moved[:4]) + struct.pack("<I", _HEADER + len(payload)) + payload + moved[8:]


def _move(data: bytearray, directory: int, by: int) -> None:
    (count,) = struct.unpack_from("<H", data, directory)
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, length, value = struct.unpack_from("<HHII", data, at)
        if tag == _EXIF:
            _move(data, value, by)
        if tag == _EXIF or SIZES[kind] * length > 4:
            struct.pack_into("<I", data, at + 8, value + by)


def split(payload: bytes) -> bytes:
    """In pieces of 120 bytes, in as many private tags as it takes."""
    pieces = [payload[at : at + 120] for at in range(0, len(payload), 120)]
    return block([*ordinary(), *(Entry(0xC800 + n, ASCII, p) for n, p in enumerate(pieces))])


def split_over_known(payload: bytes) -> bytes:
    """In pieces, in all tags that are texts by the standard."""
    image = (0x010D, 0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x013C, 0x8298)
    photo = (0xA430, 0xA431, 0xA433, 0xA434, 0xA435, 0x9290, 0xA420)
    size = -(-len(payload) // (len(image) + len(photo)))
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    entries = [Entry(tag, ASCII, p) for tag, p in zip(image, pieces, strict=False)]
    inner = [Entry(t, ASCII, p) for t, p in zip(photo, pieces[len(image) :], strict=False)]
    return block([*entries, Entry(_EXIF, LONG, inner)])


Place = Callable[[bytes], bytes]

#: Every place, by name.
PLACES: dict[str, Place] = {
    "UserComment": partial(in_photo, tag=0x9286, kind=UNDEFINED, ahead=b"ASCII\0\0\0"),
    "UserComment in UNICODE": partial(in_photo, tag=0x9286, kind=UNDEFINED, ahead=b"UNICODE\0"),
    "UserComment undefined": partial(in_photo, tag=0x9286, kind=UNDEFINED, ahead=bytes(8)),
    "MakerNote": partial(in_photo, tag=0x927C, kind=UNDEFINED),
    "MakerNote of a camera": partial(in_photo, tag=0x927C, kind=UNDEFINED, ahead=b"Nikon\0\2\x10"),
    "LensModel": partial(in_photo, tag=0xA434, kind=ASCII),
    "DateTimeOriginal": partial(in_photo, tag=0x9003, kind=ASCII),
    "ExposureTime": partial(in_photo, tag=0x829A, kind=RATIONAL),
    "ISO": partial(in_photo, tag=0x8827, kind=SHORT),
    "CFAPattern": partial(in_photo, tag=0xA302, kind=UNDEFINED),
    "DeviceSettings": partial(in_photo, tag=0xA40B, kind=UNDEFINED),
    "OECF": partial(in_photo, tag=0x8828, kind=UNDEFINED),
    "SubjectArea": partial(in_photo, tag=0x9214, kind=SHORT),
    "LensSpecification": partial(in_photo, tag=0xA432, kind=RATIONAL),
    "a private tag of the photo": partial(in_photo, tag=0xFDE8, kind=UNDEFINED),
    "CompositeImage": partial(in_photo, tag=0xA462, kind=UNDEFINED),
    "ImageDescription": partial(in_image, tag=0x010E, kind=ASCII),
    "ImageDescription of bytes": partial(in_image, tag=0x010E, kind=UNDEFINED),
    "Artist": partial(in_image, tag=0x013B, kind=ASCII),
    "Copyright": partial(in_image, tag=0x8298, kind=ASCII),
    "Make": partial(in_image, tag=0x010F, kind=ASCII),
    "Software": partial(in_image, tag=0x0131, kind=ASCII),
    "HostComputer": partial(in_image, tag=0x013C, kind=ASCII),
    "XPTitle": partial(in_image, tag=0x9C9B, kind=BYTE),
    "XPComment": partial(in_image, tag=0x9C9C, kind=BYTE),
    "XPAuthor": partial(in_image, tag=0x9C9D, kind=BYTE),
    "XPKeywords": partial(in_image, tag=0x9C9E, kind=BYTE),
    "XPSubject": partial(in_image, tag=0x9C9F, kind=BYTE),
    "PrintImageMatching": partial(in_image, tag=0xC4A5, kind=UNDEFINED),
    "padding": partial(in_image, tag=0xEA1C, kind=UNDEFINED, ahead=b"\x1c\xea\0\0\0\x08\0\0"),
    "the orientation": partial(in_image, tag=0x0112, kind=SHORT, ahead=b"\1\0"),
    "white point": partial(in_image, tag=0x013E, kind=RATIONAL),
    "a reference to black and white": partial(in_image, tag=0x0214, kind=RATIONAL),
    "IPTC": partial(in_image, tag=0x83BB, kind=UNDEFINED),
    "XMP": partial(in_image, tag=0x02BC, kind=BYTE),
    "ICC": partial(in_image, tag=0x8773, kind=UNDEFINED),
    "Photoshop": partial(in_image, tag=0x8649, kind=BYTE),
    **{
        f"a private tag of type {name}": partial(in_image, tag=0xC7F0, kind=kind)
        for kind, name in _NAMES.items()
    },
    "GPSProcessingMethod": partial(in_place, tag=27, kind=UNDEFINED, ahead=b"ASCII\0\0\0"),
    "GPSAreaInformation": partial(in_place, tag=28, kind=UNDEFINED, ahead=b"ASCII\0\0\0"),
    "GPSMapDatum": partial(in_place, tag=18, kind=ASCII),
    "GPSLatitude": partial(in_place, tag=2, kind=RATIONAL),
    "a private tag of the place": partial(in_place, tag=0x77, kind=UNDEFINED),
    "interoperability": in_interoperability,
    "the thumbnail": in_thumbnail,
    "the thumbnail's strips": in_strips,
    "the thumbnail's tiles": in_tiles,
    "the thumbnail's description": in_second_directory,
    "a sub-directory": in_sub_directory,
    "a sub-directory's picture": in_sub_picture,
    "behind the last directory": behind_all,
    "a gap": in_a_gap,
    "several private tags": split,
    "several known tags": split_over_known,
}
#: Places whose value is a text.
TEXTS = frozenset(
    name for name, place in PLACES.items()
    if isinstance(place, partial) and (place.keywords["kind"] == ASCII or "ahead" in place.keywords)
) | {"several private tags", "several known tags"}  # fmt: skip
