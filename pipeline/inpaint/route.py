"""Which hole goes to which network: the rule, its thresholds and its reasons.

The first condition that holds decides:

| condition | route | reason |
| --- | --- | --- |
| the hole lies on a face that stays | face | 1 |
| the hole touches the photo's border along more than a sliver | edge | 2 |
| else | free-form | 3 |

1. Only a network trained on faces can predict it, at the photo's border too, where the others lay
   rows of mouths below a mouth. ``ON_FACE`` of the hole must lie inside the face's region, and
   ``FACE_STAYS`` of the face outside every hole; a hole at the border must cut the face's box as
   well, because beside a face the border is known no better than elsewhere. If most of a face lies
   inside holes, the hole is not routed to the face network, whatever the detector's score:
   otherwise a removed person's face would be painted back.
2. Nothing is known on the far side, where a low-resolution prediction and the photo's own texture
   do best. The contact must be at least ``EDGE_CONTACT`` of the hole's own extent along the border
   and ``EDGE_PIXELS`` of the photo's shorter side.
3. The hole's surroundings are known on every side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import border_contact
from ..types import Box, Face, Hole, Mask, Route, Routing

#: Share of the hole's own extent along a border that must lie on it.
EDGE_CONTACT = 0.30
#: Length of the contact as a share of the photo's shorter side.
EDGE_PIXELS = 0.03
#: Share of the hole that must lie inside the face's region.
ON_FACE = 0.80
#: Share of the face's box that must be outside every hole.
FACE_STAYS = 0.50
#: The face's region, as a multiple of its box: hair, ears and chin belong to it.
FACE_REGION = 1.6


def choose_route(
    hole: Hole, hole_mask: Mask, faces: Sequence[Face], forced: str = "auto"
) -> Routing:
    """Choose the inpainter for one hole.

    Args:
        hole: the hole to fill.
        hole_mask: HW bool, all holes of the photo.
        faces: the detector's faces in the photo.
        forced: ``auto``, or the route that the user wants.

    Returns:
        The route and its reason in words.
    """
    if forced != "auto":
        return _forced(Route(forced), hole, faces)
    at_border = _at_border(hole, *hole_mask.shape)
    face = next((f for f in faces if _share_in(hole, face_region(f)) >= ON_FACE), None)
    outside = 0.0 if face is None else 1.0 - float(hole_mask[face.box.slices].mean())
    if (
        face is not None
        and outside > FACE_STAYS
        and (not at_border or _share_in(hole, face.box) > 0)
    ):
        return Routing(
            Route.FACE, f"lies on a face that stays ({outside:.0%} of it is outside the hole)"
        )
    if at_border:
        return Routing(Route.EDGE, at_border)
    if face is not None:
        return Routing(
            Route.FREE_FORM,
            f"the face here is removed itself ({1 - outside:.0%} of it lies in the hole)",
        )
    return Routing(Route.FREE_FORM, "known on every side, on no face")


def least_face(holes: Sequence[Hole]) -> float:
    """The side in pixels of the smallest face on which one of the holes may lie.

    A tall or wide hole needs a face whose region is as long as ``ON_FACE`` of the hole is.
    """
    return min(_least_square(hole.mask) for hole in holes) / FACE_REGION


def _least_square(mask: Mask) -> float:
    """No smaller square contains ``ON_FACE`` of a mask's pixels."""
    needed = ON_FACE * float(mask.sum())
    return max(needed**0.5, *(_least_stretch(mask.sum(axis), needed) for axis in (0, 1)))


def _least_stretch(counts: NDArray[np.integer[Any]], needed: float) -> int:
    """How many neighbours of a row of counts have a sum of ``needed`` at least."""
    sums = np.concatenate([[0], np.cumsum(counts)])
    ends = np.searchsorted(sums, sums + needed)
    lengths = (ends - np.arange(len(sums)))[ends < len(sums)]
    return int(lengths.min(initial=len(counts)))


def face_region(face: Face) -> Box:
    """The square whose holes count as lying on the face; it may reach over the photo's border."""
    box = face.box
    side = round(FACE_REGION * max(box.w, box.h))
    # The detector's box spans brow to chin; the head's centre lies a little higher.
    return Box(box.x + box.w // 2 - side // 2, box.y + box.h // 2 - round(0.53 * side), side, side)


def face_of(hole: Hole, faces: Sequence[Face]) -> Face | None:
    """The face whose region contains the largest share of the hole; None if none contains any."""
    best = max(faces, key=lambda f: _share_in(hole, face_region(f)), default=None)
    return best if best is not None and _share_in(hole, face_region(best)) > 0 else None


def _forced(wanted: Route, hole: Hole, faces: Sequence[Face]) -> Routing:
    """The route that the user wants; its reason warns about a face route without a face."""
    if wanted is Route.FACE and face_of(hole, faces) is None:
        return Routing(
            Route.FACE, "requested; no face was detected here, so the window is centred on the hole"
        )
    return Routing(wanted, "requested")


def _at_border(hole: Hole, height: int, width: int) -> str:
    """How the hole touches the photo's border, in words; empty if it does not, or as a sliver."""
    contact, side = border_contact(hole, height, width)
    extent = hole.box.w if side in ("top", "bottom") else hole.box.h
    if contact < max(EDGE_PIXELS * min(height, width), EDGE_CONTACT * extent):
        return ""
    return f"touches the {side} border along {contact} pixels"


def _share_in(hole: Hole, region: Box) -> float:
    """Share of the hole's pixels inside a region."""
    overlap = region.intersection(hole.box)
    if not overlap.area:
        return 0.0
    inside = hole.mask[overlap.relative_to(hole.box).slices]
    return float(inside.sum() / max(1, hole.mask.sum()))
