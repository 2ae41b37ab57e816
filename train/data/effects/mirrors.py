"""Reflections of objects: in wet ground, water, polished floors and panes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ....pipeline.types import FloatArray
from ..objects.shadows import Stand


@dataclass(frozen=True)
class Mirror:
    """A surface that reflects.

    Attributes:
        strength: of the reflection at an object's foot, in [0, 1].
        length: in how many objects' heights it fades to a third.
        blur: growth of its blur, as a share of the distance from the foot.
        ripple: largest sideways shift, as a share of an object's height; 0 = a still surface.
        waves: ripples in an object's height.
        pane: where an upright pane stands, in widths from an object's middle; None = the ground
            reflects.
    """

    strength: float
    length: float
    blur: float
    ripple: float
    waves: float
    pane: float | None = None


def random_mirror(rng: np.random.Generator) -> Mirror:
    """Wet asphalt, a lake, a floor or a shop window."""
    pane = float(rng.choice([-1, 1]) * rng.uniform(0.55, 1.0)) if rng.random() < 0.12 else None
    return Mirror(
        strength=float(rng.uniform(0.08, 0.6)),
        length=float(rng.uniform(0.3, 3.0)),
        blur=float(rng.uniform(0, 0.08)),
        ripple=float(rng.uniform(0.005, 0.05)) if rng.random() < 0.4 else 0.0,
        waves=float(rng.uniform(4, 30)),
        pane=pane,
    )


def mirrored(
    colours: FloatArray, alpha: FloatArray, stand: Stand, mirror: Mirror, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """An object's reflection.

    Args:
        colours: HWC, the object's.
        alpha: HW in [0, 1].
        stand: how the object stands.
        mirror: the surface.
        rng: random state.

    Returns:
        (HWC colours, HW opacity in [0, 1]).
    """
    h, w = alpha.shape
    if mirror.pane is not None:
        wide = float(np.ptp(np.nonzero(alpha.max(0) > 0.5)[0])) if (alpha > 0.5).any() else 1.0
        axis = stand.middle + mirror.pane * max(wide, 4.0)
        move = np.array([[-1, 0, 2 * axis], [0, 1, 0]], np.float32)
    else:
        squeezed = float(rng.uniform(0.75, 1.05))
        move = np.array([[1, 0, 0], [0, -squeezed, stand.foot * (1 + squeezed)]], np.float32)
    layer = np.dstack([colours * alpha[..., None], alpha])
    layer = cv2.warpAffine(layer, move, (w, h), flags=cv2.INTER_LINEAR)
    rows = np.arange(h, dtype=np.float32)
    distance = np.maximum(rows - stand.foot, 0) / max(stand.height, 1.0)
    if mirror.ripple:
        phase = rng.uniform(0, 2 * np.pi)
        shift = mirror.ripple * stand.height * np.sqrt(np.minimum(distance, 1))
        shift = shift * np.sin(2 * np.pi * mirror.waves * distance + phase)
        x = np.arange(w, dtype=np.float32)[None] + shift[:, None].astype(np.float32)
        y = np.repeat(rows[:, None], w, axis=1)
        layer = cv2.remap(layer, x, y, cv2.INTER_LINEAR)
    sigma = mirror.blur * stand.height
    if sigma > 0.3:
        soft = cv2.GaussianBlur(layer, (0, 0), sigmaX=0.4 * sigma + 0.1, sigmaY=sigma)
        near = np.clip(distance / 0.5, 0, 1)[:, None, None].astype(np.float32)
        layer = layer + near * (soft - layer)
    opacity = layer[..., 3]
    fade = np.ones(h, np.float32)
    if mirror.pane is None:
        fade = (np.exp(-distance / mirror.length) * (rows >= stand.foot - 1)).astype(np.float32)
    shown = layer[..., :3] / np.maximum(opacity, 1e-3)[..., None]
    return shown, (opacity * fade[:, None] * mirror.strength).astype(np.float32)
