"""Windows around holes: what an inpainter sees, and at which scale. Shared by the stages that must agree on it."""

from __future__ import annotations

import numpy as np

from .types import Box, Hole, Mask


def near_box(box: Box, height: int, width: int) -> Box:
    """The box enlarged by the reach within which another hole would spoil the window: 12 % of its longer side, at least 8 pixels."""
    return grow(box, max(8, round(0.12 * max(box.w, box.h))), height, width)


def grow(box: Box, margin: int, height: int, width: int) -> Box:
    """``box`` enlarged by ``margin`` on every side and cut to the photo."""
    x0, y0 = max(0, box.x - margin), max(0, box.y - margin)
    x1, y1 = min(width, box.x + box.w + margin), min(height, box.y + box.h + margin)
    return Box(x0, y0, x1 - x0, y1 - y0)


def context_window(box: Box, height: int, width: int, *, context: float, least: int) -> Box:
    """The window around a hole: on each side ``context`` times the hole's own extent, and at least ``least`` pixels in all.

    Where the photo ends on one side, the window reaches further on the other, so that it keeps its size as far as the photo allows.
    """
    x, w = _span(box.x, box.w, width, max(least, round(box.w + 2 * context * max(box.w, box.h))))
    y, h = _span(box.y, box.h, height, max(least, round(box.h + 2 * context * max(box.w, box.h))))
    return Box(x, y, w, h)


def _span(start: int, length: int, limit: int, wanted: int) -> tuple[int, int]:
    wanted = min(limit, max(length, wanted))
    begin = start - (wanted - length) // 2
    return max(0, min(begin, limit - wanted)), wanted


def hole_within(hole: Hole, part: Box) -> Mask:
    """The hole on the part's own frame, part.h x part.w bool. The part holds the hole's box."""
    inner = np.zeros((part.h, part.w), bool)
    top, left = hole.box.y - part.y, hole.box.x - part.x
    inner[top : top + hole.box.h, left : left + hole.box.w] = hole.mask
    return inner


def intersects(a: Box, b: Box) -> bool:
    """Whether two boxes share a pixel."""
    return a.x < b.x + b.w and b.x < a.x + a.w and a.y < b.y + b.h and b.y < a.y + a.h


def union(a: Box, b: Box) -> Box:
    """The smallest box that holds both."""
    x, y = min(a.x, b.x), min(a.y, b.y)
    return Box(x, y, max(a.x + a.w, b.x + b.w) - x, max(a.y + a.h, b.y + b.h) - y)


def border_contact(hole: Hole, height: int, width: int) -> tuple[int, str]:
    """Pixels of the hole on the border it touches most, and which border that is."""
    b = hole.box
    contacts = {
        "top": int(hole.mask[0].sum()) if b.y == 0 else 0,
        "bottom": int(hole.mask[-1].sum()) if b.y + b.h == height else 0,
        "left": int(hole.mask[:, 0].sum()) if b.x == 0 else 0,
        "right": int(hole.mask[:, -1].sum()) if b.x + b.w == width else 0,
    }
    side = max(contacts, key=lambda k: contacts[k])
    return contacts[side], side
