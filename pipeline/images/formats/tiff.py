"""TIFF: strips encoded bare, under a directory of the encoder's tags and the source's own.

Writing the directory here keeps private tags (GeoTIFF, IPTC) that Pillow's writer would drop or
libtiff would choke on, and it is the only way to 16-bit colour, whose strips are made here. Lossy
or unwritable compressions become Deflate, so a TIFF is always lossless.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from numbers import Real
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ...errors import UnreadableError
from ...types import Pixels
from ..containers.tiff import (
    Content,
    Tiff,
    Value,
    as_classic,
    classic,
    encoded,
    without_broken_link,
)
from ..metadata.exif import known_object, name_of
from ..metadata.exif_tags import IMAGE, PHOTO, PLACE, Rule
from ..metadata.exif_tags import TIFF as TIFF_TAGS
from ..metadata.exif_xmp import ORIENTATION, photoshop_without_thumbnails
from ..metadata.geotiff import is_plausible
from ..metadata.hidden import may_hold_picture
from ..metadata.icc import known_profile
from ..metadata.iptc import known_iptc, known_resources
from ..native import FloatSamples, Native, Sheet, to_pillow
from .deep import decode_16_bits, to_rgb_order
from .format import (
    Captured,
    Format,
    Mended,
    Source,
    bare_metadata,
    picture_count,
    refuse_pages,
)
from .tiff_float import WideTiff, float_samples, open_picture, recognise
from .tiff_values import BYTE, LONG, SHORT, UNDEFINED, as_content, as_object, as_value

_SUBFILE_TYPE, _BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLES_PER_PIXEL = 254, 258, 262, 277
_WIDTH, _HEIGHT, _PLANAR_CONFIGURATION = 256, 257, 284
_X_RESOLUTION, _Y_RESOLUTION, _PHOTOSHOP, _XMP, _EXIF, _GPS = 282, 283, 34377, 700, 34665, 34853
_COMPRESSION, _PREDICTOR, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 259, 317, 338, 339
_STRIP_OFFSETS, _STRIP_COUNTS, _ROWS_PER_STRIP = 273, 279, 278
_GREY, _RGB = 1, 2
_UNSIGNED, _FLOAT = 1, 3
#: Bits of the subfile type: a reduced copy, a transparency mask.
_REDUCED_OR_MASK = 0b101
#: Structure (the new file has its own), orientation (now 1), and further pictures: sub-images, JPEG
#: streams, Photoshop's layers.
_NOT_KEPT = frozenset(
    [
        *(254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 284, 288),
        *(289, 292, 293, 297, 301, 317, 320, 322, 323, 324, 325, 326, 327, 328, 330, 332, 333, 334),
        *(338, 339, 340, 341, 347, *range(512, 533), _EXIF, _GPS, 37724, 40965),
    ]
)
#: Sub-images, and Photoshop's layers.
_FURTHER_PICTURES = frozenset((330, 37724))
#: Tags that the pixels need to look as they do, with the most values of each: resolution and its
#: unit, white point, primaries, dot range.
_PIXEL_TAGS = {282: 1, 283: 1, 296: 1, 318: 2, 319: 6, 336: 10}
_ICC = 34675
_KEPT_COMPRESSIONS = frozenset(
    {"raw", "group3", "group4", "tiff_lzw", "tiff_adobe_deflate", "packbits"}
)
_PREDICTABLE = frozenset({"tiff_lzw", "tiff_adobe_deflate"})
_STRIP_BYTES = 1 << 20
_TURNED_SIZE = {40962: 40963, 40963: 40962}
_MAKER_NOTE, _INTEROPERABILITY = 37500, 40965
_HEADER = b"II*\0\x08\0\0\0"
_IPTC = 33723
#: Tags whose bytes mean something of their own, whatever type they are declared as.
_BYTES = frozenset((_IPTC, _PHOTOSHOP, _XMP, _ICC))

Tag = tuple[int, int, Any]

_RULES = {**PHOTO, **IMAGE, **TIFF_TAGS}
#: Filters of the tags that hold a block of another kind.
_BLOCKS: dict[int, Callable[[bytes], tuple[bytes | None, tuple[str, ...]]]] = {
    _IPTC: known_iptc,
    _PHOTOSHOP: known_resources,
    _ICC: known_profile,
}


def mend(head: bytes, handle: BinaryIO) -> Mended | None:
    """End the list of pages where it leads to no page; make a big-endian BigTIFF a classic one."""
    if head[:2] not in (b"II", b"MM"):
        return None
    try:
        content = as_classic(handle)
    except ValueError as error:
        raise UnreadableError(f"a big-endian BigTIFF, and {error}; convert it first") from error
    if content is not None:
        return Mended(content, ())
    content = without_broken_link(handle)
    if content is None:
        return None
    return Mended(content, ("its list of pages leads to nothing: the pages before are read",))


def warn_of_pages(image: Image.Image) -> tuple[str, ...]:
    """Refuse several pages, but only warn if all behind the first are reduced copies or masks."""
    count = picture_count(image)
    if isinstance(image, WideTiff):
        return refuse_pages(image, "pages")
    if count > 1 and all(_is_side_page(image, page) for page in range(1, count)):
        image.seek(0)
        return ("the file holds reduced copies of its picture: the cleaned file drops them",)
    return refuse_pages(image, "pages")


def _is_side_page(image: Image.Image, page: int) -> bool:
    image.seek(page)
    return bool(int(_tags(image).get(_SUBFILE_TYPE, 0)) & _REDUCED_OR_MASK)


def deep_samples(image: Image.Image, handle: BinaryIO) -> Pixels | FloatSamples | None:
    """Decode 16-bit RGB, with or without alpha, or floating-point samples.

    Raises:
        UnreadableError: for samples of a depth or colour that cannot be written back.
    """
    if isinstance(image, WideTiff) and image.is_float:
        return float_samples(image, handle)
    bits = bits_per_sample(image)
    if max(bits) <= 8:
        return None
    if set(bits) != {16}:
        raise UnreadableError(
            f"its samples have {bits[0]} bits, which cannot be written back; "
            "convert it to 8 or 16 bits"
        )
    if len(bits) == 1:
        return None
    if _tags(image).get(_PHOTOMETRIC) != _RGB:
        raise UnreadableError(
            f"16-bit {image.mode} cannot be kept at its depth; "
            "convert it to 16-bit RGB or to 8 bits"
        )
    return to_rgb_order(decode_16_bits(image, handle))


def bits_per_sample(image: Image.Image) -> tuple[int, ...]:
    """Return the bits of each channel."""
    tags = _tags(image)
    bits = tuple(tags.get(_BITS_PER_SAMPLE, (1,)))
    samples = int(tags.get(_SAMPLES_PER_PIXEL, 1))
    return bits * samples if len(bits) == 1 else bits


def no_exif(image: Image.Image) -> None:
    """Return nothing: a TIFF's EXIF is a directory of the file and kept among its tags."""


