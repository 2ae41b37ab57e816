"""The judge of an object's edge: how much of the object a hole misses, against how large it is.

It lies below the tasks, because the refiner's held-out metrics need it, and below
``train.evaluation``, which measures the shipped refiner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..pipeline.pixels import depth_inside
from ..pipeline.types import FloatArray, Mask


@dataclass(frozen=True)
class Point:
    """What holes of one kind miss, and how large they are, over several objects.

    Attributes:
        name: how the holes were made.
        missed: median share of an object's pixels that are not in its hole.
        missed_mean: mean of the same.
        hole: median area of a hole over its object's.
    """

    name: str
    missed: float
    missed_mean: float
    hole: float


def point(
    name: str, holes: Sequence[Mask], objects: Sequence[Mask], known: Sequence[Mask]
) -> Point:
    """Judge holes.

    Args:
        name: how the holes were made.
        holes: HW bool.
        objects: HW bool, what they are to cover.
        known: HW bool, where the objects are known.
    """
    rows = []
    for hole, whole, counted in zip(holes, objects, known, strict=True):
        area = max(1, int((whole & counted).sum()))
        missed = int((whole & counted & ~hole).sum())
        rows.append((missed / area, int((hole & counted).sum()) / area))
    missed_of, hole_of = np.array(rows).T
    return Point(
        name, float(np.median(missed_of)), float(missed_of.mean()), float(np.median(hole_of))
    )


def curve(
    found: Sequence[FloatArray],
    objects: Sequence[Mask],
    known: Sequence[Mask],
    thresholds: Sequence[float],
    radii: Sequence[float],
) -> list[Point]:
    """Judge the holes of every threshold, widened evenly by every radius.

    Args:
        found: HW probabilities or alphas.
        objects: HW bool.
        known: HW bool, where the objects are known.
        thresholds: from which a pixel is in the hole.
        radii: in pixels.

    Returns:
        One point each, named ``THRESHOLD +RADIUS``.
    """
    points = []
    for threshold in thresholds:
        away = [
            depth_inside(values < threshold, cv2.DIST_MASK_PRECISE)
            if (values >= threshold).any()
            else np.full(values.shape, np.inf, np.float32)
            for values in found
        ]
        for radius in radii:
            holes = [distance <= radius + 0.01 for distance in away]
            points.append(point(f"{threshold:g} +{radius:g}", holes, objects, known))
    return points


def hole_at(points: Sequence[Point], missed: float) -> float:
    """The smallest median hole of those points that miss no more; 9.99 if every one does."""
    return min((p.hole for p in points if p.missed <= missed), default=9.99)
