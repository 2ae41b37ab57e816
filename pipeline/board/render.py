"""Render the pictures that the page shows: a window of a photo or mask, reduced, as PNG.

PNG is lossless, so a difference on the screen is a difference in the picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import UsageError
from ..pixels import eight_bits
from ..types import Box, Mask, Pixels

#: The longest side of a rendered picture that a page may request, in pixels.
LONGEST = 2048


def render(pixels: Pixels | Mask, window: Box, width: int, height: int) -> bytes:
    """Return a window of a picture as PNG, reduced by area averaging.

    The window is never enlarged: that would cost bytes and add nothing.

    Args:
        pixels: a photo, HWC uint8 or uint16; or a mask, HW bool, which is rendered white with its
            coverage as alpha.
        window: the part of the picture to render, in pixels.
        width: requested width in pixels, at most ``LONGEST``.
        height: requested height, likewise.

    Raises:
        UsageError: the window leaves the picture, or the requested size is out of range.
    """
    rows, columns = pixels.shape[:2]
    if (
        min(window.w, window.h) < 1
        or min(window.x, window.y) < 0
        or window.x + window.w > columns
        or window.y + window.h > rows
    ):
        raise UsageError(
            f"the box {window.as_list()} leaves the picture of {columns}x{rows} pixels"
        )
    if not (0 < width <= LONGEST and 0 < height <= LONGEST):
        raise UsageError(f"a view has 1 to {LONGEST} pixels a side; got {width}x{height}")
    crop = pixels[window.slices]
    size = min(width, window.w), min(height, window.h)
    if crop.dtype == np.bool_:
        coverage = _reduce(crop.astype(np.uint8) * 255, size)
        picture = np.full((*coverage.shape, 4), 255, np.uint8)
        picture[..., 3] = coverage
    else:
        picture = cv2.cvtColor(eight_bits(_reduce(crop, size)), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()


def _reduce(crop: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to ``size`` (width, height) by area averaging, unless the crop has that size."""
    if crop.shape[1::-1] == size:
        return crop
    return cv2.resize(np.ascontiguousarray(crop), size, interpolation=cv2.INTER_AREA)
