"""Masks that may have been drawn on a photo's stored pixels, which its EXIF turns."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels import blur, eight_bits, reduction, resize, scaled_size
from ..types import Mask, Photo
from .modes import upright

#: How much more edges of the photo must lie along the turned mask's rim to doubt the mask. Of 165
#: masks that were turned wrongly (orientations 2 to 4), right ones had 2.2 times the edges in the
#: median and at least 0.9 times.
_DOUBT = 1.25
#: Longer side in pixels at which edges are compared.
_SIDE = 1024


def turned_mask(photo: Photo, mask: Mask) -> Mask:
    """Return the mask as it would lie if it was drawn on the photo's stored pixels."""
    return cast(Mask, upright(mask.view(np.uint8), photo_turn(photo)).view(bool))


def photo_turn(photo: Photo) -> int:
    """Return the EXIF orientation, 1 to 8, of a picture's file."""
    return int(getattr(photo.native, "turn", 1))


def fits_better(photo: Photo, turned: Mask, mask: Mask) -> bool:
    """Whether more edges of the photo lie along the rim of the turned mask than along the mask's.

    Args:
        photo: the photo.
        turned: HW bool, another place of the mask.
        mask: HW bool.
    """
    edges = _edges(eight_bits(photo.rgb))
    here, there = _along_rim(edges, mask), _along_rim(edges, turned)
    return here is not None and there is not None and there > _DOUBT * here


def _edges(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the strength of the photo's edges, at most ``_SIDE`` pixels large."""
    small = resize(rgb, scaled_size(rgb.shape, reduction(rgb.shape, _SIDE)))
    smooth = blur(cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32), 1.5)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = np.sqrt((across**2 + down**2).sum(axis=-1))
    # A few very strong edges elsewhere must not decide.
    return cast(NDArray[np.float32], np.minimum(strength, np.quantile(strength, 0.95)))


def _along_rim(edges: NDArray[np.float32], mask: Mask) -> float | None:
    """Return the mean strength of the edges along a mask's rim; None for a mask without one."""
    small = resize(mask.view(np.uint8), edges.shape, cv2.INTER_NEAREST)
    square = np.ones((3, 3), np.uint8)
    rim = cv2.dilate(small, square) != cv2.erode(small, square)
    return float(edges[rim].mean()) if rim.any() else None
