"""A hole and what is near it, at one size of the photo.

So the same picture is measured the same way, however many pixels it has.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from ..geometry import hole_within
from ..pixels import as_float, covered_shares, reduction, resize, scaled_size
from ..types import Box, FloatArray, Hole, Mask, Pixels

#: Longer side in pixels to which a photo is reduced before a fill is measured: that of the smallest
#: photos on which the score was fitted. A smaller photo keeps its size.
MEASURED_SIZE = 320


class Nearby(NamedTuple):
    """A reduced part of a photo.

    Attributes:
        picture: hw3 float32 in [0, 1].
        hole: hw bool, the hole: pixels that it covers by more than a half, or, if there are none,
            all that it touches.
        known: hw bool, pixels that are neither in this hole nor mostly in another.
        clear: hw bool, pixels that no hole touches.
    """

    picture: FloatArray
    hole: Mask
    known: Mask
    clear: Mask


def nearby(
    result: Pixels, hole: Hole, hole_mask: Mask, margin: float, share: float = 0.0, least: int = 1
) -> Nearby:
    """Cut out a hole with its surroundings, and reduce it as if with the whole photo.

    Args:
        result: HWC uint8 or uint16, the filled photo.
        hole: the hole.
        hole_mask: HW bool, all holes.
        margin: how far the surroundings extend from the hole's box, in reduced pixels.
        share: and how much further, as a share of the box's sides.
        least: least height and width of the reduced part, in pixels.
    """
    scale, box = reduction(hole_mask.shape, MEASURED_SIZE), hole.box
    mx, my = (ceil(margin / scale + share * side) for side in (box.w, box.h))
    part = Box(box.x - mx, box.y - my, box.w + 2 * mx, box.h + 2 * my).intersection(
        Box.full(hole_mask.shape)
    )
    size = scaled_size((part.h, part.w), scale, least)
    covered = covered_shares(hole_within(hole, part), size)
    inside = covered > 0.5
    if not inside.any():
        inside = covered > 0
    held = covered_shares(hole_mask[part.slices], size)
    return Nearby(
        as_float(resize(result[part.slices], size)),
        inside,
        (held <= 0.5) & ~inside,
        (held == 0) & ~inside,
    )
