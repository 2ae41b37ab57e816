"""Which inpainter a hole goes to: the rule, its thresholds and its reasons, at a glance.

| asked in this order | threshold | route | why |
| --- | --- | --- | --- |
| touches the photo's border along more than a sliver | ``EDGE_CONTACT`` of the hole's own extent there, and at least ``EDGE_PIXELS`` of the photo's shorter side | edge | nothing is known on the far side: the low-resolution answer and the photo's own texture do best |
| lies on a face that stays | ``ON_FACE`` of the hole inside the face's region, ``FACE_STAYS`` of the face outside every hole | face | only a network of faces knows what belongs there |
| else | | free-form | known on every side |

A face of which most is removed is no face here, whatever the detector says: a removed person must not leave a ghost's face on the wall.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence

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


def route(hole: Hole, removed: Mask, faces: Sequence[Face], forced: str = "auto") -> Routing:
    """Decide.

    Args:
        hole: the hole.
        removed: HW bool, all holes of the photo together.
        faces: what the detector found on the photo.
        forced: ``auto``, or the route the user wants.

    Returns:
        The route and its reason in words.
    """
    height, width = removed.shape
    if forced != "auto":
        return _forced(Route(forced), hole, faces)
    contact, side = border_contact(hole, height, width)
    if contact >= EDGE_PIXELS * min(height, width):
        extent = hole.box.w if side in ("top", "bottom") else hole.box.h
        if contact >= EDGE_CONTACT * extent:
            return Routing(Route.EDGE, f"touches the {side} border along {contact} pixels")
    for face in faces:
        if _share_in(hole, face_region(face)) < ON_FACE:
            continue
        outside = 1.0 - float(removed[face.box.slices].mean())
        if outside > FACE_STAYS:
            return Routing(
                Route.FACE, f"lies on a face that stays ({outside:.0%} of it is outside the hole)"
            )
        return Routing(
            Route.FREE_FORM,
            f"the face here is removed itself ({1 - outside:.0%} of it lies in the hole)",
        )
    return Routing(Route.FREE_FORM, "known on every side, on no face")


def face_region(face: Face) -> Box:
    """The square in which a hole counts as on the face; it may reach over the photo's border."""
    side = round(FACE_REGION * max(face.box.w, face.box.h))
    # The detector's box spans brow to chin; a head's middle lies a little higher.
    return Box(
        face.box.x + face.box.w // 2 - side // 2,
        face.box.y + face.box.h // 2 - round(0.53 * side),
        side,
        side,
    )


def face_of(hole: Hole, faces: Sequence[Face]) -> Face | None:
    """The face whose region holds most of the hole, if any holds some."""
    best = max(faces, key=lambda f: _share_in(hole, face_region(f)), default=None)
    return best if best is not None and _share_in(hole, face_region(best)) > 0 else None


def _forced(wanted: Route, hole: Hole, faces: Sequence[Face]) -> Routing:
    if wanted is Route.FACE and face_of(hole, faces) is None:
        return Routing(
            Route.FACE, "asked for; no face is found here, the window is centred on the hole"
        )
    return Routing(wanted, "asked for")


def _share_in(hole: Hole, window: Box) -> float:
    x0, y0 = max(0, window.x - hole.box.x), max(0, window.y - hole.box.y)
    x1, y1 = window.x + window.w - hole.box.x, window.y + window.h - hole.box.y
    if x1 <= x0 or y1 <= y0:
        return 0.0
    return float(hole.mask[y0:y1, x0:x1].sum() / max(1, hole.mask.sum()))
