"""Opening a picture safely: by its content, within a pixel limit that is checked before anything is decoded, one picture a file."""
# DOC: """What makes a file a bomb although its header declares few pixels. Told from the file's bytes, before anything is decoded.
#
# What cannot be told so (a TIFF's vast tiles, whatever nobody has thought of yet) meets the limits of ``pipeline.images.sandbox_worker``.
# """
#

from __future__ import annotations

import importlib
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import UnreadableError
from ..types import Pixels

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")

KNOWN = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC"

BAD_CONTENT = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
    cv2.error,
    Image.DecompressionBombError,
)

"""What Pillow's and OpenCV's decoders raise for a damaged file, as their fuzzed test files show. Only decoding is caught with it."""

_PILLOW = threading.RLock()

_SUBFILE_TYPE, _BITS_PER_SAMPLE, _SAMPLES_PER_PIXEL, _PHOTOMETRIC = 254, 258, 277, 262

_REDUCED_OR_MASK = 0b101

_GREY_WITH_ALPHA = 4


@contextmanager
def quiet(found: list[str] | None = None) -> Iterator[None]:
    """Pillow without its global limit, its warnings put into ``found`` instead of shown.

    Both are global to the process: the lock keeps two of our own threads from restoring each other's state.
    """
    with _PILLOW, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
            if found is not None:
                found.extend(
                    dict.fromkeys(
                        str(w.message) for w in caught if issubclass(w.category, UserWarning)
                    )
                )


def open_picture(handle: BinaryIO, max_pixels: int) -> Image.Image:
    """The file's picture with its header read and its size checked, not yet decoded.

    Raises ``UnreadableError`` (its message without the file's name) for what is no picture or one too large; any of
    ``BAD_CONTENT`` for a damaged header.
    """
    head = handle.read(64)
    handle.seek(0)
    if not head:
        raise UnreadableError("the file is empty; copy it again from its source")
    refuse_vast_file(handle)
    image = _open_heif(handle) if _is_heif(head) else _open(handle, head)
    width, height = image.size
    if width < 1 or height < 1:
        raise UnreadableError(
            f"the picture is {width} x {height} pixels: there is nothing to clean"
        )
    if width * height > max_pixels:
        raise UnreadableError(
            f"the header declares {width} x {height} = {width * height:,} pixels, more than the limit of {max_pixels:,}; "
            "if the picture is genuine, scale it down first"
        )
    if "progressive" in image.info:
        refuse_endless_scans(handle)
    return image


def refuse_sequences(image: Image.Image) -> tuple[str, ...]:
    """What to warn of a file with further pictures that are only side data; ``UnreadableError`` where they are its content.

    Cleaning the first page or frame only would leave the object on all the others.
    """
    if image.format == "MPO" or "mp" in image.info:
        return (
            "the file holds further pictures (a second view, a gain map or a preview): the cleaned file keeps the first only",
        )
    count = int(getattr(image, "n_frames", 1))
    if count < 2:
        return ()
    if image.format == "HEIF":
        return (f"the file holds {count} pictures: the cleaned file keeps the primary one only",)
    if image.format == "TIFF" and all(_is_side_page(image, page) for page in range(1, count)):
        image.seek(0)
        return ("the file holds reduced copies of its picture: the cleaned file drops them",)
    kind = "pages" if image.format == "TIFF" else "frames (an animation)"
    raise UnreadableError(
        f"the file has {count} {kind}: cleaning the first would leave the object on the others; split it first"
    )


