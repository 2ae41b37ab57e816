"""Composite a fill into its hole: photo outside, fill inside, the seam closed from inside."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import hole_within
from ..pixels import blur, depth_inside, dilate_square, resize
from ..types import Box, FloatArray, Hole, Mask, Pixels

#: Largest colour step in [0, 1] at the rim that is corrected. A larger one is an edge of the
#: picture, which must not be smeared into the hole.
LARGEST_STEP = 0.15


def blend_into(out: Pixels, fill: FloatArray, window: Box, hole: Hole, hole_mask: Mask) -> None:
    """Fill one hole of ``out``, in place; outside the hole nothing changes.

    The fill's colour is matched to the photo's at the rim: the difference between the nearest
    known pixels and the fill is spread into the hole and fades with depth (the feather).

    Args:
        out: HWC, the photo with the holes that are already filled; it belongs to the caller.
        fill: hw3 float32 in [0, 1], the window's new content.
        window: position of ``fill`` in the photo.
        hole: the hole to fill.
        hole_mask: HW bool, all holes of the photo: none of their pixels influences the colour.
    """
    peak = float(np.iinfo(out.dtype).max)
    feather = feather_width(hole.box)
    # Outside the window there is no fill to compare with.
    region = hole.box.grown(3 * feather, hole_mask.shape).intersection(window)
    inner = hole_within(hole, region)
    new = fill[region.relative_to(window).slices]
    target = out[region.slices]
    content = new[inner]
    content += match_boundary(target, new, inner, hole_mask[region.slices], feather, peak)
    target[inner] = (np.clip(content, 0, 1, out=content) * peak + 0.5).astype(out.dtype)


def feather_width(box: Box) -> int:
    """Pixels over which the seam is closed: 3 % of the hole's shorter side, from 2 to 24."""
    return int(np.clip(round(0.03 * min(box.w, box.h)), 2, 24))


def match_boundary(
    photo: Pixels, fill: FloatArray, inner: Mask, hole_mask: Mask, feather: int, peak: float
) -> FloatArray:
    """The colour correction with which the fill meets the photo at the rim, fading inwards.

    Args:
        photo: hw3, a crop of the photo.
        fill: hw3 float32 in [0, 1], the fill of the same crop.
        inner: hw bool, the hole to fill; n pixels are True.
        hole_mask: hw bool, all holes.
        feather: width of the correction in pixels.
        peak: the photo's white.

    Returns:
        n3 float32, to be added to ``fill[inner]``.
    """
    ring = dilate_square(inner, 1) & ~hole_mask
    y, x = np.nonzero(ring)
    if not len(y):
        return np.zeros((int(inner.sum()), 3), np.float32)
    # On known pixels a network's fill equals the photo: compare the photo just outside the hole
    # with the fill just inside.
    step = photo[y, x].astype(np.float32) / peak - _mean_inside(fill, inner, y, x)
    step = np.clip(step, -LARGEST_STEP, LARGEST_STEP)
    # The correction is smooth, so it is blurred at reduced resolution, where the feather is a few
    # pixels wide.
    h, w = inner.shape
    reduced = max(1, feather // 6)
    total = np.zeros((-(-h // reduced), -(-w // reduced), 4), np.float32)
    np.add.at(
        total,
        (y // reduced, x // reduced),
        np.column_stack([step, np.ones(len(step), np.float32)]) / reduced**2,
    )
    total = blur(total, feather / reduced)
    weight = total[..., 3:]
    spread = np.where(weight > 1e-5, total[..., :3] / np.maximum(weight, 1e-6), 0)
    if reduced > 1:
        size = total.shape[0] * reduced, total.shape[1] * reduced
        spread = resize(spread, size, cv2.INTER_LINEAR)
    depth = depth_inside(inner)[inner]
    correction: FloatArray = spread[:h, :w][inner]
    correction *= np.exp(-depth / feather)[:, None]
    return correction


def _mean_inside(
    fill: FloatArray, inner: Mask, y: NDArray[np.int64], x: NDArray[np.int64]
) -> FloatArray:
    """n3: at n places, the mean of ``fill`` over those of the eight neighbours in ``inner``.

    0 if none of them is.
    """
    h, w = inner.shape
    total, count = np.zeros((len(y), 3), np.float32), np.zeros((len(y), 1), np.float32)
    for dy, dx in ((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)):
        neighbour = np.clip(y + dy, 0, h - 1), np.clip(x + dx, 0, w - 1)
        counted = inner[neighbour] & (neighbour[0] == y + dy) & (neighbour[1] == x + dx)
        total[counted] += fill[neighbour][counted]
        count[counted] += 1
    return total / np.maximum(count, 1)
