"""Segmentation at several scales: the whole photo twice, then every object in a crop around it.

A segmenter sees the whole photo at a few hundred pixels, where it misses small objects and the ends
of large ones. Further passes at larger scales recover them, if the segmenter is quick enough. A
detector tells where there are objects about which the segmenter is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ...models.categories import CATEGORIES
from ..config import SPECK_SHARE
from ..pixels import reduction, resize, scaled_size
from ..types import Box, FloatArray, Pixels
from .detector import ObjectDetectorAdapter
from .mask import removed_probability
from .segmenters import Objectness, Segmenter, resize_longest

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
#: An object gets no crop of its own if another crop is at most so many times as large and shows it
#: with a margin of this share of its longer side.
AS_NEAR, MARGIN = 1.25, 0.1

#: Least score of a detected box that gets a crop of its own, most such boxes, side of the crop as a
#: multiple of the box's longer side, and the share of the box in which the whole photo must show
#: the object for the box to say nothing new.
DETECTED, MOST_DETECTED, DETECTED_CONTEXT, SEEN = 0.25, 12, 2.2, 0.4
#: Within a detected box, grown by this share of its sides, the logarithm of the object's odds rises
#: by ``BELIEF`` times the score, less ``DOUBTED``.
GROWN, BELIEF, DOUBTED = 0.04, 4.0, 0.1
#: No boxes.
NO_BOXES = np.zeros((0, 6), np.float32)

#: Longer side in pixels of the map on which crops are merged; the weight of a crop relative to the
#: whole photo; and the share of the crop over which this weight fades at its border, where objects
#: are cut off.
MERGED_SIZE, CROP_WEIGHT, CROP_FADE = 2048, 2.0, 0.12


class Looks(NamedTuple):
    """What the passes over a whole photo saw.

    Attributes:
        probabilities: 21hw float32 in [0, 1].
        boxes: n6, of ``ObjectDetectorAdapter.boxes``; none without a detector.
        first: 21hw, the first pass alone: what ``Segmenter.probabilities`` says of the photo.
    """

    probabilities: FloatArray
    boxes: FloatArray
    first: FloatArray


def look(segmenter: Segmenter, rgb: Pixels, detector: ObjectDetectorAdapter | None = None) -> Looks:
    """Segment a photo at two scales, and detect objects by the features of the second.

    The larger scale, which is mirrored, finds small objects better, the smaller one large ones. A
    segmenter that is not ``quick`` runs once.

    Args:
        segmenter: runs once or twice.
        rgb: HWC uint8 or uint16.
        detector: shares the second pass of its own compact segmenter, and else makes one.

    Returns:
        The mean of the passes, at the size of the last one; the detector's boxes.
    """
    first = segmenter.probabilities(rgb)
    if not segmenter.quick:
        return Looks(first, NO_BOXES if detector is None else detector.detect(rgb), first)
    # A copy: a picture one pixel wide would keep its negative stride.
    mirrored = resize_longest(rgb, segmenter.nearer)[:, ::-1].copy()
    if detector is not None and detector.compact is segmenter:
        second, levels = detector.compact.with_levels(mirrored)
        boxes = detector.boxes(levels, *mirrored.shape[:2])
        boxes[:, [0, 2]] = 1 - boxes[:, [2, 0]]
    else:
        second = segmenter.probabilities(mirrored, segmenter.nearer)
        boxes = NO_BOXES if detector is None else detector.detect(rgb)
    # Map by map: all of them at once would go through memory three times.
    for one, mirror in zip(first, second, strict=True):
        enlarged = resize(one, mirror.shape, cv2.INTER_LINEAR)
        mirror[:] = cv2.addWeighted(enlarged, 0.5, cv2.flip(mirror, 1), 0.5, 0)
    return Looks(second, boxes, first)


def two_scale(segmenter: Segmenter, rgb: Pixels) -> FloatArray:
    """``look``'s probabilities: 21hw float32 in [0, 1]."""
    return look(segmenter, rgb).probabilities


def refine_objects(
    segmenter: Segmenter,
    rgb: Pixels,
    looks: Looks,
    classes: Sequence[str],
    threshold: float,
) -> Objectness:
    """Run a segmenter again on a crop around every object, where it sees feet and hands.

    Args:
        segmenter: runs once for each crop, if it is ``quick``; another one may have given
            ``looks``.
        rgb: the photo, HWC uint8 or uint16.
        looks: at the whole photo.
        classes: the removed classes.
        threshold: probability from which a pixel is removed. Crops take nothing away from what
            reaches it in the whole photo: a part of an object alone is harder to recognise.

    Returns:
        The mean of the whole photo's probabilities and the crops', at the photo's aspect and at
        most ``MERGED_SIZE`` pixels, higher within boxes of objects that the whole photo's do not
        show; the whole photo's own, at their own size, if there are no crops.
    """
    probabilities = looks.probabilities
    whole = Objectness(removed_probability(probabilities, classes), probabilities[0])
    if not segmenter.quick:
        return whole
    unseen = _unseen(looks.boxes, whole.removed, classes, threshold)[:MOST_DETECTED]
    crops = _crops(whole.removed, unseen)
    if not crops:
        return whole
    height, width = rgb.shape[:2]
    h, w = scaled_size(rgb.shape, reduction(rgb.shape, MERGED_SIZE))
    first = Objectness(*(resize(p, (h, w), cv2.INTER_LINEAR) for p in whole))
    totals = [p.copy() for p in first]
    weight = np.ones((h, w), np.float32)
    for crop in crops:
        picture = rgb[_scaled(crop, height, width).slices].copy()
        near = segmenter.objectness(picture, classes, segmenter.crop)
        place = _scaled(crop, h, w)
        share = CROP_WEIGHT * np.minimum.outer(
            _fade(place.h, starts=place.y > 0, ends=place.bottom < h),
            _fade(place.w, starts=place.x > 0, ends=place.right < w),
        )
        for total, p in zip(totals, near, strict=True):
            total[place.slices] += share * resize(p, (place.h, place.w), cv2.INTER_LINEAR)
        weight[place.slices] += share
    seen = Objectness(*(total / weight for total in totals))
    for box in unseen:
        _believe(seen, box)
    certain = first.removed >= threshold
    return Objectness(
        np.where(certain, np.maximum(first.removed, seen.removed), seen.removed),
        np.where(certain, np.minimum(first.background, seen.background), seen.background),
    )


