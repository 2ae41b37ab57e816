"""TODO docstring."""

from __future__ import annotations

import cv2
import numpy as np

from ...pipeline.inpaint.texture.full_size import Picture
from ...pipeline.inpaint.texture.offsets import Offsets
from ...pipeline.inpaint.texture.patch import texture_patch
from ...pipeline.pixels import as_own_float
from ...pipeline.types import FloatArray, Mask

#: Equation 3's threshold: mean absolute RGB difference in [0, 1] below which the stretched picture's pixel is taken.
FINETUNE_THRESHOLD = 0.04


def block_means(picture: FloatArray, size: int) -> FloatArray:
    """LRGT of equation 1: (gh s)(gw s)3 -> gh gw 3, the mean of every block."""
    h, w = picture.shape[0] // size, picture.shape[1] // size
    return picture.reshape(h, size, w, size, 3).mean((1, 3), dtype=np.float32)


def known_blocks(known: Mask, size: int) -> Mask:
    """(gh s)(gw s) -> gh gw: True where every pixel of the block is known."""
    h, w = known.shape[0] // size, known.shape[1] // size
    blocks: Mask = known.reshape(h, size, w, size).all(axis=(1, 3))  # type: ignore[assignment]
    return blocks


def select(coarse: FloatArray, low: FloatArray, candidates: Mask, wanted: Mask) -> Offsets:
    """Equation 1: for every wanted block the candidate whose low-resolution colour is nearest in L1 over RGB.

    Args:
        coarse: gh gw 3, the network's answer.
        low: gh gw 3, the photo at low resolution; read only at candidates.
        candidates: gh gw, blocks that may be copied.
        wanted: gh gw, blocks to fill.

    Returns:
        gh gw 2, (row, column) of the chosen block; of two equally near ones the first in reading order. -1 where not wanted.

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
    """Equation 2: the picture with every wanted block (``chosen`` >= 0) replaced by the chosen one, pixel for pixel."""
    result = picture.copy()
    for y, x in np.argwhere(chosen[..., 0] >= 0):
        i, j = chosen[y, x]
        result[y * size : (y + 1) * size, x * size : (x + 1) * size] = picture[
            i * size : (i + 1) * size, j * size : (j + 1) * size
        ]
    return result


def stretch(picture: FloatArray, known: Mask) -> FloatArray | None:
    """The known part stretched over the whole frame: the largest strip along one side that holds no hole, enlarged to the frame.

    Returns:
        HW3 like ``picture``, or None where no such strip is a tenth of the frame.
    """
    h, w = known.shape
    hole_rows, hole_columns = np.flatnonzero(~known.all(1)), np.flatnonzero(~known.all(0))
    if not len(hole_rows):
        return picture.copy()
    strips = [
        (slice(0, hole_rows[0]), slice(0, w)),
        (slice(hole_rows[-1] + 1, h), slice(0, w)),
        (slice(0, h), slice(0, hole_columns[0])),
        (slice(0, h), slice(hole_columns[-1] + 1, w)),
    ]
    rows, columns = max(strips, key=lambda s: (s[0].stop - s[0].start) * (s[1].stop - s[1].start))
    part = picture[rows, columns]
    if part.size < 0.1 * picture.size:
        return None
    return cv2.resize(part, (w, h), interpolation=cv2.INTER_LINEAR)


def finetune(
    output: FloatArray, stretched: FloatArray, threshold: float = FINETUNE_THRESHOLD
) -> FloatArray:
    """Equation 3: the stretched picture's pixel where it differs from the output by less than ``threshold`` (mean over RGB)."""
    near = np.abs(output - stretched).mean(2, keepdims=True) < threshold
    return np.where(near, stretched, output)


def texture_fill(
    picture: Picture, known: Mask, guide: FloatArray, *, seed: int = 0, fine: bool = True
) -> FloatArray | None:
    """The hole of a window filled with the photo's own pixels, led by a coarse answer.

    Args:
        picture: HW3 float32 in [0, 1], uint8 or uint16; what lies where not known is never used.
        known: HW bool.
        guide: hw3 in [0, 1], the coarse answer for the same window at any size.
        seed: of the samples that the offsets are found from.
        fine: whether the guide is sharp beside what is known; a few cells enlarged are not.

    Returns:
        HW3 float32 in [0, 1] nominally, or None where too little is known to copy from.
    """
    found = texture_patch(picture, known, guide, seed=seed, fine=fine)
    if found is None:
        return None
    result = as_own_float(picture)
    result[found.box.slices] = found.content
    return result
