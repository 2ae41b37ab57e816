"""Signs of a bad result that can be read without knowing what was behind the object. ``pipeline.quality.verdict`` weighs them."""

from __future__ import annotations

import cv2
import numpy as np

from ..geometry import hole_within
from ..pixels import as_float
from ..types import Box, FloatArray, Hole, Mask, Pixels

#: Longer side in pixels at which a hole's form is looked at, and hole and surroundings together.
FORM_SIZE, RING_SIZE = 512, 256
#: How far the surroundings reach from the hole, as a share of its sides.
RING_REACH = 1 / 3
#: Blur (standard deviation in pixels of ``RING_SIZE``) that leaves structure and takes grain away; width of the band beside the hole.
STRUCTURE_BLUR, STRUCTURE_BAND = 3.0, 6
#: Within this of 0.5 a probability says nothing.
UNSURE = 0.35


def depth(hole: Hole, height: int, width: int) -> float:
    """The radius of the largest circle inside the hole, over the root of the photo's area: how far in nothing known is near."""
    scale = min(1.0, FORM_SIZE / max(hole.mask.shape))
    size = max(1, round(hole.box.w * scale)), max(1, round(hole.box.h * scale))
    small = cv2.resize(hole.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    radius = float(cv2.distanceTransform(np.pad(small, 1), cv2.DIST_L2, cv2.DIST_MASK_5).max())
    return radius / scale / float(np.sqrt(height * width))


def surroundings(result: Pixels, hole: Hole, unknown: Mask) -> tuple[FloatArray, Mask, Mask]:
    """The hole and what lies around it, small: (hw3 float32 in [0, 1], hw bool in the hole, hw bool known), at most ``RING_SIZE``."""
    b = hole.box
    mx, my = round(RING_REACH * b.w) + 16, round(RING_REACH * b.h) + 16
    height, width = unknown.shape
    rows, columns = (
        slice(max(0, b.y - my), min(height, b.y + b.h + my)),
        slice(max(0, b.x - mx), min(width, b.x + b.w + mx)),
    )
    h, w = rows.stop - rows.start, columns.stop - columns.start
    scale = min(1.0, RING_SIZE / max(h, w))
    size = max(32, round(w * scale)), max(32, round(h * scale))
    small = as_float(cv2.resize(result[rows, columns], size, interpolation=cv2.INTER_AREA))
    part = Box(columns.start, rows.start, w, h)
    inside = (
        cv2.resize(hole_within(hole, part).astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    )
    any_hole = cv2.resize(
        unknown[rows, columns].astype(np.uint8), size, interpolation=cv2.INTER_AREA
    )
    return small, inside, cv2.dilate(any_hole, np.ones((3, 3))) == 0  # type: ignore[return-value]


def structure(small: FloatArray, inside: Mask, known: Mask) -> float | None:
    """Mean gradient (per pixel, of grey in [0, 1]) beside the hole once the grain is blurred away: kerbs, branches, edges that must go on.

    Args:
        small: hw3, from ``surroundings``.
        inside: hw bool, the hole.
        known: hw bool, no hole at all.

    Returns:
        None where nothing beside the hole is known.
    """
    band = (
        cv2.dilate(inside.astype(np.uint8), np.ones((2 * STRUCTURE_BAND + 1,) * 2)).astype(bool)
        & known
    )
    if not band.any():
        return None
    grey = cv2.GaussianBlur(small.mean(2), (0, 0), STRUCTURE_BLUR)
    gradient = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(gradient[band].mean())


def certainty(probability: FloatArray, hole: Hole, height: int, width: int) -> tuple[float, float]:
    """(mean, share near one half) of the removed classes' probability in the hole: a mask that nobody is sure of is often wrong.

    Args:
        probability: hw on the photo, at the segmenter's own size.
        hole: the one to look at.
        height: the photo's.
        width: the photo's.
    """
    inside = probability[_at_size(hole, height, width, probability.shape)]
    return float(inside.mean()), float((np.abs(inside - 0.5) < UNSURE).mean())


def _at_size(hole: Hole, height: int, width: int, size: tuple[int, ...]) -> Mask:
    """The hole on a smaller picture of the whole photo, at least one pixel of it."""
    h, w = size
    b = hole.box
    x0, y0 = b.x * w // width, b.y * h // height
    x1, y1 = max(x0 + 1, -(-(b.x + b.w) * w // width)), max(y0 + 1, -(-(b.y + b.h) * h // height))
    inside = np.zeros((h, w), bool)
    small = (
        cv2.resize(hole.mask.astype(np.uint8), (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) > 0
    )
    inside[y0:y1, x0:x1] = small if small.any() else True
    return inside
