"""A cut-out laid into a scene: scaled, turned and mirrored."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....pipeline.types import FloatArray


def laid(
    rgba: NDArray[np.uint8],
    scale: float,
    centre: tuple[float, float],
    size: int,
    *,
    turn: float,
    mirrored: bool,
) -> FloatArray:
    """Lay a cut-out into an empty picture.

    Args:
        rgba: HW4: red, green, blue, alpha, 0 to 255.
        scale: its pixels become so large.
        centre: (x, y) of its middle.
        size: side of the picture in pixels.
        turn: in radians.
        mirrored: whether left and right change places.

    Returns:
        (size)(size)4 float32, 0 to 255.
    """
    layer = rgba.astype(np.float32)
    if scale < 0.9:  # warping does not average
        layer = np.asarray(
            cv2.resize(layer, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32
        )
        scale = 1.0
    h, w = layer.shape[:2]
    flip = -1 if mirrored else 1
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.array([[flip * cos, -sin], [flip * sin, cos]], np.float32)
    move = np.array(centre, np.float32) - linear @ np.array([w / 2, h / 2], np.float32)
    matrix = np.hstack([linear, move[:, None]]).astype(np.float32)
    warped = cv2.warpAffine(layer, matrix, (size, size), flags=cv2.INTER_LINEAR)
    found: FloatArray = np.asarray(warped, np.float32)
    return found
