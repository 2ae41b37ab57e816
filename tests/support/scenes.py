"""Generated photos with a person in them."""

from __future__ import annotations

import numpy as np


def scene(
    height: int = 120,
    width: int = 160,
    *,
    person: tuple[int, int, int, int] | None = (60, 40, 20, 30),
    seed: int = 0,
) -> np.ndarray:
    """A smooth picture with grain, and a red box (x, y, w, h) in place of a person."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:height, :width]
    base = np.stack(
        [60 + 80 * xx / width, 70 + 60 * yy / height, 120 + 20 * np.sin(xx / 9)], 2
    ) + rng.normal(0, 3, (height, width, 3))
    picture = base.clip(0, 220).astype(np.uint8)
    if person:
        x, y, w, h = person
        picture[y : y + h, x : x + w] = (255, 0, 0)
    return picture


def two_people() -> np.ndarray:
    """A scene with a hole in its middle, 20 x 30 pixels, and one of 40 x 30 at its right border."""
    picture = scene(160, 240)
    picture[60:90, 200:240] = (255, 0, 0)
    return picture
