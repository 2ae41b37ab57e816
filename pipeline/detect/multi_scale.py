"""Segmentation at several scales: the whole photo twice, then every object in a crop around it.

A segmenter sees the whole photo at a few hundred pixels, where it misses small objects and the ends
of large ones. Further passes at larger scales recover them, if the segmenter is quick enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ..config import SPECK_SHARE
from ..pixels import reduction, resize, scaled_size
from ..types import Box, FloatArray, Pixels
from .mask import removed_probability
from .segmenters import COMPACT_SIZE, NEARER_SIZE, Segmenter, resize_longest

#: Probabilities from which connected pixels may be an object that gets a crop: at the first one,
#: people who stand together are told apart; at the second one, faint objects count too.
CERTAIN, FAINT = 0.5, 0.15
#: Number of crops at most; the largest objects come first.
MOST_CROPS = 16
#: Side of a crop: this multiple of the object's longer side.
CROP_CONTEXT = 1.4
#: Least side of a crop, and the side from which a crop shows the whole photo's scale, as shares of
#: the photo's longer side.
LEAST_CROP, LARGEST_CROP = 0.15, 0.9
#: Two crops of one object are one if their corners differ by less than this share of the side.
SAME_CROP = 0.06

#: Longer side in pixels of the map on which crops are merged; the weight of a crop relative to the
#: whole photo; and the share of the crop over which this weight fades at its border, where objects
#: are cut off.
MERGED_SIZE, CROP_WEIGHT, CROP_FADE = 2048, 2.0, 0.12


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


class Objectness(NamedTuple):
    """What is removed, and what is an object of any class.

    Attributes:
        removed: hw float32 in [0, 1], the probability of the removed classes together.
        background: hw float32 in [0, 1], the probability that no class is there.
    """

    removed: FloatArray
    background: FloatArray


def refine_objects(
    segmenter: Segmenter,
    rgb: Pixels,
    probabilities: FloatArray,
    classes: Sequence[str],
    threshold: float,
) -> Objectness:
    """Run a segmenter again on a crop around every object, where it sees feet and hands.

    Args:
        segmenter: runs once for each crop, if it is ``quick``; another one may have given
            ``probabilities``.
        rgb: the photo, HWC uint8 or uint16.
        probabilities: 21hw in [0, 1], of the whole photo.
        classes: the removed classes.
        threshold: probability from which a pixel is removed. Crops take nothing away from what
            reaches it in the whole photo: a part of an object alone is harder to recognise.

    Returns:
        The mean of the whole photo's probabilities and the crops', at the photo's aspect and at
        most ``MERGED_SIZE`` pixels; the whole photo's own, at their own size, if there are no
        crops.
    """
    whole = Objectness(removed_probability(probabilities, classes), probabilities[0])
    crops = _crops(whole.removed) if segmenter.quick else []
    if not crops:
        return whole
    height, width = rgb.shape[:2]
    h, w = scaled_size(rgb.shape, reduction(rgb.shape, MERGED_SIZE))
    first = Objectness(*(resize(p, (h, w), cv2.INTER_LINEAR) for p in whole))
    totals = [p.copy() for p in first]
    weight = np.ones((h, w), np.float32)
    for crop in crops:
        picture = rgb[_scaled(crop, height, width).slices].copy()
        closer = segmenter.probabilities(picture, COMPACT_SIZE)
        place = _scaled(crop, h, w)
        share = CROP_WEIGHT * np.minimum.outer(
            _fade(place.h, starts=place.y > 0, ends=place.bottom < h),
            _fade(place.w, starts=place.x > 0, ends=place.right < w),
        )
        near = Objectness(removed_probability(closer, classes), closer[0])
        for total, p in zip(totals, near, strict=True):
            total[place.slices] += share * resize(p, (place.h, place.w), cv2.INTER_LINEAR)
        weight[place.slices] += share
    seen = Objectness(*(total / weight for total in totals))
    certain = first.removed >= threshold
    return Objectness(
        np.where(certain, np.maximum(first.removed, seen.removed), seen.removed),
        np.where(certain, np.minimum(first.background, seen.background), seen.background),
    )


#: (top, left, bottom, right) of a crop, as shares of the photo's height and width.
_Crop = tuple[float, float, float, float]


def _scaled(crop: _Crop, height: int, width: int) -> Box:
    """The crop in pixels, in a picture of that size; at least one pixel."""
    top, left, bottom, right = crop
    x, y = min(round(left * width), width - 1), min(round(top * height), height - 1)
    return Box.from_corners(
        x, y, max(x + 1, round(right * width)), max(y + 1, round(bottom * height))
    )


def _crops(removed: FloatArray) -> list[_Crop]:
    """The crops around objects, certain ones first and the largest of them first."""
    h, w = removed.shape
    crops: list[_Crop] = []
    for least in (CERTAIN, FAINT):
        _, _, stats, _ = cv2.connectedComponentsWithStats(
            (removed >= least).astype(np.uint8), connectivity=8
        )
        for i in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
            if len(crops) == MOST_CROPS or stats[i, cv2.CC_STAT_AREA] < SPECK_SHARE / 2 * h * w:
                break
            x, y, bw, bh = (int(v) for v in stats[i, :4])
            side = max(CROP_CONTEXT * max(bw, bh), LEAST_CROP * max(h, w))
            cy, cx = y + bh / 2, x + bw / 2
            top, left = max(0.0, cy - side / 2), max(0.0, cx - side / 2)
            bottom, right = min(h, cy + side / 2), min(w, cx + side / 2)
            if max(bottom - top, right - left) > LARGEST_CROP * max(h, w):
                continue
            crop = top / h, left / w, bottom / h, right / w
            if not any(
                np.abs(np.subtract(crop, c)).max() < SAME_CROP * side / max(h, w) for c in crops
            ):
                crops.append(crop)
    return crops


def _fade(length: int, *, starts: bool, ends: bool) -> FloatArray:
    """Weights along one axis of a crop: 1 in the middle, almost 0 where it cuts objects off.

    Args:
        length: of the axis, in pixels.
        starts: the photo goes on before the crop.
        ends: the photo goes on after it.
    """
    line = np.arange(length, dtype=np.float32)
    far = np.full(length, np.inf, np.float32)
    nearest = np.minimum(line if starts else far, line[::-1] if ends else far) + 1
    return np.minimum(1, nearest / max(1.0, CROP_FADE * length)).astype(np.float32)
