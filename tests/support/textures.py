"""Generated textures, holes in them, and a window filled as the product fills it."""

from __future__ import annotations

import cv2
import numpy as np

from remove_objects.pipeline.inpaint.texture.patch import texture_patch


def tiles(height: int, width: int, period: int, seed: int = 0) -> np.ndarray:
    """One tile of smooth noise, repeated: a copy moved by multiples of ``period`` is exact."""
    tile = np.random.default_rng(seed).random((period, period, 3)).astype(np.float32)
    tile = cv2.GaussianBlur(np.tile(tile, (3, 3, 1)), (0, 0), 1.0)[
        period : 2 * period, period : 2 * period
    ]
    return np.tile(tile, (-(-height // period), -(-width // period), 1))[:height, :width]


def known_outside(picture: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """The known mask of a picture with a rectangular hole."""
    known_mask = np.ones(picture.shape[:2], bool)
    known_mask[top : top + height, left : left + width] = False
    return known_mask


def fill_window(
    picture: np.ndarray, known_mask: np.ndarray, guide: np.ndarray, *, fine: bool = True
) -> np.ndarray | None:
    """``texture_patch`` inserted into its window, or None if there is no patch."""
    patch = texture_patch(picture, known_mask, guide, fine=fine)
    if patch is None:
        return None
    result = picture.astype(np.float32)
    result[patch.box.slices] = patch.content
    return result
