"""Made places with texture and edges, and photos of them as a moved camera takes them."""

from __future__ import annotations

import cv2
import numpy as np

from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.types import Hole, Mask

#: (height, width) of a photo of a place, and what the place goes on beyond it on each side.
SIZE, BEYOND = (240, 320), 60


def place(seed: int = 0) -> np.ndarray:
    """HWC uint8, larger than a photo: soft colours, many flat shapes with edges, and grain."""
    rng = np.random.default_rng(seed)
    height, width = (n + 2 * BEYOND for n in SIZE)
    coarse = rng.uniform(70, 150, (6, 8, 3)).astype(np.float32)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(1400):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = (int(n) for n in rng.integers(3, 24, 2))
        colour = (rng.uniform(45, 200) + rng.uniform(-25, 25, 3)).tolist()
        if rng.random() < 0.5:
            cv2.rectangle(picture, (x, y), (x + w, y + h), colour, -1)
        else:
            cv2.ellipse(picture, (x, y), (w // 2 + 2, h // 2 + 2), 30, 0, 360, colour, -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8) + rng.normal(0, 2, picture.shape)
    return picture.round().clip(0, 255).astype(np.uint8)


def taken(whole: np.ndarray, move: np.ndarray | None = None) -> np.ndarray:
    """A photo of a place.

    Args:
        whole: from ``place``.
        move: 33, maps pixels of the photo that an unmoved camera takes to those of this one.
    """
    matrix = np.array([[1, 0, -BEYOND], [0, 1, -BEYOND], [0, 0, 1]], np.float64)
    if move is not None:
        matrix = move @ matrix
    return cv2.warpPerspective(whole, matrix, SIZE[::-1], flags=cv2.INTER_CUBIC)


def hand(turn: float = 2.0, scale: float = 1.03, x: float = 9.0, y: float = -6.0) -> np.ndarray:
    """33: turned by degrees, enlarged and moved by pixels, and leaning a little."""
    angle = np.deg2rad(turn)
    move = np.array(
        [
            [scale * np.cos(angle), -scale * np.sin(angle), x],
            [scale * np.sin(angle), scale * np.cos(angle), y],
            [2e-5, -3e-5, 1.0],
        ]
    )
    return move


def other_light(rgb: np.ndarray) -> np.ndarray:
    """Darker by a fifth, of another white balance."""
    light = np.array([0.8, 0.76, 0.85])
    return (rgb * light + 5).round().clip(0, 255).astype(np.uint8)


def box_mask(x: int, y: int, w: int, h: int) -> Mask:
    """HW bool of a photo of a place."""
    mask = np.zeros(SIZE, bool)
    mask[y : y + h, x : x + w] = True
    return mask


def only_hole(mask: Mask) -> Hole:
    """The one hole of a mask."""
    (hole,) = find_holes(mask)
    return hole