def directory_orientation(image: Image.Image) -> int | None:
    """Return the directory's orientation: 1 if it is invalid, None (or 0) leaves it to XMP."""
    value = _tags(image).get(ORIENTATION)
    if not value:
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def capture(source: Source) -> Captured:
    """Keep compression and tags; warn of channels that Pillow does not decode."""
    image = source.image
    samples, kept = int(_tags(image).get(_SAMPLES_PER_PIXEL, 1)), len(image.getbands())
    warnings: tuple[str, ...] = ()
    if samples > kept:
        warnings = (
            f"{samples - kept} of its {samples} channels (masks or spot colours) cannot be kept",
        )
    settings = options(image, source.handle)
    return Captured(
        options=settings,
        warnings=warnings,
        dropped=_names_of_dropped(source.handle, settings),
        turn=_stored_orientation(Tiff(source.handle)),
    )


def _stored_orientation(file: Tiff) -> int:
    """Return the orientation of the file's own pixels, which Pillow and OpenCV turn and forget."""
    numbers = file.numbers(file.directory(file.first).values.get(ORIENTATION))
    return numbers[0] if len(numbers) == 1 and 1 <= numbers[0] <= 8 else 1


def _names_of_dropped(handle: BinaryIO, settings: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the source's tags that no result gets."""
    file = Tiff(handle)
    own = file.directory(file.first).values
    kept = {_XMP, *(tag for tag, _, _ in settings["tags"])}
    names = [name_of(tag) for tag in own if tag not in kept | _NOT_KEPT or tag in _FURTHER_PICTURES]
    with suppress(ValueError, LookupError):
        inner = file.directory(file.numbers(own[_EXIF])[0]).values
        kinds = settings["kinds"].get(_EXIF, {})
        names += [name_of(tag) for tag in inner if tag not in kinds and tag != _INTEROPERABILITY]
    return tuple(names)


def _tags(image: Image.Image) -> Any:
    return getattr(image, "tag_v2", {})


def options(image: Image.Image, handle: BinaryIO) -> dict[str, Any]:
    """Return the source's compression, and every tag that stays true, see ``tags_of``.

    Args:
        image: the opened source.
        handle: its file.
    """
    compression, directory = image.info.get("compression", "raw"), _tags(image)
    tags, kinds = tags_of(Tiff(handle))
    return {
        "compression": compression if compression in _KEPT_COMPRESSIONS else "tiff_adobe_deflate",
        "predictor": directory.get(_PREDICTOR, 1) == 2 or compression not in _KEPT_COMPRESSIONS,
        "extra": directory.get(_EXTRA_SAMPLES),
        "tags": tags,
        "kinds": kinds,
    }


def tags_of(file: Tiff) -> tuple[tuple[Tag, ...], dict[int, dict[int, int]]]:
    """Return every tag that stays true, and the types that ``encode`` restores.

    Returns:
        (tag, type, object) of each tag, of EXIF and GPS a dictionary of objects; and the types of
        each directory's tags, of which 0 is the file's own.
    """
    own = file.directory(file.first).values
    turned = _stored_orientation(file) >= 5
    tags: list[Tag] = []
    kinds = {0: {tag: value.kind for tag, value in own.items()}}
    for tag, value in own.items():
        if tag not in _NOT_KEPT and tag != _XMP and (kept := _kept(tag, value, file)) is not None:
            if turned and tag in (_X_RESOLUTION, _Y_RESOLUTION):
                tag = _X_RESOLUTION + _Y_RESOLUTION - tag
            tags.append((tag, value.kind, kept))
    for group in (_EXIF, _GPS):
        inner = _inner(file, own.get(group))
        if inner:
            objects = {
                _TURNED_SIZE.get(tag, tag) if turned else tag: as_object(value, file)
                for tag, value in inner.items()
            }
            tags.append((group, LONG, objects))
            kinds[group] = {tag: value.kind for tag, value in inner.items()}
    return tuple(tags), kinds


def _kept(tag: int, value: Value, file: Tiff) -> Any:
    """Return a tag's object; None if the new file must not have it."""
    # IPTC is often declared as LONG, but its bytes have their own order in every file.
    kept = value.content if tag in _BYTES else as_object(value, file)
    if tag == _PHOTOSHOP:
        kept = photoshop_without_thumbnails(kept)
    return None if isinstance(kept, bytes) and may_hold_picture(kept) else kept


def _inner(file: Tiff, pointer: Value | None) -> dict[int, Value]:
    """Return the values of the EXIF or GPS directory.

    Maker notes are left out: their offsets would be wrong in the new file.
    """
    places = file.numbers(pointer)
    if not places:
        return {}
    try:
        values = file.directory(places[0]).values
    except ValueError:
        return {}
    return {
        tag: value
        for tag, value in values.items()
        if tag not in (_MAKER_NOTE, _INTEROPERABILITY) and not may_hold_picture(value.content)
    }


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write a TIFF in the sheet's own mode and depth."""
    own, strips = _plain(sheet, native) if sheet.pixels.dtype == np.uint8 else _deep(sheet, native)
    content: dict[int, Value | Content] = {**own, **_source_tags(native)}
    if native.metadata.xmp:
        content[_XMP] = as_value(BYTE, native.metadata.xmp)
    lengths = [len(strip) for strip in strips]
    content[_STRIP_COUNTS] = as_value(LONG, tuple(lengths))
    content[_STRIP_OFFSETS] = as_value(LONG, (0,) * len(strips))
    start = len(_HEADER) + len(encoded(content, len(_HEADER)))
    offsets = np.cumsum([start, *lengths[:-1]]).tolist()
    content[_STRIP_OFFSETS] = as_value(LONG, tuple(offsets))
    handle.write(_HEADER + encoded(content, len(_HEADER)))
    for strip in strips:
        handle.write(strip)


def _source_tags(native: Native) -> Content:
    """Return the source's tags, each of its own type."""
    kinds = native.options.get("kinds", {})
    content: dict[int, Value | Content] = {}
    for tag, kind, value in native.options.get("tags", ()):
        if isinstance(value, dict):
            content[tag] = as_content(value, kinds.get(tag, {}))
        else:
            own = kinds.get(0, {}).get(tag, kind) if tag in _BYTES else kind
            content |= as_content({tag: value}, {tag: own})
    return content


def _plain(sheet: Sheet, native: Native) -> tuple[dict[int, Value], list[bytes]]:
    """Return directory and strips as Pillow encodes them."""
    compression = native.options.get("compression", "tiff_adobe_deflate")
    info: dict[int, Any] = {}
    if (
        compression in _PREDICTABLE
        and sheet.mode not in ("1", "P", "PA")
        and native.options.get("predictor", True)
    ):
        info[_PREDICTOR] = 2
    memory = BytesIO()
    image = to_pillow(sheet)
    image.save(memory, "TIFF", compression=compression, tiffinfo=info, strip_size=_STRIP_BYTES)
    file = Tiff(memory)
    directory = file.directory(file.first).values
    view = memory.getbuffer()
    strips = [
        bytes(view[at : at + size])
        for at, size in zip(
            file.numbers(directory[_STRIP_OFFSETS]),
            file.numbers(directory[_STRIP_COUNTS]),
            strict=True,
        )
    ]
    return {tag: classic(value, file.order) for tag, value in directory.items()}, strips


def _deep(sheet: Sheet, native: Native) -> tuple[dict[int, Value], list[bytes]]:
    """Encode 16-bit or floating-point grey or RGB, with or without alpha.

    The strips are raw, or Deflate, of whole numbers with the horizontal predictor.
    """
    height, width = sheet.pixels.shape[:2]
    depth = sheet.pixels.shape[2] if sheet.pixels.ndim == 3 else 1
    raw = native.options.get("compression") == "raw"
    bytes_each = sheet.pixels.dtype.itemsize
    is_float = sheet.pixels.dtype.kind == "f"
    rows = max(1, min(height, _STRIP_BYTES // (width * depth * bytes_each)))
    shorts = {
        _BITS_PER_SAMPLE: (8 * bytes_each,) * depth,
        _COMPRESSION: 1 if raw else 8,
        _PHOTOMETRIC: _RGB if depth > 2 else _GREY,
        _SAMPLES_PER_PIXEL: depth,
        _PLANAR_CONFIGURATION: 1,
        _SAMPLE_FORMAT: (_FLOAT if is_float else _UNSIGNED,) * depth,
    }
    if not raw and not is_float:
        shorts[_PREDICTOR] = 2
    if depth in (2, 4):
        shorts[_EXTRA_SAMPLES] = native.options.get("extra") or (2,)
    longs = {_WIDTH: width, _HEIGHT: height, _ROWS_PER_STRIP: rows}
    directory = {tag: as_value(SHORT, value) for tag, value in shorts.items()}
    directory |= {tag: as_value(LONG, value) for tag, value in longs.items()}
    return directory, list(_deep_strips(sheet.pixels.reshape(height, width, depth), rows, raw))


def _deep_strips(pixels: Pixels | FloatSamples, rows: int, raw: bool) -> Iterator[bytes]:
    little_endian = pixels.dtype.newbyteorder("<")
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows]
        if raw:
            yield strip.astype(little_endian).tobytes()
        elif strip.dtype.kind == "f":
            yield zlib.compress(strip.astype(little_endian).tobytes(), 4)
        else:
            differences = strip.copy()
            differences[:, 1:] -= strip[:, :-1]
            yield zlib.compress(differences.astype("<u2").tobytes(), 4)


def known(native: Native) -> tuple[Native, tuple[str, ...]]:
    """Keep the tags of TIFF, EXIF, GPS and GeoTIFF that are known, and IPTC's known fields."""
    kept: list[Tag] = []
    dropped: list[str] = []
    kinds = native.options.get("kinds", {})
    for tag, kind, value in native.options.get("tags", ()):
        if tag in _BLOCKS:
            value, names = _BLOCKS[tag](value)
        elif isinstance(value, dict):
            value, names = _known_directory(
                value, kinds.get(tag, {}), PLACE if tag == _GPS else PHOTO
            )
        else:
            value = known_object(_RULES.get(tag), kind, value) if is_plausible(tag, value) else None
            names = () if value is not None else (name_of(tag),)
        dropped += names
        if value is not None and value != {}:
            kept.append((tag, kind, value))
    options = {**native.options, "tags": tuple(kept)}
    return replace(native, options=options), tuple(dropped)


def _known_directory(
    values: dict[int, Any], kinds: dict[int, int], rules: dict[int, Rule]
) -> tuple[dict[int, Any], tuple[str, ...]]:
    """Return a directory's known values, and the names of the others."""
    known = {
        tag: known_object(rules.get(tag), kinds.get(tag, 0), value) for tag, value in values.items()
    }
    dropped = tuple(name_of(tag, rules) for tag, value in known.items() if value is None)
    return {tag: value for tag, value in known.items() if value is not None}, dropped


def bare(native: Native) -> Native:
    """Drop the metadata but for the tags that define colours and density."""
    metadata = bare_metadata(native.metadata)
    tags = [tag for tag in native.options.get("tags", ()) if _defines_pixels(tag)]
    if metadata.icc:
        tags.append((_ICC, UNDEFINED, metadata.icc))
    return replace(native, metadata=metadata, options={**native.options, "tags": tuple(tags)})


def _defines_pixels(tag: Tag) -> bool:
    """Whether the tag is one of ``_PIXEL_TAGS`` and holds as many numbers as it may."""
    number, _, value = tag
    values = value if isinstance(value, tuple | bytes) else (value,)
    return len(values) <= _PIXEL_TAGS.get(number, 0) and all(isinstance(v, Real) for v in values)


TIFF = Format(
    name="TIFF",
    title="TIFF",
    suffixes=(".tif", ".tiff"),
    lossy=False,
    deep=True,
    recognise=recognise,
    open=open_picture,
    mend=mend,
    refuse_pages=warn_of_pages,
    deep_samples=deep_samples,
    exif=no_exif,
    directory_orientation=directory_orientation,
    capture=capture,
    encode=encode,
    known=known,
    bare=bare,
)
