"""Place a probe: the same hole elsewhere in the photo, where every pixel under it is known.

The inpainter's error there estimates its error in the hole itself.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..geometry import border_contact
from ..types import Box, Hole, Mask, Route

#: Width of the known margin around a probe, and distance of the places that are tried, as shares of
#: the photo's shorter side.
PROBE_MARGIN, PROBE_STEP = 0.01, 0.02

#: (x, y, mirrored left to right, mirrored top to bottom) of a possible place.
_Place = tuple[int, int, bool, bool]


def probe_hole(hole: Hole, hole_mask: Mask, route: Route) -> Hole | None:
    """Move a hole to the nearest place where all its pixels, and a margin, are known.

    An edge hole stays at the photo's border: it moves along the border, or, mirrored, to the
    opposite one.

    Args:
        hole: the hole.
        hole_mask: HW bool, all holes of the photo.
        route: the hole's inpainter.

    Returns:
        The moved hole, or None if there is no such place.
    """
    height, width = hole_mask.shape
    margin = max(4, round(PROBE_MARGIN * min(height, width)))
    step = max(1, round(PROBE_STEP * min(height, width)))
    box = hole.box
    # An integral image of the holes makes testing a place four look-ups.
    table = cv2.integral(hole_mask.astype(np.uint8), sdepth=cv2.CV_32S)
    if route is Route.EDGE:
        places = _edge_places(hole, height, width, step)
    else:
        xs, ys = range(0, width - box.w + 1, step), range(0, height - box.h + 1, step)
        places = [(x, y, False, False) for y in ys for x in xs]
    places.sort(key=lambda p: ((p[2] or p[3]), (p[0] - box.x) ** 2 + (p[1] - box.y) ** 2))
    for x, y, mirror_x, mirror_y in places:
        place = Box(x, y, box.w, box.h)
        near = place.grown(margin, hole_mask.shape)
        holes_near = (
            table[near.bottom, near.right]
            - table[near.y, near.right]
            - table[near.bottom, near.x]
            + table[near.y, near.x]
        )
        if holes_near == 0:
            mask = hole.mask[:, ::-1] if mirror_x else hole.mask
            mask = (mask[::-1] if mirror_y else mask).copy()
            return Hole(place, mask, hole.share)
    return None


def _edge_places(hole: Hole, height: int, width: int, step: int) -> list[_Place]:
    """Every place along the border that the hole touches, and along the opposite one."""
    box = hole.box
    _, side = border_contact(hole, height, width)
    if side in ("left", "right"):
        far = width - box.w if side == "left" else 0
        return [
            place
            for y in range(0, height - box.h + 1, step)
            for place in ((box.x, y, False, False), (far, y, True, False))
        ]
    far = height - box.h if side == "top" else 0
    return [
        place
        for x in range(0, width - box.w + 1, step)
        for place in ((x, box.y, False, False), (x, far, False, True))
    ]
