"""EXIF from a camera's RAW file, wherever its maker keeps it, without reading its pictures."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

from .bmff import BmffBox, boxes
from .jpeg import APP1, EXIF, parse
from .tiff import Content, Tiff, Value, classic, encoded

FUJI = b"FUJIFILMCCD-RAW"
#: The brand of Canon's CR3, which is built like HEIC.
CANON = b"ftypcrx "
_EXIF, _GPS, _XMP = 34665, 34853, 700
_ORIENTATION, _WIDTH, _HEIGHT, _LENS = 274, 40962, 40963, 42036
_SHORT, _LONG, _ASCII = 3, 4, 2
#: Of the first directory, which mostly tells of an embedded preview: description, maker, model,
#: densities, program, date, artist, rating, copyright, and Windows' texts.
_FILE_TAGS = frozenset((270, 271, 272, 282, 283, 296, 305, 306, 315, 18246, 18249, 33432)) | {
    *range(40091, 40096)
}
#: Maker note and interoperability: their offsets would be wrong in another file.
_NOT_KEPT = frozenset((37500, 40965))
_FUJI_JPEG_AT = 84
_CANON_UUID = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_LARGEST_BOX = 64 << 20
_HEADER = b"II*\0\x08\0\0\0"


def camera_exif(handle: BinaryIO, size: tuple[int, int], lens: str) -> bytes:
    """Return a new EXIF block with a RAW file's date, camera, exposure, place and rights.

    Args:
        handle: the file.
        size: height and width of the developed, upright picture.
        lens: the lens's name, for a file whose EXIF does not say it.
    """
    own: dict[int, Value | Content] = {}
    exif: dict[int, Value | Content] = {}
    place: dict[int, Value | Content] = {}
    with suppress(ValueError, struct.error):
        for file in _directories(handle):
            first = file.directory(file.first).values
            own |= _classic(file, first, _FILE_TAGS)
            exif |= _inner(file, first.get(_EXIF))
            place |= _inner(file, first.get(_GPS))
            if 33434 in first or 36867 in first:  # Canon's CR3 keeps EXIF as a file of its own
                exif |= _classic(file, first, first.keys())
            elif 1 in first and 2 in first and 271 not in first:
                place |= _classic(file, first, first.keys())
    own[_ORIENTATION] = Value(_SHORT, struct.pack("<H", 1))
    exif[_HEIGHT], exif[_WIDTH] = (Value(_LONG, struct.pack("<I", side)) for side in size)
    if lens and _LENS not in exif:
        exif[_LENS] = Value(_ASCII, lens.encode() + b"\0")
    for directory in (own, exif, place):
        for tag in _NOT_KEPT & directory.keys():
            del directory[tag]
    return _HEADER + encoded({**own, _EXIF: exif, _GPS: place})


def camera_xmp(handle: BinaryIO) -> bytes | None:
    """Return a RAW file's XMP."""
    with suppress(ValueError, struct.error):
        if _starts(handle, 4, CANON):
            found = [b for b in _top_boxes(handle) if b[:16] == _XMP_UUID]
            return found[0][16:] if found else None
        for file in _directories(handle):
            if xmp := file.directory(file.first).values.get(_XMP):
                return xmp.content
    return None


def _directories(handle: BinaryIO) -> Iterator[Tiff]:
    """Yield the file, or the files in it, whose directories hold EXIF."""
    if _starts(handle, 0, FUJI):
        handle.seek(_FUJI_JPEG_AT)
        start, size = struct.unpack(">II", handle.read(8))
        handle.seek(start)
        block = parse(handle.read(min(size, _LARGEST_BOX))).first(APP1, EXIF)
        if block is not None:
            yield Tiff(io.BytesIO(block.removeprefix(EXIF)))
    elif _starts(handle, 4, CANON):
        for moov in _top_boxes(handle):
            for box in _inside(moov):
                if moov[box.body : box.body + 16] == _CANON_UUID:
                    inner = moov[box.body + 16 : box.end]
                    for part in _inside(inner):
                        if part.type in (b"CMT1", b"CMT2", b"CMT4"):
                            yield Tiff(io.BytesIO(inner[part.body : part.end]))
    else:
        yield Tiff(handle)


def _inside(content: bytes) -> Iterator[BmffBox]:
    with suppress(ValueError, struct.error):
        yield from boxes(content, 0, len(content))


def _top_boxes(handle: BinaryIO) -> Iterator[bytes]:
    """Yield the contents of a CR3's ``moov`` and ``uuid`` boxes."""
    handle.seek(0)
    at = 0
    while len(head := handle.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        body = 8
        if size == 1:
            (size,) = struct.unpack(">Q", handle.read(8))
            body = 16
        if size < body:
            return
        if kind in (b"moov", b"uuid") and size <= _LARGEST_BOX:
            yield handle.read(size - body)
        at += size
        handle.seek(at)


def _starts(handle: BinaryIO, at: int, content: bytes) -> bool:
    handle.seek(at)
    return handle.read(len(content)) == content


def _inner(file: Tiff, pointer: Value | None) -> dict[int, Value | Content]:
    places = file.numbers(pointer)
    if not places:
        return {}
    with suppress(ValueError):
        values = file.directory(places[0]).values
        return _classic(file, values, values.keys())
    return {}


def _classic(
    file: Tiff, values: dict[int, Value], tags: Iterable[int]
) -> dict[int, Value | Content]:
    wanted = set(tags) - {_EXIF, _GPS}
    return {tag: classic(v, file.order) for tag, v in values.items() if tag in wanted}
