"""Quality features of a result, measured without ground truth.

``pipeline.quality.verdict`` predicts the error from some of them.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..pixels import blur, depth_inside, dilate_square, reduction, resize, scaled_size
from ..types import FloatArray, Hole, Mask, Pixels
from .nearby import Nearby, nearby

#: Longer side in pixels at which a hole's shape is measured.
SHAPE_SIZE = 512
#: How far the surroundings extend from the hole: this share of its sides, and so many pixels of the
#: reduced photo more; and their least side in pixels, for SqueezeNet.
SURROUNDINGS_REACH, SURROUNDINGS_MARGIN, LEAST_SIDE = 1 / 3, 16, 32
#: Blur (standard deviation, in pixels of the reduced photo) that removes grain and keeps structure,
#: and the width of the band beside the hole in which structure is measured.
STRUCTURE_BLUR, STRUCTURE_BAND = 3.0, 6
#: A probability closer than this to 0.5 is ambiguous.
AMBIGUOUS = 0.35


def depth(hole: Hole, height: int, width: int) -> float:
    """How far the hole's centre is from known pixels.

    Returns:
        The radius of the largest circle inside the hole, divided by the square root of the photo's
        area.
    """
    scale = reduction(hole.mask.shape, SHAPE_SIZE)
    size = scaled_size(hole.mask.shape, scale)
    small = resize(hole.mask.astype(np.uint8), size, cv2.INTER_NEAREST) > 0
    radius = float(depth_inside(np.pad(small, 1)).max())
    return radius / scale / float(np.sqrt(height * width))


def surroundings(result: Pixels, hole: Hole, hole_mask: Mask) -> Nearby:
    """The hole and its surroundings, on the reduced photo.

    Args:
        result: HWC uint8 or uint16, the filled photo.
        hole: the hole.
        hole_mask: HW bool, all holes.
    """
    return nearby(result, hole, hole_mask, SURROUNDINGS_MARGIN, SURROUNDINGS_REACH, LEAST_SIDE)


def structure(near: Nearby) -> float | None:
    """Strength of edges beside the hole, such as kerbs and branches, that the fill must continue.

    Args:
        near: from ``surroundings``.

    Returns:
        Mean gradient (per pixel, of grey in [0, 1]) after a blur that removes grain; None if
        nothing beside the hole is known.
    """
    band = dilate_square(near.hole, STRUCTURE_BAND) & near.clear
    if not band.any():
        return None
    grey = blur(near.picture.mean(2), STRUCTURE_BLUR)
    gradient = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(gradient[band].mean())


def certainty(probability: FloatArray, hole: Hole, height: int, width: int) -> tuple[float, float]:
    """How certain the segmenter was of the hole's mask: an uncertain mask is often wrong.

    Args:
        probability: hw in [0, 1], of the removed classes on the photo, at the segmenter's own size.
        hole: the hole.
        height: the photo's.
        width: the photo's.

    Returns:
        (certainty: mean probability in the hole, ambiguity: share of the hole where the
        probability is within ``AMBIGUOUS`` of 0.5).
    """
    inside = probability[_at_size(hole, height, width, probability.shape)]
    return float(inside.mean()), float((np.abs(inside - 0.5) < AMBIGUOUS).mean())


def _at_size(hole: Hole, height: int, width: int, size: tuple[int, ...]) -> Mask:
    """The hole on a reduced picture of the whole photo, at least one pixel of it; hw bool."""
    h, w = size
    box = hole.box
    x0, y0 = box.x * w // width, box.y * h // height
    x1 = max(x0 + 1, -(-box.right * w // width))
    y1 = max(y0 + 1, -(-box.bottom * h // height))
    inside = np.zeros((h, w), bool)
    small = resize(hole.mask.astype(np.uint8), (y1 - y0, x1 - x0)) > 0
    inside[y0:y1, x0:x1] = small if small.any() else True
    return inside
