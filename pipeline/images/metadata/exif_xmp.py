"""Make metadata true for the new picture: upright, of its size, without thumbnails of the old one.

EXIF is patched in place, never rebuilt: maker notes hold offsets into the block, and a
camera's peculiarities survive. All functions take bytes and return new bytes. Metadata that cannot
be parsed is dropped, because it might hold a picture.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from .hidden import blank, blank_jpegs, may_hold_picture

ORIENTATION, EXIF_IFD = 0x0112, 0x8769
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
_DENSITIES, _DENSITY_UNIT = (0x011A, 0x011B), 0x0128
_SUB_DIRECTORIES = 0x014A
#: Tags of offsets and lengths of a JPEG, of strips, of tiles.
_PICTURES = ((0x0201, 0x0202), (0x0111, 0x0117), (0x0144, 0x0145))
#: EXIF's BYTE, SHORT, LONG and TIFF's IFD.
_INTEGER = {1: "B", 3: "H", 4: "I", 13: "I"}
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)([0-9]+)")
_XMP_THUMBNAILS = re.compile(rb"<((?:xmp|xap):Thumbnails)\b")
_XMP_OF_A_SECOND_PICTURE = re.compile(
    rb"hdrgm:|hdr-gain-map|GainMap|Container:Directory|MicroVideo|MotionPhoto|GDepth:|GImage:|apdi:"
    rb"|AuxiliaryImage|ns\.google\.com/photos/1\.0/(?:container|depthmap|image)",
    re.IGNORECASE,
)
_XMP_CONTINUATION = re.compile(rb"xmpNote:HasExtendedXMP\s*=\s*[\"'][0-9A-Fa-f]*[\"']")
#: Thumbnails, and copies of EXIF and XMP that may hold thumbnails.
_PHOTOSHOP_PICTURES = (1033, 1036, 1058, 1059, 1060)


def bare_exif(exif: bytes | None) -> bytes | None:
    r"""Return EXIF from its TIFF header on: some formats put ``Exif\0\0`` before it."""
    return exif.removeprefix(b"Exif\0\0") or None if exif else None


def orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """Return the orientation 1-8 from EXIF or else from XMP; 1 if neither is valid."""
    turn = None
    try:
        if exif:
            order, first = _header(exif)
            turn = next(
                (v for _, tag, v, _ in _entries(exif, order, first) if tag == ORIENTATION), None
            )
    except (struct.error, KeyError):
        turn = None
    if turn is None and xmp and (match := _XMP_ORIENTATION.search(xmp)) and len(match[2]) < 9:
        turn = int(match[2])
    return turn if turn is not None and 1 <= turn <= 8 else 1


def upright_exif(exif: bytes, size: tuple[int, int], turn: int = 1) -> bytes | None:
    """Set size and orientation in EXIF, and blank its thumbnails.

    Args:
        exif: EXIF from its TIFF header on.
        size: height and width of the picture's stored pixels.
        turn: the orientation 1-8 in which they lie.

    Returns:
        The new EXIF, or None if the block is too damaged.
    """
    data = bytearray(exif)
    try:
        order, first = _header(exif)
        for at, tag, value, kind in list(_entries(exif, order, first)):
            if tag == ORIENTATION:
                _set(data, order, at, kind, turn)
            elif tag == EXIF_IFD and value:
                _set_size(data, order, value, size)
        _set_size(data, order, first, size)
        _blank_further_pictures(data, order, first)
    except (struct.error, KeyError):
        return None
    blank_jpegs(data)
    return bytes(data)


def without_orientation(exif: bytes) -> bytes | None:
    """Take the orientation out of EXIF; nothing else moves, so that offsets stay true.

    Args:
        exif: EXIF from its TIFF header on.

    Returns:
        The new EXIF; None if it held the orientation alone. A damaged block stays as it is.
    """
    try:
        order, first = _header(exif)
        (count,) = struct.unpack_from(f"{order}H", exif, first)
        behind = first + 2 + 12 * count
        entries = [exif[at : at + 12] for at in range(first + 2, behind, 12)]
        kept = [e for e in entries if struct.unpack_from(f"{order}H", e)[0] != ORIENTATION]
    except (struct.error, KeyError):
        return exif
    if len(kept) == count or behind > len(exif):
        return exif
    if not kept:
        return None
    link = exif[behind : behind + 4]
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + link
    return exif[:first] + directory.ljust(behind + len(link) - first, b"\0") + exif[behind + 4 :]


def essential_exif(turn: int, dpi: tuple[float, float] | None = None) -> bytes | None:
    """Build EXIF of an orientation and a density (DPI) only; None if neither is needed."""
    entries = [] if turn == 1 else [struct.pack("<HHIHH", ORIENTATION, 3, 1, turn, 0)]
    values = b""
    if dpi is not None:
        behind = 8 + 2 + 12 * (len(entries) + 3) + 4
        for tag, value in zip(_DENSITIES, dpi, strict=True):
            entries.append(struct.pack("<HHII", tag, 5, 1, behind + len(values)))
            values += struct.pack("<II", min(round(value * 1000), 0xFFFFFFFF), 1000)
        entries.append(struct.pack("<HHIHH", _DENSITY_UNIT, 3, 1, 2, 0))  # an inch
    if not entries:
        return None
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + b"".join(entries) + bytes(4) + values


def upright_xmp(xmp: bytes, turn: int = 1) -> bytes | None:
    """Set the orientation in XMP, and drop its thumbnails.

    Args:
        xmp: the packet.
        turn: the orientation 1-8.

    Returns:
        The new XMP, or None if it describes or holds a second picture, which the new file does not
        have, or if it is not UTF-8 and cannot be searched.
    """
    if _XMP_OF_A_SECOND_PICTURE.search(xmp) or b"\0" in xmp.rstrip(b"\0"):
        return None
    for pattern, new in ((_XMP_ORIENTATION, b"\\g<1>%d" % turn), (_XMP_CONTINUATION, b"")):
        xmp = pattern.sub(new, xmp)
    xmp = _without_thumbnails(xmp)
    return None if may_hold_picture(xmp) else xmp


def _without_thumbnails(xmp: bytes) -> bytes:
    """Drop the thumbnail elements in one pass.

    A pattern of both tags would search for the closing tag again at each of a hostile file's
    million opening tags.
    """
    kept, at, unclosed = [], 0, set()
    for opening in _XMP_THUMBNAILS.finditer(xmp):
        if opening.start() < at or opening[1] in unclosed:
            continue
        closing = re.compile(rb"</" + opening[1] + rb"\s*>").search(xmp, opening.end())
        if closing is None:
            unclosed.add(opening[1])
            continue
        kept.append(xmp[at : opening.start()])
        at = closing.end()
    return b"".join([*kept, xmp[at:]])


def photoshop_without_thumbnails(resources: bytes) -> bytes | None:
    """Drop thumbnails from Photoshop's image resources (8BIM blocks); None if malformed."""
    kept, at = bytearray(), 0
    while at + 12 <= len(resources):
        if resources[at : at + 4] != b"8BIM":
            return None
        (number,) = struct.unpack_from(">H", resources, at + 4)
        size_at = at + 6 + (resources[at + 6] + 2) // 2 * 2  # a Pascal string, padded to even
        if size_at + 4 > len(resources):
            return None
        (size,) = struct.unpack_from(">I", resources, size_at)
        end = size_at + 4 + (size + 1) // 2 * 2
        if number not in _PHOTOSHOP_PICTURES and not may_hold_picture(resources[size_at + 4 : end]):
            kept += resources[at:end]
        at = end
    return bytes(kept) or None


