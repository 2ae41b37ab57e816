"""TODO docstring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..geometry import border_contact
from ..types import Box, Hole, Mask, Route

if TYPE_CHECKING:
    pass


#: Known pixels that must surround a probe, and how finely places are tried, as shares of the photo's shorter side.
PROBE_MARGIN, PROBE_STEP = 0.01, 0.02


def probe_hole(hole: Hole, hole_mask: Mask, route: Route) -> Hole | None:
    """The same hole at a place of the photo where every pixel (and a margin) is known: the nearest such place.

    An edge hole stays at its border: it moves along it, or to the opposite one mirrored. None where there is no place.
    """
    height, width = hole_mask.shape
    margin = max(4, round(PROBE_MARGIN * min(height, width)))
    step = max(1, round(PROBE_STEP * min(height, width)))
    b = hole.box
    # A summed table of hole_mask pixels makes every place one look-up.
    table = cv2.integral(hole_mask.astype(np.uint8), sdepth=cv2.CV_32S)
    if route is Route.EDGE:
        found = _edge_places(hole, height, width, step)
    else:
        xs, ys = range(0, width - b.w + 1, step), range(0, height - b.h + 1, step)
        found = [(x, y, False, False) for y in ys for x in xs]
    found.sort(key=lambda p: ((p[2] or p[3]), (p[0] - b.x) ** 2 + (p[1] - b.y) ** 2))
    for x, y, mirror_x, mirror_y in found:
        x0, y0, x1, y1 = (
            max(0, x - margin),
            max(0, y - margin),
            min(width, x + b.w + margin),
            min(height, y + b.h + margin),
        )
        if table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0] == 0:
            mask = hole.mask[:, ::-1] if mirror_x else hole.mask
            return Hole(
                Box(x, y, b.w, b.h),
                np.ascontiguousarray(mask[::-1] if mirror_y else mask),
                hole.share,
            )
    return None


def _edge_places(
    hole: Hole, height: int, width: int, step: int
) -> list[tuple[int, int, bool, bool]]:
    """(x, y, mirrored across, mirrored down) of every place along the hole's own border and the opposite one."""
    b = hole.box
    _, side = border_contact(hole, height, width)
    if side in ("left", "right"):
        far = width - b.w if side == "left" else 0
        return [
            place
            for y in range(0, height - b.h + 1, step)
            for place in ((b.x, y, False, False), (far, y, True, False))
        ]
    far = height - b.h if side == "top" else 0
    return [
        place
        for x in range(0, width - b.w + 1, step)
        for place in ((x, b.y, False, False), (x, far, False, True))
    ]
