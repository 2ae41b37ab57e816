"""The result's pixels: the fill inside the hole, the photo outside, and a seam closed from inside."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.geometry import grow, hole_within
from pipeline.types import Box, FloatArray, Hole, Mask, Pixels


def lead_in(out: Pixels, fill: FloatArray, window: Box, hole: Hole, unknown: Mask) -> None:
    """Fill one hole of ``out``, in place.

    The fill's colour is led to the photo's at the rim: the difference between the nearest known pixels and the fill is spread into the
    hole and fades with depth (the feather). Outside the hole nothing changes.

    Args:
        out: HWC, the photo with the holes done so far; it belongs to the caller.
        fill: hw3 float32 in [0, 1], the window's new content.
        window: where ``fill`` lies.
        hole: the one to fill.
        unknown: HW bool, all holes of the photo: none of their pixels leads the colour.
    """
    peak = float(np.iinfo(out.dtype).max)
    feather = feather_width(hole.box)
    part = grow(hole.box, 3 * feather, *unknown.shape)
    # What the window does not hold has no fill to compare with.
    x0, y0 = max(part.x, window.x), max(part.y, window.y)
    x1, y1 = min(part.x + part.w, window.x + window.w), min(part.y + part.h, window.y + window.h)
    part = Box(x0, y0, x1 - x0, y1 - y0)
    inner = hole_within(hole, part)
    new = fill[y0 - window.y : y1 - window.y, x0 - window.x : x1 - window.x]
    corrected = new + _rim_correction(out[part.slices], new, inner, unknown[part.slices], feather, peak)
    target = out[part.slices]
    target[inner] = (np.clip(corrected[inner], 0, 1) * peak + 0.5).astype(out.dtype)


def feather_width(box: Box) -> int:
    """Pixels over which the seam is closed: 3 % of the hole's shorter side, 2 to 24."""
    return int(np.clip(round(0.03 * min(box.w, box.h)), 2, 24))


def _rim_correction(photo: Pixels, fill: FloatArray, inner: Mask, unknown: Mask, feather: int, peak: float) -> FloatArray:
    """hw3: what to add to the fill so that it meets the photo at the hole's rim, fading inwards."""
    ring = cv2.dilate(inner.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~unknown
    if not ring.any():
        return np.zeros_like(fill)
    # The fill of a network equals the photo on known pixels: compare the photo just outside with the fill just inside.
    kernel = np.ones((3, 3), np.float32)
    inside = inner.astype(np.float32)
    count = cv2.filter2D(inside, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    near = cv2.filter2D(np.where(inner[..., None], fill, 0).astype(np.float32), -1, kernel, borderType=cv2.BORDER_CONSTANT)
    step = np.zeros_like(fill)
    step[ring] = photo[ring].astype(np.float32) / peak - near[ring] / np.maximum(count[ring], 1)[:, None]
    # A step as large as an edge of the picture is an edge of the picture: it is not smeared into the hole.
    step = np.clip(step, -0.15, 0.15)
    weight = cv2.GaussianBlur(ring.astype(np.float32), (0, 0), feather)
    spread = cv2.GaussianBlur(step, (0, 0), feather) / np.maximum(weight, 1e-6)[..., None]
    depth = cv2.distanceTransform(inner.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return (spread * np.exp(-depth / feather)[..., None] * (weight > 1e-5)[..., None]).astype(np.float32)