def deep_samples(image: Image.Image, handle: BinaryIO) -> Pixels | None:
    """A 16-bit colour PNG or TIFF at its full depth, HWC uint16 in RGB order; None for any other file.

    Pillow has no 16-bit colour mode and would silently keep the upper 8 bits. It decodes once all the same: unlike OpenCV it
    reports a truncated file. Grey with alpha has two channels.
    """
    if not _is_deep_colour(image, handle):
        return None
    image.load()
    handle.seek(0)
    encoded = np.frombuffer(handle.read(), np.uint8)
    bgr = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if (
        bgr is None
        or bgr.dtype != np.uint16
        or bgr.ndim != 3
        or bgr.shape[:2] != (image.height, image.width)
    ):
        raise UnreadableError(
            "its 16-bit samples cannot be decoded at full depth; save it as a plain 16-bit RGB file"
        )
    if image.format == "PNG" and _png_depth_and_colour(handle)[1] == _GREY_WITH_ALPHA:
        return cast(Pixels, bgr[..., 2:])
    return cast(
        Pixels, cv2.cvtColor(bgr, cv2.COLOR_BGRA2RGBA if bgr.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    )


def bits_per_sample(image: Image.Image) -> tuple[int, ...]:
    """A TIFF's bits per channel, one number for each."""
    tags: Any = getattr(image, "tag_v2", {})
    bits = tuple(tags.get(_BITS_PER_SAMPLE, (1,)))
    samples = int(tags.get(_SAMPLES_PER_PIXEL, 1))
    return bits * samples if len(bits) == 1 else bits


def _open(handle: BinaryIO, head: bytes) -> Image.Image:
    try:
        return Image.open(handle, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise UnreadableError(
            f"not a picture of a known kind, or its header is damaged (it starts with {head[:8]!r}); known: {KNOWN}"
        ) from error


def _is_heif(head: bytes) -> bool:
    size = int.from_bytes(head[:4], "big")
    brands = head[8:size]
    return (
        head[4:8] == b"ftyp"
        and not (b"avif" in brands or b"avis" in brands)
        and any(b in brands for b in (b"hei", b"hev", b"mif1", b"msf1"))
    )


def _open_heif(handle: BinaryIO) -> Image.Image:
    try:
        plugin = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise UnreadableError(
            "HEIC pictures need the package pillow-heif: pip install 'remove-objects[heic]'"
        ) from error
    return cast(Image.Image, plugin.HeifImageFile(handle))


def _is_side_page(image: Image.Image, page: int) -> bool:
    image.seek(page)
    tags: Any = getattr(image, "tag_v2", {})
    return bool(int(tags.get(_SUBFILE_TYPE, 0)) & _REDUCED_OR_MASK)


def _png_depth_and_colour(handle: BinaryIO) -> tuple[int, int]:
    handle.seek(24)
    depth, colour = handle.read(2)
    return depth, colour


def _is_deep_colour(image: Image.Image, handle: BinaryIO) -> bool:
    if image.format == "PNG":
        depth, colour = _png_depth_and_colour(handle)
        return depth == 16 and colour in (2, _GREY_WITH_ALPHA, 6)
    if image.format != "TIFF":
        return False
    bits = bits_per_sample(image)
    if max(bits) > 8 and not set(bits) == {16}:
        raise UnreadableError(
            f"its samples have {bits[0]} bits, which cannot be written back; convert it to 8 or 16 bits"
        )
    if max(bits) > 8 and len(bits) > 1:
        photometric = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC)
        if photometric != 2:
            raise UnreadableError(
                f"16-bit {image.mode} cannot be kept at its depth; convert it to 16-bit RGB or to 8 bits"
            )
        return True
    return False


#: No picture within the pixel limit is larger, at 16 bits and with alpha; some decoders take the whole file into memory first.
MAX_FILE_BYTES = 2 << 30

#: Encoders write a dozen scans of a progressive JPEG. Each costs a pass over all its pixels, and may take a few bytes of the file.
MOST_SCANS = 200


def refuse_vast_file(handle: BinaryIO) -> None:
    """Raise ``UnreadableError`` for more than ``MAX_FILE_BYTES``."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    if size > MAX_FILE_BYTES:
        raise UnreadableError(
            f"the file has {size:,} bytes, more than any photo within the limits of this program; scale it down first"
        )


def refuse_endless_scans(handle: BinaryIO) -> None:
    """Raise ``UnreadableError`` for a progressive JPEG of more than ``MOST_SCANS`` scans, those of further pictures within it included."""
    handle.seek(0)
    scans, last = 0, b""
    while block := handle.read(1 << 20):
        scans += (last + block).count(b"\xff\xda")
        last = block[-1:] if block[-1:] == b"\xff" else b""
    if scans > MOST_SCANS:
        raise UnreadableError(
            f"it has {scans:,} scans where a progressive JPEG has a dozen, and would take for ever to decode; save it again"
        )
