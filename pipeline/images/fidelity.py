"""The difference of two pictures outside the hole."""

from __future__ import annotations

from math import log10

import numpy as np

from ..types import Mask, Pixels

_STRIP_ROWS = 256


def difference(before: Pixels, after: Pixels, hole: Mask) -> tuple[int, float | None]:
    """Compare two pictures outside the hole.

    The rows are compared in strips: at 50 megapixels the differences alone would take a gigabyte.

    Args:
        before: HWC.
        after: HWC of the same dtype, whose largest value is the PSNR's peak.
        hole: HW bool.

    Returns:
        The number of pixels in which any channel changed, and the PSNR in dB over all pixels
        outside, None if no pixel changed.
    """
    changed, squares, channels = 0, 0, 0
    for top in range(0, len(before), _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        outside = ~hole[rows]
        channels += int(outside.sum()) * before.shape[2]
        if np.array_equal(before[rows], after[rows]):
            continue
        differs = before[rows] != after[rows]
        here = outside & np.logical_or.reduce([differs[..., c] for c in range(before.shape[2])])
        # Most pixels are the same, and only the others are subtracted.
        gap = before[rows][here].astype(np.int64) - after[rows][here]
        changed += len(gap)
        squares += int((gap * gap).sum())
    if not changed:
        return 0, None
    return changed, 10 * log10(float(np.iinfo(before.dtype).max) ** 2 * channels / squares)
