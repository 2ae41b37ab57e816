"""Straight line segments of a picture (Grompone von Gioi et al. 2010), and their directions."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def line_segments(grey: NDArray[np.uint8], scale: float) -> NDArray[np.float64]:
    """The line segments of a grey picture.

    Args:
        grey: hw uint8.
        scale: at which they are sought; below 1 fine ones are lost, and noise finds none.

    Returns:
        N4, (x, y) of both ends.
    """
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD, scale).detect(grey)[0]
    return np.zeros((0, 4)) if found is None else found[:, 0].astype(np.float64)


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """...n, of length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    made: NDArray[np.float64] = vectors / np.maximum(lengths, 1e-12)
    return made
