"""Signs of a bad result that can be read without knowing what was behind the object. ``pipeline.verdict`` weighs them."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.geometry import grow, hole_within
from pipeline.types import FloatArray, Hole, Mask, Pixels

#: Longer side in pixels at which a hole's form and its surroundings are looked at.
FORM_SIZE, RING_SIZE = 512, 128
#: How far the surroundings reach from the hole, as a share of its longer side.
RING_REACH = 0.3
#: Within this of 0.5 a probability says nothing.
UNSURE = 0.35
#: How far from the hole the removed class is looked for on the result, as a share of the root of the hole's area.
REMAINS_REACH = 0.25


def depth(hole: Hole, height: int, width: int) -> float:
    """The radius of the largest circle inside the hole, over the root of the photo's area: how far in nothing known is near."""
    scale = min(1.0, FORM_SIZE / max(hole.mask.shape))
    size = max(1, round(hole.box.w * scale)), max(1, round(hole.box.h * scale))
    small = cv2.resize(hole.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    radius = float(cv2.distanceTransform(np.pad(small, 1), cv2.DIST_L2, cv2.DIST_MASK_5).max())
    return radius / scale / float(np.sqrt(height * width))


def busyness(rgb: Pixels, hole: Hole, unknown: Mask) -> float | None:
    """Mean gradient (per pixel, of grey in [0, 1]) of the known surroundings, with hole and ring at ``RING_SIZE`` pixels.

    Args:
        rgb: the photo, HWC.
        hole: the one to look around.
        unknown: HW bool, all holes; none of these pixels is read.

    Returns:
        None where nothing around the hole is known.
    """
    part = grow(hole.box, max(8, round(RING_REACH * max(hole.box.w, hole.box.h))), *unknown.shape)
    scale = min(1.0, RING_SIZE / max(part.w, part.h))
    size = max(8, round(part.w * scale)), max(8, round(part.h * scale))
    known = ~unknown[part.slices]
    picture = rgb[part.slices] * known[..., None]
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.iinfo(rgb.dtype).max
    weight = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    sure = cv2.erode((weight > 0.999).astype(np.uint8), np.ones((3, 3))).astype(bool)
    if not sure.any():
        return None
    grey = small.mean(2)
    gradient = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(gradient[sure].mean())


def unsure_rim(probability: FloatArray, hole: Hole, height: int, width: int) -> float:
    """The share of the hole's rim at which the segmenter hardly knew whether there is an object: its outline is a guess there.

    Args:
        probability: hw of the removed classes on the photo, at the segmenter's own size.
        hole: the one to look at.
        height: the photo's.
        width: the photo's.
    """
    inside = _at_size(hole, height, width, probability.shape)
    rim = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((7, 7))).astype(bool)
    return float((np.abs(probability[rim] - 0.5) < UNSURE).mean())


def remains(probability: FloatArray, hole: Hole, height: int, width: int) -> float:
    """The mean probability of the removed classes on the *result*, in the hole and close around it: 0 = nothing of them is left.

    Args:
        probability: hw on the result, at the segmenter's own size.
        hole: the one to look at.
        height: the photo's.
        width: the photo's.
    """
    inside = _at_size(hole, height, width, probability.shape)
    reach = 2 * max(2, round(REMAINS_REACH * float(np.sqrt(inside.sum())))) + 1
    near = cv2.dilate(inside.astype(np.uint8), np.ones((reach, reach))).astype(bool)
    return float(probability[near].mean())


def _at_size(hole: Hole, height: int, width: int, size: tuple[int, ...]) -> Mask:
    """The hole on a smaller picture of the whole photo, at least one pixel of it."""
    h, w = size
    b = hole.box
    x0, y0 = b.x * w // width, b.y * h // height
    x1, y1 = max(x0 + 1, -(-(b.x + b.w) * w // width)), max(y0 + 1, -(-(b.y + b.h) * h // height))
    inside = np.zeros((h, w), bool)
    small = cv2.resize(hole.mask.astype(np.uint8), (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) > 0
    inside[y0:y1, x0:x1] = small if small.any() else True
    return inside


def smoothness(result: Pixels, hole: Hole, unknown: Mask) -> float | None:
    """Mean gradient inside the hole (its rim left out) over that of the known ring around it; 1 = as lively as its surroundings."""
    part = grow(hole.box, max(8, round(0.15 * max(hole.box.w, hole.box.h))), *unknown.shape)
    inner = hole_within(hole, part)
    grey = cv2.cvtColor(result[part.slices], cv2.COLOR_RGB2GRAY).astype(np.float32) * (255 / np.iinfo(result.dtype).max)
    gradient = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
    deep = cv2.erode(inner.astype(np.uint8), np.ones((5, 5))).astype(bool)
    ring = cv2.erode((~unknown[part.slices]).astype(np.uint8), np.ones((5, 5))).astype(bool)
    return float(gradient[deep].mean() / max(float(gradient[ring].mean()), 4.0)) if deep.any() and ring.any() else None
