"""A segmenter that needs no network."""

from __future__ import annotations

import numpy as np


class BoxSegmenter:
    """Sees a ``person`` wherever a photo is pure red, so that a test decides what is segmented."""

    name = "box"
    quick = True

    def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        """HWC -> 21HW, the probability of ``person`` or of the background is 1."""
        peak = np.iinfo(rgb.dtype).max
        red = (rgb[..., 0] > 0.9 * peak) & (rgb[..., 1] < 0.1 * peak) & (rgb[..., 2] < 0.1 * peak)
        probabilities = np.zeros((21, *red.shape), np.float32)
        probabilities[15], probabilities[0] = red, ~red
        return probabilities
