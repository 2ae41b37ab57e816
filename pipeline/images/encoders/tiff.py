"""TIFF: strips encoded bare, then put under a directory that merges the encoder's tags with the source's own.

Splicing keeps private tags (GeoTIFF, IPTC) that Pillow's own writer would drop or libtiff would choke on, and it is the only way
to 16-bit colour, whose strips are made here. Lossy or unwritable compressions become Deflate, so a TIFF is always lossless.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2 as _Directory

from ...types import Pixels
from ..metadata.exif_xmp import photoshop_without_thumbnails
from ..metadata.hidden import may_hold_picture
from ..native import Native, Sheet, to_pillow

_X_RESOLUTION, _Y_RESOLUTION, _PHOTOSHOP, _XMP, _EXIF, _GPS = 282, 283, 34377, 700, 34665, 34853
_COMPRESSION, _PREDICTOR, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 259, 317, 338, 339
_STRIP_OFFSETS, _STRIP_COUNTS, _ROWS_PER_STRIP = 273, 279, 278
_SHORT, _LONG = 3, 4
# Structure (the new file has its own), orientation (now 1), further pictures: sub-images, JPEG streams, Photoshop's layers.
_NOT_KEPT = frozenset(
    {
        254,
        255,
        256,
        257,
        258,
        259,
        262,
        263,
        266,
        273,
        274,
        277,
        278,
        279,
        280,
        281,
        284,
        288,
        289,
        292,
        293,
        297,
        301,
        317,
        320,
    }
    | {
        322,
        323,
        324,
        325,
        326,
        327,
        328,
        330,
        332,
        333,
        334,
        338,
        339,
        340,
        341,
        347,
        37724,
        _EXIF,
        _GPS,
        40965,
    }
    | set(range(512, 533))
)
_KEPT_COMPRESSIONS = frozenset(
    {"raw", "group3", "group4", "tiff_lzw", "tiff_adobe_deflate", "packbits"}
)
_PREDICTABLE = frozenset({"tiff_lzw", "tiff_adobe_deflate"})
_STRIP_BYTES = 1 << 20
_MAKER_NOTE, _INTEROPERABILITY = 37500, 40965
_HEADER = b"II*\0\0\0\0\0"

Tag = tuple[int, int, Any]


def options(image: Image.Image, handle: BinaryIO, turned: bool) -> dict[str, Any]:
    """The source's compression and every tag that stays true, as (tag, type, value)."""
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    compression = image.info.get("compression", "raw")
    directory = image.tag_v2
    tags: list[Tag] = []
    for tag in directory:
        if tag in _NOT_KEPT:
            continue
        value = directory[tag]
        if tag == _PHOTOSHOP:
            value = photoshop_without_thumbnails(value) if isinstance(value, bytes) else None
        if turned and tag in (_X_RESOLUTION, _Y_RESOLUTION):
            tag = _X_RESOLUTION + _Y_RESOLUTION - tag
        if isinstance(value, bytes) and may_hold_picture(value):
            continue
        if value is not None and tag != _XMP:
            tags.append((tag, directory.tagtype.get(tag, 0), value))
    for group in (_EXIF, _GPS):
        if group in directory and (inner := _inner(handle, directory[group], group)):
            tags.append((group, _LONG, inner))
    return {
        "compression": compression if compression in _KEPT_COMPRESSIONS else "tiff_adobe_deflate",
        "predictor": directory.get(_PREDICTOR, 1) == 2 or compression not in _KEPT_COMPRESSIONS,
        "extra": directory.get(_EXTRA_SAMPLES),
        "tags": tuple(tags),
    }


