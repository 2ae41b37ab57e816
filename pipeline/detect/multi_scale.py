"""Segmentation at several scales: the whole photo twice, and small objects in crops around them.

A segmenter sees the whole photo at a few hundred pixels, where it misses small objects or their
ends. Further passes at larger scales recover them, if the segmenter is quick enough.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..config import SPECK_SHARE
from ..pixels import reduction, resize, scaled_size
from ..types import Box, FloatArray, Pixels
from .mask import removed_probability
from .segmenters import NEARER_SIZE, Segmenter, resize_longest

#: Least probability at which a pixel may belong to a small object, and the number of crops at most.
SMALL_FROM, MOST_CROPS = 0.1, 8
#: Side of a crop: this multiple of the object's longer side, and at least this share of the photo's
#: longer side. Objects whose crop would exceed the last share are large enough in the whole photo.
CROP_CONTEXT, LEAST_CROP, LARGEST_CROP = 3.0, 0.375, 0.5

#: Longer side in pixels of the map on which crops are merged; the weight of a crop relative to the
#: whole photo; and the share of the crop over which this weight fades at its border, where objects
#: are cut off.
MERGED_SIZE, CROP_WEIGHT, CROP_FADE = 2048, 3.0, 0.15


def two_scale(segmenter: Segmenter, rgb: Pixels) -> FloatArray:
    """Class probabilities from two passes over the photo, the second larger and mirrored.

    The larger scale detects small objects better, the smaller scale large ones. A segmenter that is
    not ``quick`` runs once.

    Args:
        segmenter: runs once or twice.
        rgb: HWC uint8 or uint16.

    Returns:
        21hw, the mean of the passes, at the size of the last one.
    """
    first = segmenter.probabilities(rgb)
    if not segmenter.quick:
        return first
    second = segmenter.probabilities(
        np.ascontiguousarray(resize_longest(rgb, NEARER_SIZE)[:, ::-1]), NEARER_SIZE
    )
    mean = np.stack([resize(p, second.shape[1:], cv2.INTER_LINEAR) for p in first])
    mean += second[:, :, ::-1]
    mean /= 2
    return mean


def refine_small_objects(
    segmenter: Segmenter, rgb: Pixels, removed: FloatArray, classes: Sequence[str]
) -> FloatArray:
    """Run the segmenter again on a crop around every small object: distant people, and their feet.

    Args:
        segmenter: runs once for each crop, if it is ``quick``.
        rgb: the photo, HWC uint8 or uint16.
        removed: hw in [0, 1], the probability of the removed classes on the whole photo.
        classes: the removed classes.

    Returns:
        hw at the photo's aspect, the refined probability; ``removed`` itself if there are no crops.
    """
    crops = _crops(removed) if segmenter.quick else []
    if not crops:
        return removed
    height, width = rgb.shape[:2]
    h, w = scaled_size(rgb.shape, reduction(rgb.shape, MERGED_SIZE))
    total = resize(removed, (h, w), cv2.INTER_LINEAR)
    weight = np.ones((h, w), np.float32)
    for crop in crops:
        picture = rgb[_scaled(crop, height, width).slices].copy()
        closer = removed_probability(segmenter.probabilities(picture), classes)
        place = _scaled(crop, h, w)
        share = CROP_WEIGHT * np.minimum.outer(_fade(place.h), _fade(place.w))
        total[place.slices] += share * resize(closer, (place.h, place.w), cv2.INTER_LINEAR)
        weight[place.slices] += share
    return total / weight


#: (top, left, bottom, right) of a crop, as shares of the photo's height and width.
_Crop = tuple[float, float, float, float]


def _scaled(crop: _Crop, height: int, width: int) -> Box:
    """The crop in pixels, in a picture of that size."""
    top, left, bottom, right = crop
    return Box.from_corners(
        round(left * width), round(top * height), round(right * width), round(bottom * height)
    )


def _crops(removed: FloatArray) -> list[_Crop]:
    """The crops for small objects, the largest objects first; each object is in one crop only."""
    h, w = removed.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(
        (removed >= SMALL_FROM).astype(np.uint8), connectivity=8
    )
    crops: list[_Crop] = []
    for i in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
        if len(crops) == MOST_CROPS or stats[i, cv2.CC_STAT_AREA] < SPECK_SHARE / 2 * h * w:
            break
        x, y, bw, bh = (int(v) for v in stats[i, :4])
        side = max(CROP_CONTEXT * max(bw, bh), LEAST_CROP * max(h, w))
        if side > LARGEST_CROP * max(h, w):
            continue
        cy, cx = y + bh / 2, x + bw / 2
        if any(
            top < y / h and (y + bh) / h < bottom and left < x / w and (x + bw) / w < right
            for top, left, bottom, right in crops
        ):
            continue  # the crop of a larger object contains it
        top, left = max(0.0, cy - side / 2), max(0.0, cx - side / 2)
        crops.append((top / h, left / w, min(h, cy + side / 2) / h, min(w, cx + side / 2) / w))
    return crops


def _fade(length: int) -> FloatArray:
    """Weights along one axis of a crop: 1 in the middle, almost 0 at both ends."""
    line = np.arange(length, dtype=np.float32)
    return np.minimum(1, (np.minimum(line, line[::-1]) + 1) / max(1.0, CROP_FADE * length)).astype(
        np.float32
    )
