"""Metadata made true for the new picture: upright, of its new size, and with no thumbnail that still shows what was removed.

EXIF is patched in place, never written anew: maker notes hold offsets into the block, and a camera's oddities survive. All
functions take bytes and give new bytes; what cannot be understood is dropped, because it might hold a picture.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

ORIENTATION, EXIF_IFD = 0x0112, 0x8769
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
_THUMBNAIL_AT, _THUMBNAIL_BYTES = 0x0201, 0x0202
_INTEGER = {1: "B", 3: "H", 4: "I"}  # EXIF's BYTE, SHORT and LONG
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)([0-9]+)")
_XMP_THUMBNAILS = re.compile(rb"<((?:xmp|xap):Thumbnails)\b")
_XMP_OF_A_SECOND_PICTURE = re.compile(rb"hdrgm:|GainMap|Container:Directory|MicroVideo|MotionPhoto|GDepth:|GImage:", re.IGNORECASE)
_XMP_CONTINUATION = re.compile(rb"xmpNote:HasExtendedXMP\s*=\s*[\"'][0-9A-Fa-f]*[\"']")
_PHOTOSHOP_THUMBNAILS = (1033, 1036)


def bare_exif(exif: bytes | None) -> bytes | None:
    """EXIF from its TIFF header on: some formats put ``Exif\\0\\0`` before it, some do not."""
    return exif.removeprefix(b"Exif\0\0") or None if exif else None


def orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """The orientation 1-8 that EXIF says or, where it is silent, XMP. 1 where neither does or the value makes no sense."""
    found = None
    try:
        if exif:
            order, first = _header(exif)
            found = next((v for _, tag, v, _ in _entries(exif, order, first) if tag == ORIENTATION), None)
    except (struct.error, KeyError):
        found = None
    if found is None and xmp and (match := _XMP_ORIENTATION.search(xmp)) and len(match[2]) < 9:
        found = int(match[2])
    return found if found is not None and 1 <= found <= 8 else 1


def upright_exif(exif: bytes, size: tuple[int, int]) -> bytes | None:
    """EXIF for the upright picture of ``size`` (height, width): orientation 1, true dimensions, no thumbnails.

    None where the block is too damaged to be made true.
    """
    data = bytearray(exif)
    try:
        order, first = _header(exif)
        for at, tag, value, kind in list(_entries(exif, order, first)):
            if tag == ORIENTATION:
                _set(data, order, at, kind, 1)
            elif tag == EXIF_IFD and value:
                _set_size(data, order, value, size)
        _set_size(data, order, first, size)
        _cut_thumbnail(data, order, first)
    except (struct.error, KeyError):
        return None
    return _without_jpegs(data)


def upright_xmp(xmp: bytes) -> bytes | None:
    """XMP with orientation 1 and no thumbnail; None where it describes a second picture that the new file does not have."""
    if _XMP_OF_A_SECOND_PICTURE.search(xmp):
        return None
    for pattern, new in ((_XMP_ORIENTATION, rb"\g<1>1"), (_XMP_CONTINUATION, b"")):
        xmp = pattern.sub(new, xmp)
    return _without_thumbnails(xmp)


def _without_thumbnails(xmp: bytes) -> bytes:
    """In one pass: a pattern with both ends in it would look for the end again at each of a hostile file's million beginnings."""
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
    """Photoshop's image resources (8BIM blocks) less the thumbnails; None where they cannot be parsed."""
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
        if number not in _PHOTOSHOP_THUMBNAILS:
            kept += resources[at:end]
        at = end
    return bytes(kept) or None


def _header(exif: bytes) -> tuple[str, int]:
    """Byte order and the offset of the first directory."""
    order = {b"II*\0": "<", b"MM\0*": ">"}[exif[:4]]
    (first,) = struct.unpack_from(f"{order}I", exif, 4)
    return order, first


def _entries(data: bytes, order: str, directory: int) -> Iterator[tuple[int, int, int, int]]:
    """(place of the value, tag, value, kind) of the entries that hold one integer."""
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


def _cut_thumbnail(data: bytearray, order: str, first: int) -> None:
    """Unlink the second directory, which holds nothing but the thumbnail, and overwrite the thumbnail it points to."""
    (count,) = struct.unpack_from(f"{order}H", data, first)
    link = first + 2 + 12 * count
    if link + 4 > len(data):  # some writers leave the link out
        return
    (second,) = struct.unpack_from(f"{order}I", data, link)
    struct.pack_into(f"{order}I", data, link, 0)
    if not 8 <= second < len(data) - 2:
        return
    values = {tag: value for _, tag, value, _ in _entries(bytes(data), order, second)}
    for start_tag, length_tag in ((_THUMBNAIL_AT, _THUMBNAIL_BYTES), (0x0111, 0x0117)):
        start, length = values.get(start_tag, 0), values.get(length_tag, 0)
        if start >= 8 and length:
            _blank(data, start, start + length)


def _without_jpegs(data: bytearray) -> bytes:
    """Previews that a maker note hides are JPEG streams: blank them, wherever they are."""
    start = data.find(b"\xff\xd8\xff")
    while start >= 0:
        end = data.find(b"\xff\xd9", start)
        _blank(data, start, len(data) if end < 0 else end + 2)
        start = data.find(b"\xff\xd8\xff", start)
    return bytes(data)


def _blank(data: bytearray, start: int, end: int) -> None:
    """Zero the bytes, or cut them off where nothing follows them."""
    if end >= len(data):
        del data[start:]
    else:
        data[start:end] = bytes(end - start)