def write(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Encode and write, in the sheet's own mode and depth."""
    directory, strips = (
        _deep(sheet, native) if sheet.pixels.dtype == np.uint16 else _plain(sheet, native)
    )
    tags: list[Tag] = list(native.options.get("tags", ()))
    if native.metadata.xmp:
        tags.append((_XMP, 1, native.metadata.xmp))
    for tag, kind, value in tags:
        _put(directory, tag, kind, value)
    _put(directory, _STRIP_COUNTS, _LONG, tuple(len(strip) for strip in strips))
    offsets = np.cumsum([0] + [len(strip) for strip in strips[:-1]]).tolist()
    _put(
        directory, _STRIP_OFFSETS, _LONG, tuple(offsets)
    )  # relative: Pillow's directory adds its own length
    directory.save(handle)
    for strip in strips:
        handle.write(strip)


def _plain(sheet: Sheet, native: Native) -> tuple[_Directory, list[bytes]]:
    """Directory and strips as Pillow encodes them."""
    compression = native.options.get("compression", "tiff_adobe_deflate")
    info: dict[int, Any] = {}
    if (
        compression in _PREDICTABLE
        and sheet.mode not in ("1", "P", "PA")
        and native.options.get("predictor", True)
    ):
        info[_PREDICTOR] = 2
    bare = BytesIO()
    image = to_pillow(sheet)
    image.save(bare, "TIFF", compression=compression, tiffinfo=info, strip_size=_STRIP_BYTES)
    encoded = Image.open(bare, formats=("TIFF",))
    assert isinstance(encoded, TiffImagePlugin.TiffImageFile)
    source = encoded.tag_v2
    directory = _Directory(bare.getvalue()[:8])
    for tag in source:
        _put(directory, tag, source.tagtype[tag], source[tag])
    view = bare.getbuffer()
    strips = [
        bytes(view[at : at + size])
        for at, size in zip(source[_STRIP_OFFSETS], source[_STRIP_COUNTS], strict=True)
    ]
    return directory, strips


def _deep(sheet: Sheet, native: Native) -> tuple[_Directory, list[bytes]]:
    """16-bit grey or RGB, with or without alpha: raw strips, or Deflate with the horizontal predictor."""
    height, width = sheet.pixels.shape[:2]
    depth = sheet.pixels.shape[2] if sheet.pixels.ndim == 3 else 1
    raw = native.options.get("compression") == "raw"
    rows = max(1, min(height, _STRIP_BYTES // (width * depth * 2)))
    directory = _Directory(_HEADER)
    shorts = {
        258: (16,) * depth,
        _COMPRESSION: 1 if raw else 8,
        262: 2 if depth > 2 else 1,
        277: depth,
        284: 1,
        _SAMPLE_FORMAT: (1,) * depth,
    }
    if not raw:
        shorts[_PREDICTOR] = 2
    if depth in (2, 4):
        shorts[_EXTRA_SAMPLES] = native.options.get("extra") or (2,)
    for tag, value in shorts.items():
        _put(directory, tag, _SHORT, value)
    for tag, value in {256: width, 257: height, _ROWS_PER_STRIP: rows}.items():
        _put(directory, tag, _LONG, value)
    return directory, list(_deep_strips(sheet.pixels.reshape(height, width, depth), rows, raw))


def _deep_strips(pixels: Pixels, rows: int, raw: bool) -> Iterator[bytes]:
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows]
        if raw:
            yield strip.astype("<u2").tobytes()
        else:
            differences = strip.copy()
            differences[:, 1:] -= strip[:, :-1]
            yield zlib.compress(differences.astype("<u2").tobytes(), 4)


def _put(directory: _Directory, tag: int, kind: int, value: Any) -> None:
    """Set a tag with its source's type (0: Pillow chooses); one whose value does not fit its type is left out."""
    if isinstance(value, dict) or _writable(_Directory(_HEADER), tag, kind, value):
        if kind:
            directory.tagtype[tag] = kind
        directory[tag] = value


def _writable(probe: _Directory, tag: int, kind: int, value: Any) -> bool:
    if kind:
        probe.tagtype[tag] = kind
    try:
        probe[tag] = value
        probe.tobytes()
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        AssertionError,
        struct.error,
    ):
        return False
    return True


def _inner(handle: BinaryIO, offset: Any, group: int) -> dict[int, Any]:
    """The EXIF or GPS directory's values that can be written again; a maker note's own offsets would be wrong in the new file."""
    try:
        handle.seek(0)
        header = handle.read(8)
        source = _Directory(
            header + handle.read(8 if 43 in header[2:4] else 0), group=group
        )  # BigTIFF's header is longer
        handle.seek(int(offset))
        source.load(handle)
        values = dict(source)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return {}
    return {
        tag: value
        for tag, value in values.items()
        if tag not in (_MAKER_NOTE, _INTEROPERABILITY)
        and not (isinstance(value, bytes) and may_hold_picture(value))
        and _writable(_Directory(_HEADER, group=group), tag, 0, value)
    }