def _unseen(
    boxes: FloatArray, removed: FloatArray, classes: Sequence[str], threshold: float
) -> FloatArray:
    """The boxes n6 of the removed classes in which the whole photo hardly shows an object."""
    wanted = np.isin(boxes[:, 5], [CATEGORIES.index(c) for c in classes])
    found = removed >= threshold
    h, w = found.shape
    silent = [
        box
        for box in boxes[wanted & (boxes[:, 4] >= DETECTED)]
        if found[_place(box, h, w).slices].mean() < SEEN
    ]
    return np.array(silent, np.float32).reshape(-1, 6)


def _place(box: FloatArray, height: int, width: int, grown: float = 0.0) -> Box:
    """A detector's box in a picture of that size; at least one pixel."""
    x0, y0, x1, y1 = (float(v) for v in box[:4])
    dx, dy = grown * (x1 - x0), grown * (y1 - y0)
    corners = max(0.0, y0 - dy), max(0.0, x0 - dx), min(1.0, y1 + dy), min(1.0, x1 + dx)
    return _scaled(corners, height, width)


def _believe(seen: Objectness, box: FloatArray) -> None:
    """Raise the odds of the removed classes within a detected box, in place."""
    h, w = seen.removed.shape
    place = _place(box, h, w, GROWN).slices
    p = seen.removed[place].clip(1e-4, 1 - 1e-4)
    raised = 1 / (1 + (1 - p) / p * np.exp(-BELIEF * (box[4] - DOUBTED)))
    seen.removed[place] = np.maximum(seen.removed[place], raised)
    seen.background[place] = np.minimum(seen.background[place], 1 - raised)


#: (top, left, bottom, right) of a crop, as shares of the photo's height and width.
_Crop = tuple[float, float, float, float]


def _scaled(crop: _Crop, height: int, width: int) -> Box:
    """The crop in pixels, in a picture of that size; at least one pixel."""
    top, left, bottom, right = crop
    x, y = min(round(left * width), width - 1), min(round(top * height), height - 1)
    return Box.from_corners(
        x, y, max(x + 1, round(right * width)), max(y + 1, round(bottom * height))
    )


def _crops(removed: FloatArray, boxes: FloatArray) -> list[_Crop]:
    """The crops around objects: certain ones first, of them the largest, then detected boxes.

    Args:
        removed: hw, probability of the removed classes in the whole photo.
        boxes: n6 of the detector.
    """
    shape, smallest = removed.shape, SPECK_SHARE / 2 * removed.size
    crops: list[_Crop] = []
    for least in (CERTAIN, FAINT):
        _, _, stats, _ = cv2.connectedComponentsWithStats(
            (removed >= least).astype(np.uint8), connectivity=8
        )
        for i in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
            if len(crops) == MOST_CROPS or stats[i, cv2.CC_STAT_AREA] < smallest:
                break
            place = Box(*(int(v) for v in stats[i, :4]))
            crop = _around(place, CROP_CONTEXT, shape)
            too_large = _longest(crop, shape) > LARGEST_CROP * max(shape)
            if not too_large and not _is_shown(place, crop, crops, shape):
                crops.append(crop)
    for box in boxes:
        place = _place(box, *shape)
        crop = _around(place, DETECTED_CONTEXT, shape)
        if not _is_shown(place, crop, crops, shape):
            crops.append(crop)
    return crops


def _around(place: Box, context: float, shape: tuple[int, ...]) -> _Crop:
    """A square around an object in a picture of that shape, clipped to it."""
    h, w = shape[:2]
    side = max(context * max(place.h, place.w), LEAST_CROP * max(h, w))
    cy, cx = place.y + place.h / 2, place.x + place.w / 2
    top, left = max(0.0, cy - side / 2), max(0.0, cx - side / 2)
    bottom, right = min(h, cy + side / 2), min(w, cx + side / 2)
    return top / h, left / w, bottom / h, right / w


def _longest(crop: _Crop, shape: tuple[int, ...]) -> float:
    """The longer side of a crop in pixels of a picture of that shape."""
    top, left, bottom, right = crop
    return max((bottom - top) * shape[0], (right - left) * shape[1])


def _is_shown(place: Box, crop: _Crop, others: Sequence[_Crop], shape: tuple[int, ...]) -> bool:
    """Whether other crops show an object about as near as its own crop would."""
    h, w = shape[:2]
    margin = MARGIN * max(place.h, place.w)
    top, bottom = max(0.0, place.y - margin) / h, min(h, place.bottom + margin) / h
    left, right = max(0.0, place.x - margin) / w, min(w, place.right + margin) / w
    return any(
        _longest(other, shape) <= AS_NEAR * _longest(crop, shape)
        and other[0] <= top
        and other[1] <= left
        and other[2] >= bottom
        and other[3] >= right
        for other in others
    )


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
