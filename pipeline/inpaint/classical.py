"""Classical inpainting for comparison, by OpenCV.

Navier-Stokes (Bertalmio et al. 2001) and Telea (2004).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..config import COMPARISONS
from ..pixels import as_float, eight_bits
from ..types import Box, FloatArray, Hole, Mask, Pixels

#: OpenCV's methods by the names that ``--compare`` takes.
METHODS = dict(zip(COMPARISONS, (cv2.INPAINT_NS, cv2.INPAINT_TELEA), strict=True))
#: Neighbourhood of each pixel, in pixels, as in Kulkarni et al.'s comparison.
RADIUS = 3


def fill_classically(
    rgb: Pixels, hole_mask: Mask, hole: Hole, method: str
) -> tuple[Box, FloatArray]:
    """Fill one hole in a window around it, as the networks do; a 16-bit photo is filled at 8 bits.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        hole_mask: HW bool, all holes of the photo; none of these pixels is read.
        hole: the hole to fill.
        method: a key of ``METHODS``.

    Returns:
        (window, its hw3 float32 content in [0, 1]); only the pixels in the hole are meaningful.
    """
    window = hole.box.grown(4 * RADIUS, hole_mask.shape)
    missing = hole_mask[window.slices]
    picture = np.where(missing[..., None], 0, eight_bits(rgb[window.slices])).astype(np.uint8)
    return window, as_float(paint(picture, missing, method))


def paint(picture: NDArray[np.uint8], missing: Mask, method: str) -> NDArray[np.uint8]:
    """OpenCV's ``inpaint`` on a whole HWC picture, by a method of ``METHODS``."""
    return cv2.inpaint(picture, missing.astype(np.uint8), RADIUS, METHODS[method])
