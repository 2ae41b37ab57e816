"""Render the pictures that the page shows: a window of a photo or mask, reduced, as PNG.

PNG is lossless, so a difference on the screen is a difference in the picture.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..pixels import eight_bits
from ..types import LAYER_COLOURS, Box, Layer, Mask, Pixels
from .mask_editor import TAKEN

#: The longest side of a rendered picture that a page may request, in pixels.
LONGEST = 2048
#: Distance of the stripes that show what was taken away, in rendered pixels; their share of it.
STRIPES, STRIPE = 8, 0.4


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
    crop, size = _window(pixels, window, width, height)
    if crop.dtype == np.bool_:
        coverage = _reduce(crop.astype(np.uint8) * 255, size)
        picture = np.full((*coverage.shape, 4), 255, np.uint8)
        picture[..., 3] = coverage
    else:
        picture = cv2.cvtColor(eight_bits(_reduce(crop, size)), cv2.COLOR_RGB2BGR)
    return _png(picture)


def render_layers(values: NDArray[np.uint8], window: Box, width: int, height: int) -> bytes:
    """Return a window of a mask's layers in their colours as PNG, as ``render`` does.

    A pixel has the colour of the layer that covers most of it, and the layers' coverage as alpha.
    What was taken away is striped.

    Args:
        values: HW uint8, those of ``MaskEditor.values``.
        window: see ``render``.
        width: see ``render``.
        height: see ``render``.

    Raises:
        UsageError: see ``render``.
    """
    crop, size = _window(values, window, width, height)
    counts = cv2.calcHist([crop], [0], None, [2 * TAKEN], [0, 2 * TAKEN]).ravel()
    present = [int(value) for value in np.flatnonzero(counts) if value]
    picture = np.zeros((size[1], size[0], 4), np.uint8)
    if not present:
        return _png(picture)
    row, column = np.indices(picture.shape[:2])
    stripes = (row + column) % STRIPES < STRIPES * STRIPE
    most, alpha = np.zeros(picture.shape[:2], np.uint8), np.zeros(picture.shape[:2], np.uint16)
    for value in present:
        coverage = _reduce((crop == value).view(np.uint8) * np.uint8(255), size)
        picture[coverage > most, :3] = LAYER_COLOURS[Layer(value % TAKEN)][::-1]
        most = np.maximum(most, coverage)
        alpha += coverage if value < TAKEN else np.where(stripes, coverage, 0)
    picture[..., 3] = np.minimum(alpha, 255)
    return _png(picture)


def _window(
    pixels: Pixels | Mask, window: Box, width: int, height: int
) -> tuple[NDArray[Any], tuple[int, int]]:
    """Return the pixels of a window, and the (width, height) that they are reduced to.

    Raises:
        UsageError: see ``render``.
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
    return pixels[window.slices], (min(width, window.w), min(height, window.h))


def _png(picture: NDArray[np.uint8]) -> bytes:
    """Encode a picture, HWC in OpenCV's order of channels."""
    _, encoded = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()


def _reduce(crop: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to ``size`` (width, height) by area averaging, unless the crop has that size."""
    if crop.shape[1::-1] == size:
        return crop
    return cv2.resize(np.ascontiguousarray(crop), size, interpolation=cv2.INTER_AREA)
