"""The mask of a result whose run saved none: the pixels that the result changed.

With an empty mask, a small stroke and a fill would bring back everything that the run removed.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels import eight_bits
from ..types import Mask, Pixels

#: Difference of a channel, at 8 bits, above which a pixel changed: what a lossy format changes
#: beside the holes is below.
DIFFERENCE = 12
#: Share of a hole's longer side over which gaps between changed pixels are closed: the texture
#: repeats a pixel of the object now and then.
GAP = 0.08


def changed_pixels(photo: Pixels, result: Pixels, boxes: Iterable[list[int]]) -> Mask:
    """Return the pixels that a result changed, with the gaps within them.

    Args:
        photo: HWC uint8 or uint16, the original.
        result: of the same shape and type.
        boxes: the report's boxes of the holes, ``[x, y, w, h]`` in pixels; nothing outside them
            counts.

    Returns:
        HW bool.
    """
    height, width = photo.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for x, y, w, h in boxes:
        rows = slice(max(0, y), min(height, y + h))
        columns = slice(max(0, x), min(width, x + w))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue  # a damaged report
        before, after = eight_bits(photo[rows, columns]), eight_bits(result[rows, columns])
        changed = (cv2.absdiff(before, after).max(axis=2) > DIFFERENCE).astype(np.uint8)
        mask[rows, columns] |= _without_gaps(changed, round(GAP * max(w, h)))
    return mask > 0


def _without_gaps(changed: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """Close gaps of up to twice the radius, and fill what is enclosed."""
    radius = max(1, radius)
    padded = np.pad(changed, radius)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(padded)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled[radius:-radius, radius:-radius]
