"""What a page is sent to look at: a part of a picture or mask, reduced to the size that is shown, as PNG.

Lossless, so that a difference on the screen is one in the picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import UsageError
from ..pixels import eight_bits
from ..types import Box, Mask, Pixels

#: Longer side of a view in pixels: what a page may ask for at once.
LONGEST = 2048


def view_of(pixels: Pixels | Mask, box: Box, width: int, height: int) -> bytes:
    """PNG of a part, reduced by area to ``width`` x ``height`` (never enlarged: that costs bytes and adds nothing).

    Args:
        pixels: a photo, HWC uint8 or uint16; or a mask, HW bool, which comes out white with its coverage as alpha.
        box: the part, in pixels.
        width: wanted, at most ``LONGEST``.
        height: likewise.

    Raises:
        UsageError: a part outside the picture, or a size that is none.
    """
    rows, columns = pixels.shape[:2]
    if (
        min(box.w, box.h) < 1
        or min(box.x, box.y) < 0
        or box.x + box.w > columns
        or box.y + box.h > rows
    ):
        raise UsageError(
            f"the part {box.as_list()} lies outside the picture of {columns}x{rows} pixels"
        )
    if not (0 < width <= LONGEST and 0 < height <= LONGEST):
        raise UsageError(f"a view has 1 to {LONGEST} pixels a side; got {width}x{height}")
    part = pixels[box.slices]
    size = min(width, box.w), min(height, box.h)
    if part.dtype == np.bool_:
        cover = _reduced(part.astype(np.uint8) * 255, size)
        bgr = np.full((*cover.shape, 4), 255, np.uint8)
        bgr[..., 3] = cover
    else:
        small = _reduced(part, size)
        bgr = cv2.cvtColor(eight_bits(small), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()


def _reduced(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return (
        part
        if part.shape[1::-1] == size
        else cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_AREA)
    )
