"""Overwrite the metadata of a HEIC or AVIF file in place: no offset changes, so no sample does.

The file is a tree of boxes (ISO/IEC 14496-12); its ``meta`` box names items and the extents
of their bytes (ISO/IEC 23008-12).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_KEPT = frozenset((b"ftyp", b"mdat", b"free", b"skip"))
_KEPT_INSIDE = frozenset(
    (b"hdlr", b"pitm", b"iinf", b"iloc", b"iprp", b"iref", b"idat", b"grpl", b"dinf", b"ipro")
)
_METADATA_ITEMS = frozenset((b"Exif", b"mime", b"uri "))
_EMPTY_EXIF = struct.pack("<2sHIHI", b"II", 42, 8, 0, 0)
_EMPTY_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


class BmffBox(NamedTuple):
    """A box of the file.

    Attributes:
        type: its four-letter type.
        start: where the box begins in the file.
        body: where its content begins.
        end: where both end.
    """

    type: bytes
    start: int
    body: int
    end: int


def without_metadata(content: bytes, exif: bytes | None) -> bytes:
    """Return a file of the same length with new EXIF, an empty XMP, and unknown boxes blanked.

    Args:
        content: the file.
        exif: the new EXIF from its TIFF header on; None for an empty one.

    Raises:
        ValueError: if the file's structure is not supported, so that some metadata might remain.
    """
    data = bytearray(content)
    for box in list(boxes(data, 0, len(data))):
        if box.type == b"meta":
            _blank_meta(data, box, exif)
        elif box.type in (b"moov", b"moof"):
            raise ValueError("it holds a film, whose metadata is not removed")
        elif box.type not in _KEPT:
            _free(data, box)
    return bytes(data)


def boxes(data: bytes | bytearray, at: int, end: int) -> Iterator[BmffBox]:
    """Yield the boxes between two places of a file.

    Raises:
        ValueError: if a box does not fit.
    """
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        stop = at + size if size else end
        if stop < body or stop > end:
            raise ValueError(f"its box {kind!r} does not fit into its parent")
        yield BmffBox(kind, at, body, stop)
        at = stop


def _free(data: bytearray, box: BmffBox) -> None:
    data[box.start + 4 : box.start + 8] = b"free"
    data[box.body : box.end] = bytes(box.end - box.body)


def _blank_meta(data: bytearray, meta: BmffBox, exif: bytes | None) -> None:
    inside = {}
    for box in list(boxes(data, meta.body + 4, meta.end)):
        inside[box.type] = box
        if box.type not in _KEPT_INSIDE:
            _free(data, box)
    if b"iinf" not in inside:
        return
    metadata = dict(_items(data, inside[b"iinf"]))
    idat = inside.get(b"idat")
    for item, spans in _extents(data, inside.get(b"iloc"), idat.body if idat else 0):
        if item in metadata:
            new = _new_content(metadata[item], sum(stop - start for start, stop in spans), exif)
            for start, stop in spans:
                if stop > len(data):
                    raise ValueError("an item lies beyond the end of the file")
                data[start:stop], new = new[: stop - start], new[stop - start :]


def _new_content(kind: bytes, size: int, exif: bytes | None) -> bytes:
    if kind == b"Exif":
        # The first four bytes are the offset of the TIFF header, counted from behind themselves.
        block = b"\0\0\0\0" + (exif or _EMPTY_EXIF)
        return block.ljust(size, b"\0") if len(block) <= size else bytes(size)
    return _EMPTY_XMP.ljust(size) if size >= len(_EMPTY_XMP) else b" " * size


def _items(data: bytearray, iinf: BmffBox) -> Iterator[tuple[int, bytes]]:
    """Yield (number, type) of the metadata items, and blank their names."""
    first = iinf.body + (6 if data[iinf.body] == 0 else 8)
    for box in boxes(data, first, iinf.end):
        if box.type != b"infe":
            continue
        version = data[box.body]
        if version not in (2, 3):
            raise ValueError(f"its items are described in version {version}")
        number = int.from_bytes(data[box.body + 4 : box.body + (6 if version == 2 else 8)], "big")
        at = box.body + (8 if version == 2 else 10)
        kind = bytes(data[at : at + 4])
        if kind in _METADATA_ITEMS:
            yield number, kind
        name_end = data.find(b"\0", at + 4, box.end)
        if name_end >= 0:
            data[at + 4 : name_end] = b" " * (name_end - at - 4)


def _extents(
    data: bytearray, iloc: BmffBox | None, idat: int
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield (item's number, the extents of its bytes in the file as (start, end))."""
    if iloc is None:
        return
    version = data[iloc.body]
    sizes = data[iloc.body + 4], data[iloc.body + 5]
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    at = iloc.body + 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > iloc.end:
            raise ValueError("its list of item locations is truncated")
        at += size
        return int.from_bytes(data[at - size : at], "big")

    wide = 4 if version == 2 else 2
    for _ in range(number(wide)):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)  # the file that holds it: this one
        base = number(base_size)
        spans = []
        count = number(2)
        if count > 1 and not length_size:
            raise ValueError("its items have extents without a length")
        for _ in range(count):
            number(index_size)
            start = base + number(offset_size) + (idat if method == 1 else 0)
            spans.append((start, start + number(length_size)))
        if method > 1:
            raise ValueError("an item is made of other items")
        yield item, spans
