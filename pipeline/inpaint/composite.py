"""The result's pixels: the fill inside the hole, the photo outside, and a seam closed from inside."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import grow, hole_within
from ..types import Box, FloatArray, Hole, Mask, Pixels


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
    target = out[part.slices]
    content = new[inner]
    content += _rim_correction(target, new, inner, unknown[part.slices], feather, peak)
    target[inner] = (np.clip(content, 0, 1, out=content) * peak + 0.5).astype(out.dtype)


def feather_width(box: Box) -> int:
    """Pixels over which the seam is closed: 3 % of the hole's shorter side, 2 to 24."""
    return int(np.clip(round(0.03 * min(box.w, box.h)), 2, 24))


def _rim_correction(
    photo: Pixels, fill: FloatArray, inner: Mask, unknown: Mask, feather: int, peak: float
) -> FloatArray:
    """n3: what to add to the fill at each of the n pixels of ``inner`` so that it meets the photo at the rim, fading inwards."""
    ring = cv2.dilate(inner.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~unknown
    y, x = np.nonzero(ring)
    if not len(y):
        return np.zeros((int(inner.sum()), 3), np.float32)
    # The fill of a network equals the photo on known pixels: compare the photo just outside with the fill just inside.
    step = photo[y, x].astype(np.float32) / peak - _mean_inside(fill, inner, y, x)
    # A step as large as an edge of the picture is an edge of the picture: it is not smeared into the hole.
    step = np.clip(step, -0.15, 0.15)
    # What is spread is smooth, so it is spread at a size at which the feather is a few pixels wide.
    h, w = inner.shape
    reduced = max(1, feather // 6)
    total = np.zeros((-(-h // reduced), -(-w // reduced), 4), np.float32)
    np.add.at(
        total,
        (y // reduced, x // reduced),
        np.column_stack([step, np.ones(len(step), np.float32)]) / reduced**2,
    )
    total = cv2.GaussianBlur(total, (0, 0), feather / reduced)  # type: ignore[assignment]
    weight = total[..., 3:]
    spread = np.where(weight > 1e-5, total[..., :3] / np.maximum(weight, 1e-6), 0)
    size = total.shape[1] * reduced, total.shape[0] * reduced
    spread = spread if reduced == 1 else cv2.resize(spread, size, interpolation=cv2.INTER_LINEAR)
    depth = cv2.distanceTransform(inner.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)[inner]
    found: FloatArray = spread[:h, :w][inner]
    found *= np.exp(-depth / feather)[:, None]
    return found


def _mean_inside(
    fill: FloatArray, inner: Mask, y: NDArray[np.int64], x: NDArray[np.int64]
) -> FloatArray:
    """n3: the mean of ``fill`` over those of the eight neighbours of n places that are ``inner``; zero where there is none."""
    h, w = inner.shape
    total, count = np.zeros((len(y), 3), np.float32), np.zeros((len(y), 1), np.float32)
    for dy, dx in ((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)):
        there = np.clip(y + dy, 0, h - 1), np.clip(x + dx, 0, w - 1)
        taken = inner[there] & (there[0] == y + dy) & (there[1] == x + dx)
        total[taken] += fill[there][taken]
        count[taken] += 1
    return total / np.maximum(count, 1)
