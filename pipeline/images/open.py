"""Open a picture safely: by its content, and within limits that are checked before it is decoded.

Some files are bombs although their header declares few pixels. Those that their bytes reveal are
refused here; the others (a TIFF's vast tiles, inventions to come) meet the limits of
``sandbox_worker``.
"""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import cv2
from PIL import Image, UnidentifiedImageError

from ..config import LARGEST_MAX_PIXELS, MAX_PIXELS
from ..errors import UnreadableError
from .formats.format import Mended
from .formats.table import FORMATS, format_named

#: What Pillow's and OpenCV's decoders raise for a damaged file, as their fuzzed test files show.
#: Only decoding is guarded with it.
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

#: No picture within the default limit on pixels is larger, at 16 bits and with alpha; some decoders
#: read the whole file into memory first.
MAX_FILE_BYTES = 2 << 30

#: Bytes from which formats are recognised.
HEAD_BYTES = 64
_PILLOW_FORMATS = tuple(record.name for record in FORMATS if record.pillow)
_TITLES = ", ".join(record.title for record in FORMATS)
_PILLOW = threading.RLock()

#: How files begin that people take for pictures, or that come instead of one.
_OTHER_KINDS = (
    (b"8BPS", "a Photoshop file"),
    (b"gimp xcf", "a GIMP file"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML text"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
)


@contextmanager
def quiet(messages: list[str] | None = None) -> Iterator[None]:
    """Run the block without Pillow's global size limit, and collect its warnings.

    The limit and the warnings are global to the process: a lock keeps two of our threads from
    restoring each other's state.

    Args:
        messages: gets each different user warning once, in order.
    """
    with _PILLOW, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
            if messages is not None:
                texts = (str(w.message) for w in caught if issubclass(w.category, UserWarning))
                messages.extend(dict.fromkeys(texts))


def mended(handle: BinaryIO, max_pixels: int) -> Mended | None:
    """Return a file without a fault that costs no pixel; None if it has none.

    Args:
        handle: the file.
        max_pixels: the limit on the picture's pixels, which also limits the file.

    Raises:
        UnreadableError: if the fault may cost pixels, or the file is too large.
    """
    _refuse_vast_file(handle, max_pixels)
    head = handle.read(HEAD_BYTES)
    found = (record.mend(head, handle) for record in FORMATS)
    return next((file for file in found if file is not None), None)


def open_picture(handle: BinaryIO, max_pixels: int) -> Image.Image:
    """Read a file's header and check its size, without decoding its pixels.

    Args:
        handle: the file.
        max_pixels: the largest allowed product of width and height.

    Raises:
        UnreadableError: if the file is not a picture or too large; the message lacks its name.
        Exception: any of ``BAD_CONTENT`` for a damaged header.
    """
    _refuse_vast_file(handle, max_pixels)
    head = handle.read(HEAD_BYTES)
    handle.seek(0)
    if not head:
        raise UnreadableError("the file is empty; copy it again from its source")
    image = _open(handle, head)
    width, height = image.size
    if width < 1 or height < 1:
        raise UnreadableError(
            f"the picture is {width} x {height} pixels: there is nothing to clean"
        )
    if width * height > max_pixels:
        raise UnreadableError(
            f"the header declares {width} x {height} = {width * height:,} pixels, "
            f"more than the limit of {max_pixels:,}; if the picture is genuine, "
            + _remedy(width * height)
        )
    format_named(image.format).refuse_bomb(image, handle)
    return image


def _open(handle: BinaryIO, head: bytes) -> Image.Image:
    for record in FORMATS:
        if record.open and record.recognise and record.recognise(head, handle):
            handle.seek(0)
            return record.open(handle)
    handle.seek(0)
    try:
        return Image.open(handle, formats=_PILLOW_FORMATS)
    except UnidentifiedImageError as error:
        raise UnreadableError(
            f"not a picture of a known kind, {_other_kind(head)} "
            f"(it starts with {head[:8]!r}); known: {_TITLES}"
        ) from error


def _other_kind(head: bytes) -> str:
    """Say what a file is, by its first bytes, that no format recognises."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    for beginning, kind in _OTHER_KINDS:
        if head.startswith(beginning) or start.startswith(beginning):
            return f"but {kind}"
    return "but a video" if head[4:8] == b"ftyp" else "or its header is damaged"


def most_file_bytes(max_pixels: int) -> int:
    """Return the most bytes that a file may have, by the limit on pixels."""
    return int(MAX_FILE_BYTES * max(1, max_pixels / MAX_PIXELS))


def _remedy(pixels: int) -> str:
    """Say how a genuine picture of more pixels than the limit is cleaned."""
    if pixels > LARGEST_MAX_PIXELS:
        return "scale it down first"
    return f"raise the limit by --max-pixels {-(-pixels // 1_000_000)}M, or scale it down first"


def _refuse_vast_file(handle: BinaryIO, max_pixels: int) -> None:
    size = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    if size > most_file_bytes(max_pixels):
        raise UnreadableError(
            f"the file has {size:,} bytes, more than any photo within the limits of this program; "
            "scale it down first"
        )
