"""TIFF files with any tags: every type, both byte orders, classic and BigTIFF."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

#: A tag's type, and its value: bytes, or numbers (two for a fraction).
Tag = tuple[int, bytes | tuple[float, ...]]

BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED = 1, 2, 3, 4, 5, 6, 7
SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE = 8, 9, 10, 11, 12
EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
_CODES = {1: "B", 3: "H", 4: "I", 5: "I", 6: "b", 8: "h", 9: "i", 10: "i", 11: "f", 12: "d"}
_CODES |= {13: "I", 16: "Q", 17: "q", 18: "Q"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}


def packed(kind: int, value: bytes | tuple[float, ...], order: str) -> bytes:
    """Return a value's bytes."""
    if isinstance(value, bytes):
        return value
    return struct.pack(f"{order}{len(value)}{_CODES[kind]}", *value)


def directory(at: int, tags: Mapping[int, Tag], order: str, big: bool, following: int = 0) -> bytes:
    """Return a directory for a place of the file, with its longer values behind it."""
    inline, link, entry = (8, "Q", 20) if big else (4, "I", 12)
    behind = at + (8 if big else 2) + entry * len(tags) + inline
    table, values = b"", b""
    for tag, (kind, value) in sorted(tags.items()):
        content = packed(kind, value, order)
        count = len(content) // _SIZES[kind]
        if len(content) <= inline:
            own = content.ljust(inline, b"\0")
        else:
            values += b"\0" * (len(values) % 2)
            own = struct.pack(f"{order}{link}", behind + len(values))
            values += content
        table += struct.pack(f"{order}HH{link}", tag, kind, count) + own
    head = struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
    return head + table + struct.pack(f"{order}{link}", following) + values


def tiff(
    pixels: np.ndarray,
    tags: Mapping[int, Tag],
    *,
    exif: Mapping[int, Tag] | None = None,
    gps: Mapping[int, Tag] | None = None,
    order: str = "<",
    big: bool = False,
) -> bytes:
    """Return a file of one uncompressed strip.

    Args:
        pixels: HWC or HW, of any integer or floating type.
        tags: further tags of its directory; they replace its own.
        exif: the tags of its EXIF directory.
        gps: the tags of its GPS directory.
        order: ``<`` or ``>``.
        big: whether it is a BigTIFF.
    """
    height, width = pixels.shape[:2]
    depth = pixels.shape[2] if pixels.ndim == 3 else 1
    strip = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    start = 16 if big else 8
    at = start + len(strip) + len(strip) % 2
    content = strip + bytes(len(strip) % 2)
    own: dict[int, Tag] = {
        256: (LONG, (width,)),
        257: (LONG, (height,)),
        258: (SHORT, (pixels.dtype.itemsize * 8,) * depth),
        259: (SHORT, (1,)),
        262: (SHORT, (2 if depth >= 3 else 1,)),
        273: (LONG, (start,)),
        277: (SHORT, (depth,)),
        278: (LONG, (height,)),
        279: (LONG, (len(strip),)),
        339: (SHORT, (3 if pixels.dtype.kind == "f" else 1,) * depth),
        **tags,
    }
    for pointer, inner in ((EXIF, exif), (GPS, gps)):
        if inner:
            block = directory(at, inner, order, big)
            content += block + bytes(len(block) % 2)
            own[pointer] = (LONG, (at,))
            at = start + len(content)
    mark = b"II" if order == "<" else b"MM"
    if big:
        header = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, at)
    else:
        header = mark + struct.pack(f"{order}HI", 42, at)
    return header + content + directory(at, own, order, big)
