"""Mask files: a picture of the photo's size, white = remove; in memory bool, True = remove."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UnreadableError
from ..system.atomic import ANYWHERE, Placement, atomic_write
from ..types import Mask
from .paste import luma
from .read import MAX_PIXELS
from .sandbox import read_photo


def read_mask(path: Path, size: tuple[int, int], *, max_pixels: int = MAX_PIXELS) -> Mask:
    """Read a mask of any format, mode and depth that ``read_photo`` reads.

    Args:
        path: the mask's file; transparent pixels count as black. A mask of another size but the
            photo's aspect ratio is resized to the photo, nearest pixel.
        size: the photo's upright height and width.
        max_pixels: the limit on the mask's size.

    Returns:
        HW bool, True (remove) where the file is at least half bright, upright.

    Raises:
        UnreadableError: if the file cannot be read or has another aspect ratio.
    """
    photo = read_photo(path, max_pixels=max_pixels)
    half = np.iinfo(photo.rgb.dtype).max // 2
    mask: Mask = luma(photo.rgb) > half
    if photo.alpha is not None:
        mask &= photo.alpha > half
    (height, width), (own_height, own_width) = size, photo.size
    if (own_height, own_width) == (height, width):
        return mask
    # Compare aspect ratios as exactly as whole pixels of either size allow.
    if abs(own_width * height - own_height * width) >= max(height, width):
        turned = (
            "; it seems to lie on its side" if (own_width, own_height) == (height, width) else ""
        )
        raise UnreadableError(
            f"{path}: this mask is {own_width} x {own_height} pixels, "
            f"its photo {width} x {height} (upright){turned}; "
            "draw it at the photo's size, or at another size of the same shape"
        )
    rows, columns = np.arange(height) * own_height // height, np.arange(width) * own_width // width
    return mask[rows[:, None], columns[None]]


def write_mask(mask: Mask, path: Path, *, placement: Placement = ANYWHERE) -> None:
    """Write a mask as a 1-bit PNG of its size, white = remove.

    Args:
        mask: HW bool.
        path: the new file.
        placement: where the file may lie, its rights, its date and the last check.

    Raises:
        UnwritableError: if it cannot be written.
    """
    encoded = io.BytesIO()  # written to a file, Pillow does not report a full disk as such
    Image.fromarray(mask).save(encoded, "PNG")
    with atomic_write(path, placement=placement) as handle:
        handle.write(encoded.getbuffer())
