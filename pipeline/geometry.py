"""Windows around holes that several stages must agree on, and how a hole lies in its photo."""

from __future__ import annotations

import numpy as np

from .types import Box, Hole, Mask

#: How far ``near_box`` reaches beyond every box, in pixels.
LEAST_NEAR = 8

#: A hole is filled from what lies around it: this multiple of its longer side on each side, and a
#: window of at least so many pixels.
SURROUNDINGS, LEAST_SURROUNDINGS = 0.5, 128


def near_box(box: Box, height: int, width: int) -> Box:
    """The region around a hole in which a second hole would spoil the first one's window.

    It reaches 12 % of the box's longer side beyond the box, at least ``LEAST_NEAR`` pixels.
    """
    return box.grown(max(LEAST_NEAR, round(0.12 * max(box.w, box.h))), (height, width))


def context_window(box: Box, height: int, width: int, *, context: float, least: int) -> Box:
    """The window around a hole from which an inpainter fills it.

    At the photo's border the window reaches further on the opposite side, so that it keeps its
    size as far as the photo allows.

    Args:
        box: the hole's.
        height: the photo's, in pixels.
        width: the photo's, in pixels.
        context: margin on each side, as a multiple of the hole's longer side.
        least: minimum width and height of the window in pixels.
    """
    x, w = _span(box.x, box.w, width, max(least, round(box.w + 2 * context * max(box.w, box.h))))
    y, h = _span(box.y, box.h, height, max(least, round(box.h + 2 * context * max(box.w, box.h))))
    return Box(x, y, w, h)


def surroundings(box: Box, height: int, width: int) -> Box:
    """The part of a photo from which a hole is filled, the hole included."""
    return context_window(box, height, width, context=SURROUNDINGS, least=LEAST_SURROUNDINGS)


def _span(start: int, length: int, limit: int, wanted: int) -> tuple[int, int]:
    """(start, length) on an axis: ``wanted`` pixels centred on the hole, moved into the photo."""
    wanted = min(limit, max(length, wanted))
    begin = start - (wanted - length) // 2
    return max(0, min(begin, limit - wanted)), wanted


def hole_within(hole: Hole, window: Box) -> Mask:
    """The hole's mask on the frame of a window that contains the hole's box; hw bool."""
    inner = np.zeros((window.h, window.w), bool)
    inner[hole.box.relative_to(window).slices] = hole.mask
    return inner


def border_contact(hole: Hole, height: int, width: int) -> tuple[int, str]:
    """The border of the photo that the hole touches most.

    Returns:
        (number of the hole's pixels on that border, ``top``, ``bottom``, ``left`` or ``right``);
        0 pixels if it touches none.
    """
    box = hole.box
    contacts = {
        "top": int(hole.mask[0].sum()) if box.y == 0 else 0,
        "bottom": int(hole.mask[-1].sum()) if box.bottom == height else 0,
        "left": int(hole.mask[:, 0].sum()) if box.x == 0 else 0,
        "right": int(hole.mask[:, -1].sum()) if box.right == width else 0,
    }
    side = max(contacts, key=lambda k: contacts[k])
    return contacts[side], side
