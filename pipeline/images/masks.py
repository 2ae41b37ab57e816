"""Masks on disk: a picture of the photo's size, white = remove. In memory: bool, True = remove."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UnreadableError
from ..system.atomic import Before, atomic_write
from ..types import Mask
from .paste import luma
from .read import MAX_PIXELS
from .sandbox import read_photo


def read_mask(path: Path, size: tuple[int, int], *, max_pixels: int = MAX_PIXELS) -> Mask:
    """The mask (HW, True = remove) for a photo of ``size`` (height, width): True where the file is at least half bright.

    Any format, mode and depth that ``read_photo`` reads, turned upright; what is transparent counts as black. A mask of another
    size but the same shape is scaled to the photo, nearest pixel. Raises ``UnreadableError`` for any other shape.
    """
    photo = read_photo(path, max_pixels=max_pixels)
    half = np.iinfo(photo.rgb.dtype).max // 2
    mask: Mask = luma(photo.rgb) > half
    if photo.alpha is not None:
        mask &= photo.alpha > half
    (height, width), (own_height, own_width) = size, photo.size
    if (own_height, own_width) == (height, width):
        return mask
    # The same shape, as far as whole pixels of either size can tell.
    if abs(own_width * height - own_height * width) >= max(height, width):
        turned = (
            "; it seems to lie on its side" if (own_width, own_height) == (height, width) else ""
        )
        raise UnreadableError(
            f"{path}: this mask is {own_width} x {own_height} pixels, its photo {width} x {height} (upright){turned}; "
            "draw it at the photo's size, or at another size of the same shape"
        )
    rows, columns = np.arange(height) * own_height // height, np.arange(width) * own_width // width
    return mask[rows[:, None], columns[None]]


def write_mask(mask: Mask, path: Path, *, before: Before | None = None) -> None:
    """Write ``mask`` (HW bool) as a 1-bit PNG of the same size, white = remove; atomically, with ``before``. Raises ``UnwritableError``."""
    encoded = io.BytesIO()  # Pillow's own errors of a full disk do not say what they are
    Image.fromarray(mask).save(encoded, "PNG")
    with atomic_write(path, before=before) as handle:
        handle.write(encoded.getbuffer())
