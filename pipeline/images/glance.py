"""A glance at a photo: its size and a small grey picture, decoded as cheaply as its format allows.

It tells photos of one place from others, and is never part of a result.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..config import MAX_PIXELS
from .formats.raw import Undeveloped
from .formats.table import format_named
from .modes import upright
from .open import mended, open_picture
from .read import ignore, reading

#: Longer side in pixels of the small picture.
SIDE = 96


class Glance(NamedTuple):
    """What a glance at a photo tells.

    Attributes:
        size: (height, width) of the photo in pixels, upright.
        grey: HW uint8, upright, the longer side ``SIDE`` pixels unless the photo is smaller.
    """

    size: tuple[int, int]
    grey: NDArray[np.uint8]


def glance_at(
    path: Path, *, max_pixels: int = MAX_PIXELS, opened: Callable[[int], None] = ignore
) -> Glance:
    """Glance at a photo in this process. Untrusted files go to ``sandbox.read_glance``.

    A JPEG is decoded at an eighth of its size and a RAW at half of it.

    Args:
        path: the file.
        max_pixels: the limit on the picture's size, checked before decoding.
        opened: called with the number of pixels after the header is read and before decoding.

    Raises:
        UnreadableError: the file is no picture, damaged or too large.
    """
    with reading(path) as handle:
        return _glance(handle, max_pixels, opened)


def _glance(handle: BinaryIO, max_pixels: int, opened: Callable[[int], None]) -> Glance:
    repaired = mended(handle, max_pixels)
    if repaired is not None:
        handle = BytesIO(repaired.content)
    image = open_picture(handle, max_pixels)
    width, height = image.size
    opened(width * height)
    if isinstance(image, Undeveloped):
        grey, turn = image.sketch(), 1
    else:
        record = format_named(image.format)
        if repaired is not None:
            record.verify(handle)
        image.draft("L", (SIDE, SIDE))
        grey = _grey(image)
        turn = record.orientation(image)
    scale = SIDE / max(grey.shape)
    if scale < 1:
        small = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
        grey = cast("NDArray[np.uint8]", cv2.resize(grey, small, interpolation=cv2.INTER_AREA))
    size = (width, height) if turn >= 5 else (height, width)
    return Glance(size, cast("NDArray[np.uint8]", upright(grey, turn)))


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    """HW uint8; of 16 bits the upper ones."""
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)
    return np.asarray(image.convert("L"))
