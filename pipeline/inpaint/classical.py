"""The classical inpainters that a result is compared with: Navier-Stokes (Bertalmio et al. 2001) and Telea (2004), by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..config import COMPARISONS
from ..geometry import grow
from ..pixels import as_float, eight_bits
from ..types import Box, FloatArray, Hole, Mask, Pixels

#: OpenCV's methods by the names that ``--compare`` takes.
METHODS = dict(zip(COMPARISONS, (cv2.INPAINT_NS, cv2.INPAINT_TELEA), strict=True))
#: Pixels around each that a method looks at, as in Kulkarni et al.'s comparison.
RADIUS = 3


def fill_classically(rgb: Pixels, unknown: Mask, hole: Hole, method: str) -> tuple[Box, FloatArray]:
    """Fill one hole as the networks do, with a method of ``METHODS``.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        unknown: HW bool, all holes of the photo; none of these pixels is read.
        hole: the one to fill.
        method: of ``METHODS``.

    Returns:
        (window, its hw3 float32 content in [0, 1]); of use in the hole only. A 16-bit photo is filled at 8 bits.
    """
    window = grow(hole.box, 4 * RADIUS, *unknown.shape)
    missing = unknown[window.slices]
    picture = np.where(missing[..., None], 0, eight_bits(rgb[window.slices])).astype(np.uint8)
    return window, as_float(paint(picture, missing, method))


def paint(picture: NDArray[np.uint8], missing: Mask, method: str) -> NDArray[np.uint8]:
    """OpenCV's ``inpaint`` on a whole picture, HWC, by a method of ``METHODS``."""
    return cv2.inpaint(picture, missing.astype(np.uint8), RADIUS, METHODS[method])  # type: ignore[return-value]
