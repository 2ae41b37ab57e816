"""Similar texture selection as Wu & Cui describe it (section 3.2, equations 1-3), to the letter.

A window of ``s * gh`` x ``s * gw`` pixels is a grid of s x s blocks; the network's coarse
prediction has one pixel per block. Only blocks that are wholly known are candidates, in tests as in
use: the paper matches against the true picture, which no program has. The product uses
``pipeline.inpaint.texture`` instead, to which ``texture_fill`` is an interface for whole windows.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...pipeline.inpaint.texture.full_size import Picture
from ...pipeline.inpaint.texture.offsets import Offsets
from ...pipeline.inpaint.texture.patch import texture_patch
from ...pipeline.pixels import as_own_float, resize
from ...pipeline.types import FloatArray, Mask

#: Equation 3's threshold: mean absolute RGB difference in [0, 1] below which the stretched
#: picture's pixel is taken.
FINETUNE_THRESHOLD = 0.04
#: Least share of the frame that the strip for ``stretch`` must cover.
LEAST_STRIP = 0.1


def block_means(picture: FloatArray, size: int) -> FloatArray:
    """LRGT of equation 1: (gh s)(gw s)3 -> gh gw 3, the mean colour of every block."""
    h, w = picture.shape[0] // size, picture.shape[1] // size
    return picture.reshape(h, size, w, size, 3).mean((1, 3), dtype=np.float32)


def known_blocks(known_mask: Mask, size: int) -> Mask:
    """(gh s)(gw s) -> gh gw bool: whether every pixel of the block is known."""
    h, w = known_mask.shape[0] // size, known_mask.shape[1] // size
    return np.asarray(known_mask.reshape(h, size, w, size).all(axis=(1, 3)))


def select(coarse: FloatArray, low: FloatArray, candidates: Mask, wanted: Mask) -> Offsets:
    """Equation 1: for every wanted block, the candidate with the nearest low-resolution colour.

    Args:
        coarse: gh gw 3, the network's prediction.
        low: gh gw 3, the photo at low resolution; read only at candidates.
        candidates: gh gw bool, blocks that may be copied.
        wanted: gh gw bool, blocks to fill.

    Returns:
        gh gw 2, (row, column) of the candidate nearest in L1 over RGB; of two equally near ones the
        first in reading order. -1 outside ``wanted``.

    Raises:
        ValueError: there is no candidate.
    """
    places = np.argwhere(candidates)
    if not len(places):
        raise ValueError("no block of the window is wholly known; the caller fills without texture")
    chosen = np.full((*wanted.shape, 2), -1, np.int64)
    cost = np.abs(coarse[wanted][:, None] - low[candidates][None]).sum(2)
    chosen[wanted] = places[cost.argmin(1)]
    return chosen


def copy_blocks(picture: FloatArray, chosen: Offsets, size: int) -> FloatArray:
    """Equation 2: replace every wanted block (``chosen`` >= 0) by the chosen one."""
    result = picture.copy()
    for y, x in np.argwhere(chosen[..., 0] >= 0):
        i, j = chosen[y, x]
        result[y * size : (y + 1) * size, x * size : (x + 1) * size] = picture[
            i * size : (i + 1) * size, j * size : (j + 1) * size
        ]
    return result


def stretch(picture: FloatArray, known_mask: Mask) -> FloatArray | None:
    """The largest strip along one side of the frame without a hole, stretched over the whole frame.

    Args:
        picture: HW3.
        known_mask: HW bool.

    Returns:
        HW3, or None if no such strip covers ``LEAST_STRIP`` of the frame.
    """
    h, w = known_mask.shape
    hole_rows, hole_columns = np.flatnonzero(~known_mask.all(1)), np.flatnonzero(~known_mask.all(0))
    if not len(hole_rows):
        return picture.copy()
    strips = [
        (slice(0, hole_rows[0]), slice(0, w)),
        (slice(hole_rows[-1] + 1, h), slice(0, w)),
        (slice(0, h), slice(0, hole_columns[0])),
        (slice(0, h), slice(hole_columns[-1] + 1, w)),
    ]
    rows, columns = max(strips, key=lambda s: (s[0].stop - s[0].start) * (s[1].stop - s[1].start))
    strip = picture[rows, columns]
    if strip.size < LEAST_STRIP * picture.size:
        return None
    return resize(strip, (h, w), cv2.INTER_LINEAR)


def finetune(
    output: FloatArray, stretched: FloatArray, threshold: float = FINETUNE_THRESHOLD
) -> FloatArray:
    """Equation 3: take the stretched picture's pixel where it is close to the output's.

    Args:
        output: HW3, the result of equation 2.
        stretched: HW3, from ``stretch``.
        threshold: mean absolute difference over RGB below which a pixel is close.
    """
    near = np.abs(output - stretched).mean(2, keepdims=True) < threshold
    return np.where(near, stretched, output)


def texture_fill(
    picture: Picture, known_mask: Mask, guide: FloatArray, *, seed: int = 0, fine: bool = True
) -> FloatArray | None:
    """The product's ``texture_patch``, inserted into its window; arguments as there.

    Returns:
        HW3 float32 in [0, 1] nominally, or None if too little is known to copy from.
    """
    patch = texture_patch(picture, known_mask, guide, seed=seed, fine=fine)
    if patch is None:
        return None
    result = as_own_float(picture)
    result[patch.box.slices] = patch.content
    return result
