"""The shadows of pasted objects, which an object's edge must not follow.

A silhouette casts its shadow on a flat ground like an upright board, and darkens the ground where
it touches it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ....pipeline.types import FloatArray


@dataclass(frozen=True)
class Sun:
    """Where shadows fall and how they look.

    Attributes:
        along: how far to the right the shadow of a pixel lies, as a multiple of its height.
        up: the same upwards; negative: towards the viewer.
        near: blur at the foot as a share of the object's height.
        far: blur at the shadow's end.
        fade: share of the shadow that is lost at its end.
    """

    along: float
    up: float
    near: float
    far: float
    fade: float


@dataclass(frozen=True)
class Stand:
    """How an object stands: row of its foot, column of its middle, and height, in pixels."""

    foot: float
    middle: float
    height: float


def random_sun(rng: np.random.Generator) -> Sun:
    """Any sun but one that stands overhead."""
    up = float(rng.uniform(0.06, 0.7)) * (1 if rng.random() < 0.6 else -1)
    near = float(rng.uniform(0.002, 0.03))
    return Sun(float(rng.uniform(-1.5, 1.5)), up, near, near + float(rng.uniform(0, 0.06)), 0.2)


def cast(alpha: FloatArray, stand: Stand, sun: Sun, rng: np.random.Generator) -> FloatArray:
    """How much of the light the shadow of an object takes, HW in [0, 1].

    Args:
        alpha: HW in [0, 1], the object.
        stand: how it stands.
        sun: the light.
        rng: random state.
    """
    touching = contact_shadow(alpha, stand, float(rng.uniform(0.2, 0.6)), rng)
    if rng.random() < 0.6:
        touching = np.maximum(touching, rng.uniform(0.2, 0.6) * board_shadow(alpha, stand, sun))
    return (touching * (1 - alpha)).astype(np.float32)


def board_shadow(alpha: FloatArray, stand: Stand, sun: Sun) -> FloatArray:
    """The shadow of an upright board: an affine map of its silhouette, softer towards its end.

    Args:
        alpha: HW in [0, 1].
        stand: how the object stands.
        sun: the light.

    Returns:
        HW in [0, 1].
    """
    matrix = np.array(
        [[1, -sun.along, sun.along * stand.foot], [0, sun.up, stand.foot * (1 - sun.up)]],
        np.float32,
    )
    h, w = alpha.shape
    shadow = cv2.warpAffine(alpha, matrix, (w, h), flags=cv2.INTER_LINEAR)
    near, far = (blurred(shadow, blur * stand.height) for blur in (sun.near, sun.far))
    distance = _distance(alpha.shape, stand, sun)
    return ((near + (far - near) * distance) * (1 - sun.fade * distance)).astype(np.float32)


def contact_shadow(
    alpha: FloatArray, stand: Stand, strength: float, rng: np.random.Generator
) -> FloatArray:
    """The darkness around the lowest part of an object.

    Args:
        alpha: HW in [0, 1].
        stand: how the object stands.
        strength: in [0, 1].
        rng: random state.

    Returns:
        HW in [0, 1].
    """
    wide, blur = 1.1, float(rng.uniform(0.01, 0.04))
    h, w = alpha.shape
    low = alpha.copy()
    low[: max(0, int(stand.foot - 0.08 * stand.height))] = 0
    shift = stand.foot * 0.4 + 0.01 * stand.height
    flat = np.array([[wide, 0, stand.middle * (1 - wide)], [0, 0.6, shift]], np.float32)
    low = cv2.warpAffine(low, flat, (w, h), flags=cv2.INTER_LINEAR)
    low = blurred(low, blur * stand.height)
    return strength * np.clip(low / max(0.25, float(low.max())), 0, 1)


def blurred(layer: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Gaussian blur with a deviation in pixels; a wide one is made at a fraction of the size."""
    if sigma < 0.3:
        return layer
    if sigma <= 4:
        return cv2.GaussianBlur(layer, (0, 0), sigma)  # type: ignore[return-value]
    k = 1 << int(np.log2(sigma / 2))
    h, w = layer.shape[:2]
    small = cv2.resize(layer, (max(1, w // k), max(1, h // k)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / k)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _distance(shape: tuple[int, ...], stand: Stand, sun: Sun) -> FloatArray:
    """0 at the foot to 1 at the shadow's end."""
    h, w = shape
    dx, dy = sun.along * stand.height, -sun.up * stand.height
    square = max(1.0, dx * dx + dy * dy)
    y = (np.arange(h, dtype=np.float32) - stand.foot) * dy / square
    x = (np.arange(w, dtype=np.float32) - stand.middle) * dx / square
    return np.clip(y[:, None] + x[None], 0, 1)
