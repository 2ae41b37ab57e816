"""The first look of a cascade: may a photo hold any of the classes at all? Where it shows no trace, a large segmenter is not asked.

The compact segmenter costs a fraction of FCN-ResNet101. Its answer is not used as a mask here: only the highest probability of the classes
that holds over a small part of the photo counts, so that it may be unsure, or see a part alone, and the photo goes on all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...models.categories import CATEGORIES
from ..config import SPECK_SHARE
from ..types import FloatArray, Pixels

if TYPE_CHECKING:
    pass

from .segmenters import NEARER_SIZE, Segmenter, shrink

#: Share of the photo's pixels over which a probability must hold to count as a trace.
TRACE_SHARE = 0.001

#: Least trace with which a photo goes on to the large segmenter. Chosen by ``benchmarks/quality/prefilter.py`` on training photos.
TRACE = 0.0025


def trace(removed: FloatArray) -> float:
    """The highest probability that ``TRACE_SHARE`` of the pixels reach.

    Args:
        removed: hw in [0, 1], the probability of the classes together.
    """
    flat = removed.ravel()
    rank = max(1, round(TRACE_SHARE * flat.size))
    return float(np.partition(flat, -rank)[-rank])


#: A second, closer look at small objects: at whatever may be one (probability), at most so many, in squares of this multiple of the
#: object's longer side and at least this share of the photo's; an object whose square is larger than the last share has been seen well.
CLOSER_FROM, CLOSER_MOST, CLOSER_CONTEXT, CLOSER_LEAST, CLOSER_LARGEST = 0.1, 8, 3.0, 0.375, 0.5

#: Longer side in pixels of the map that the looks are put together on, how much more a closer look counts, and the share of its square
#: over which it fades at the border, where it sees objects cut off.
CLOSER_MAP, CLOSER_WEIGHT, CLOSER_FADE = 2048, 3.0, 0.15

#: Least probability, as a share of the threshold, at which a pixel belongs to an object of the class that it is connected with; and at
#: which it does where it is more likely some object than none.
CONNECTED, WAVERING = 0.6, 0.3


def shares(probabilities: FloatArray, classes: Sequence[str], threshold: float) -> dict[str, float]:
    """The share of the photo that each named class takes (most probable class, at least ``threshold`` for all named together)."""
    ids = [CATEGORIES.index(c) for c in classes]
    taken = probabilities[ids].sum(0) >= threshold
    best = probabilities[ids].argmax(0)
    found = {c: float((taken & (best == i)).mean()) for i, c in enumerate(classes)}
    return {c: s for c, s in found.items() if s > 0}


def removed_probability(probabilities: FloatArray, classes: Sequence[str]) -> FloatArray:
    """hw: the probability that a pixel is any of the classes."""
    return probabilities[[CATEGORIES.index(c) for c in classes]].sum(0)  # type: ignore[no-any-return]


def look_twice(segmenter: Segmenter, rgb: Pixels) -> FloatArray:
    """The mean of two looks at a photo, the second nearer and mirrored, by a segmenter that is ``quick``; else its one answer.

    From near it finds what is small, from afar what is large: no one size is best for both.

    Args:
        segmenter: asked once or twice.
        rgb: HWC.

    Returns:
        21hw probabilities at the size of the last look.
    """
    first = segmenter.probabilities(rgb)
    if not segmenter.quick:
        return first
    second = segmenter.probabilities(
        np.ascontiguousarray(shrink(rgb, NEARER_SIZE)[:, ::-1]), NEARER_SIZE
    )
    h, w = second.shape[1:]
    mean = np.stack([cv2.resize(p, (w, h), interpolation=cv2.INTER_LINEAR) for p in first])
    mean += second[:, :, ::-1]
    mean /= 2
    return mean


def whole_objects(removed: FloatArray, ground: FloatArray, threshold: float) -> FloatArray:
    """The probability of the removed classes, raised where an object goes on though its name wavers: half a dog is no dog removed.

    A pixel that is connected with one of the classes belongs to that object where it is of the classes with at least ``CONNECTED`` of the
    threshold (Canny's hysteresis), or with ``WAVERING`` of it and more likely some object than none. Its probability becomes that of any
    object at all, and no less than the threshold.

    Args:
        removed: hw in [0, 1], the probability of the removed classes.
        ground: the probability of no object, at any size.
        threshold: at which a pixel is taken.
    """
    h, w = removed.shape
    thing = 1 - cv2.resize(ground, (w, h), interpolation=cv2.INTER_LINEAR)
    sure = removed >= threshold
    within = (removed >= CONNECTED * threshold) | (
        (removed >= WAVERING * threshold) & (thing >= threshold)
    )
    _, parts = cv2.connectedComponents(within.astype(np.uint8), connectivity=8)
    held = np.zeros(int(parts.max()) + 1, bool)
    held[parts[sure]] = True
    held[0] = False
    return np.where(held[parts], np.maximum(np.maximum(removed, thing), threshold), removed).astype(
        np.float32
    )


def look_closer(
    segmenter: Segmenter, rgb: Pixels, removed: FloatArray, classes: Sequence[str]
) -> FloatArray:
    """The probability of the removed classes after a closer look at every small object: distant people, and their feet.

    A segmenter sees the whole photo at a few hundred pixels; what is small there it misses, or misses the ends of.

    Args:
        segmenter: is asked again about squares of the photo, if it is ``quick``.
        rgb: the photo, HWC.
        removed: hw, its answer for the whole photo.
        classes: what is removed.

    Returns:
        hw at the photo's aspect; ``removed`` itself where there is nothing to look at.
    """
    squares = _squares(removed) if segmenter.quick else []
    if not squares:
        return removed
    height, width = rgb.shape[:2]
    scale = min(1.0, CLOSER_MAP / max(height, width))
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    total = cv2.resize(removed, (w, h), interpolation=cv2.INTER_LINEAR)
    weight = np.ones((h, w), np.float32)
    for top, left, bottom, right in squares:
        y0, y1, x0, x1 = (
            round(v * s)
            for v, s in ((top, height), (bottom, height), (left, width), (right, width))
        )
        part: Pixels = np.ascontiguousarray(rgb[y0:y1, x0:x1])  # type: ignore[assignment]
        closer = removed_probability(segmenter.probabilities(part), classes)
        rows, columns = (
            slice(round(top * h), round(bottom * h)),
            slice(round(left * w), round(right * w)),
        )
        size = rows.stop - rows.start, columns.stop - columns.start
        share = CLOSER_WEIGHT * np.minimum.outer(*(_fade(n) for n in size))
        total[rows, columns] += share * cv2.resize(
            closer, size[::-1], interpolation=cv2.INTER_LINEAR
        )
        weight[rows, columns] += share
    return total / weight  # type: ignore[return-value]


def _squares(removed: FloatArray) -> list[tuple[float, float, float, float]]:
    """(top, left, bottom, right) in shares of the photo: where to look closer, largest objects first, none twice."""
    h, w = removed.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(
        (removed >= CLOSER_FROM).astype(np.uint8), connectivity=8
    )
    found: list[tuple[float, float, float, float]] = []
    for i in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
        if len(found) == CLOSER_MOST or stats[i, cv2.CC_STAT_AREA] < SPECK_SHARE / 2 * h * w:
            break
        x, y, bw, bh = (int(v) for v in stats[i, :4])
        side = max(CLOSER_CONTEXT * max(bw, bh), CLOSER_LEAST * max(h, w))
        if side > CLOSER_LARGEST * max(h, w):
            continue
        cy, cx = y + bh / 2, x + bw / 2
        if any(
            t < y / h and (y + bh) / h < b and le < x / w and (x + bw) / w < r
            for t, le, b, r in found
        ):
            continue  # seen in the square of a larger one
        top, left = max(0.0, cy - side / 2), max(0.0, cx - side / 2)
        found.append((top / h, left / w, min(h, cy + side / 2) / h, min(w, cx + side / 2) / w))
    return found


def _fade(length: int) -> FloatArray:
    """1 in the middle, falling to almost 0 at both ends."""
    line = np.arange(length, dtype=np.float32)
    return np.minimum(
        1, (np.minimum(line, line[::-1]) + 1) / max(1.0, CLOSER_FADE * length)
    ).astype(np.float32)
