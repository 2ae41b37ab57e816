"""Coarse probabilities that no segmenter ever gave, but might.

Limbs are missing, there are holes, blobs beside the object, an edge that wanders or is soft.
"""

from __future__ import annotations

import cv2
import numpy as np

from ....pipeline.pixels import blur
from ....pipeline.types import FloatArray


def rough_probability(alpha: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A probability of about the same object, wrong in several ways at once.

    Args:
        alpha: HW in [0, 1], the object.
        rng: random state.

    Returns:
        HW float32 in [0, 1].
    """
    side = float(np.sqrt(max(100.0, float(alpha.sum()))))
    found = alpha
    if rng.random() < 0.5:
        found = _shifted(found, side * rng.uniform(0, 0.03), rng)
    if rng.random() < 0.5:
        radius = max(1, round(side * rng.uniform(0.01, 0.07)))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        found = cv2.dilate(found, kernel) if rng.random() < 0.65 else cv2.erode(found, kernel)
    found = spoilt(found, rng)
    found = _uneven(found, side * rng.uniform(0.01, 0.06), rng)
    return unsure(found, side * rng.uniform(0.005, 0.04), rng)


def spoilt(found: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Now and then without a limb, with holes, or with blobs beside the object."""
    if rng.random() < 0.35:
        found = _without_end(found, rng)
    if rng.random() < 0.3:
        found = found * (1 - _blobs(found, int(rng.integers(1, 4)), 0.16, rng))
    if rng.random() < 0.35:
        around = cv2.dilate(found, np.ones((9, 9), np.uint8))
        found = np.maximum(found, _blobs(around, int(rng.integers(1, 3)), 0.2, rng))
    return found


def unsure(found: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    """Blurred by ``sigma`` pixels, with extremes closer to each other."""
    found = blur(found, max(0.6, float(sigma)))
    low = rng.uniform(0, 0.12) * (rng.random() < 0.5)
    high = rng.uniform(0.75, 1.0)
    return np.clip(low + (high - low) * found, 0, 1).astype(np.float32)


def _shifted(found: FloatArray, most: float, rng: np.random.Generator) -> FloatArray:
    x, y = rng.uniform(-most, most, 2)
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    h, w = found.shape
    return cv2.warpAffine(found, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _uneven(found: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    """The same with an edge that wanders by about ``sigma`` pixels."""
    h, w = found.shape
    cells = max(3, int(min(h, w) / max(4.0, 3 * sigma)))
    grid = rng.normal(0, 0.22, (cells, cells)).astype(np.float32)
    noise = cv2.resize(grid, (w, h), interpolation=cv2.INTER_CUBIC)
    soft = blur(found, max(0.5, float(sigma)))
    moved = soft + noise * (soft > 0.02) * (soft < 0.98)
    return np.clip((moved - 0.5) * 4 + 0.5, 0, 1).astype(np.float32)


def _without_end(found: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Without a piece at one end of the object: feet, a head, an arm."""
    ys, xs = np.nonzero(found > 0.5)
    if len(ys) < 20:
        return found
    top, bottom, left, right = ys.min(), ys.max(), xs.min(), xs.max()
    part = rng.uniform(0.04, 0.15)
    found = found.copy()
    match int(rng.choice(4, p=[0.5, 0.15, 0.175, 0.175])):
        case 0:
            found[int(bottom - part * (bottom - top)) :] = 0
        case 1:
            found[: int(top + part * (bottom - top))] = 0
        case 2:
            found[:, : int(left + part * (right - left))] = 0
        case _:
            found[:, int(right - part * (right - left)) :] = 0
    return found


def _blobs(where: FloatArray, count: int, largest: float, rng: np.random.Generator) -> FloatArray:
    """Ellipses with centres on ``where``, up to a share ``largest`` of the object's size."""
    ys, xs = np.nonzero(where > 0.5)
    blobs = np.zeros(where.shape, np.float32)
    if len(ys) == 0:
        return blobs
    side = np.sqrt(len(ys))
    for _ in range(count):
        k = int(rng.integers(len(ys)))
        wide, high = (max(1, int(side * v)) for v in rng.uniform(0.02, largest, 2))
        centre = int(xs[k]), int(ys[k])
        cv2.ellipse(blobs, centre, (wide, high), float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    return blobs