def _header(exif: bytes) -> tuple[str, int]:
    """Return the byte order and the offset of the first directory."""
    order = {b"II*\0": "<", b"MM\0*": ">"}[exif[:4]]
    (first,) = struct.unpack_from(f"{order}I", exif, 4)
    return order, first


def _entries(data: bytes, order: str, directory: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (offset of the value, tag, value, type) of the entries that hold one integer."""
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, at)
        if kind in _INTEGER and length == 1:
            (value,) = struct.unpack_from(order + _INTEGER[kind], data, at + 8)
            yield at + 8, tag, value, kind


def _set(data: bytearray, order: str, at: int, kind: int, value: int) -> None:
    struct.pack_into(order + _INTEGER[kind], data, at, value)


def _set_size(data: bytearray, order: str, directory: int, size: tuple[int, int]) -> None:
    for at, tag, _, kind in list(_entries(bytes(data), order, directory)):
        if tag in _WIDTHS or tag in _HEIGHTS:
            _set(data, order, at, kind, size[1] if tag in _WIDTHS else size[0])


def _blank_further_pictures(data: bytearray, order: str, first: int) -> None:
    """Unlink the directories behind the first, and blank their thumbnails.

    Thumbnails of the first directory's sub-directories are blanked too.
    """
    (count,) = struct.unpack_from(f"{order}H", data, first)
    link = first + 2 + 12 * count
    directories = list(_lists(data, order, first).get(_SUB_DIRECTORIES, ()))
    if link + 4 <= len(data):  # some writers leave the link out
        directories += struct.unpack_from(f"{order}I", data, link)
        struct.pack_into(f"{order}I", data, link, 0)
    spans: list[tuple[int, int]] = []
    seen = {first}
    while directories:
        at = directories.pop()
        if not 8 <= at < len(data) - 2 or at in seen:
            continue
        seen.add(at)
        values = _lists(data, order, at)
        for starts, lengths in _PICTURES:
            spans += zip(values.get(starts, ()), values.get(lengths, ()), strict=False)
        directories += values.get(_SUB_DIRECTORIES, ())
        after = at + 2 + 12 * struct.unpack_from(f"{order}H", data, at)[0]
        if after + 4 <= len(data):
            directories += struct.unpack_from(f"{order}I", data, after)
    for start, length in sorted(spans, reverse=True):
        if start >= 8 and length:
            blank(data, start, start + length)


def _lists(data: bytearray, order: str, directory: int) -> dict[int, tuple[int, ...]]:
    """Return the integers of each entry that holds integers, by tag."""
    values = {}
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, at)
        if kind in _INTEGER and length <= len(data):
            form = f"{order}{length}{_INTEGER[kind]}"
            inline = struct.calcsize(form) <= 4
            place = at + 8 if inline else struct.unpack_from(f"{order}I", data, at + 8)[0]
            values[tag] = struct.unpack_from(form, data, place)
    return values
