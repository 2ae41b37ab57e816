"""TODO docstring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..geometry import border_contact
from ..pixels import as_float
from ..types import Box, FloatArray, Hole, Mask, Pixels
from .texture.full_size import Picture

if TYPE_CHECKING:
    pass


#: The compression network's frame: blocks along the longer side (256 pixels), and the share of the frame that the hole takes.
EDGE_BLOCKS, EDGE_SHARE = 32, 0.3


def edge_window(hole: Hole, height: int, width: int) -> Box:
    """The edge route's window: the hole is about ``EDGE_SHARE`` of it across the border, and lies in its middle along it."""
    b = hole.box
    contact, side = border_contact(hole, height, width)
    reach = {"left": b.x + b.w, "top": b.y + b.h, "right": width - b.x, "bottom": height - b.y}
    if not contact:  # sent here by the user: the nearest border stands for the one it touches
        side = min(reach, key=lambda k: reach[k])
    horizontal = side in ("left", "right")
    depth, extent = reach[side], b.h if horizontal else b.w
    limit_across, limit_along = (width, height) if horizontal else (height, width)
    wanted_across = min(limit_across, max(64, round(depth / EDGE_SHARE)))
    wanted_along = min(limit_along, max(64, round(1.3 * extent), wanted_across))
    along_start = max(
        0,
        min(
            (b.y if horizontal else b.x) - (wanted_along - extent) // 2, limit_along - wanted_along
        ),
    )
    across_start = {
        "left": 0,
        "top": 0,
        "right": width - wanted_across,
        "bottom": height - wanted_across,
    }[side]
    if horizontal:
        return Box(across_start, along_start, wanted_across, wanted_along)
    return Box(along_start, across_start, wanted_along, wanted_across)


def masked_window(rgb: Pixels, unknown: Mask, window: Box) -> tuple[Pixels, Mask]:
    """(hw3 with zeros where unknown, in the photo's own samples: floats of a large photo's window would be large; hw bool known)."""
    known = ~unknown[window.slices]
    picture = rgb[window.slices].copy()
    picture[~known] = 0
    return picture, known


def resize_known(picture: Picture, known: Mask, height: int, width: int) -> tuple[FloatArray, Mask]:
    """Resize by area over the known pixels only: a hole's border takes no black in. A pixel is known where half of its area is.

    Returns:
        (float32 in [0, 1], of floats or of the photo's samples; known).
    """
    shrinking = height <= known.shape[0]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    weight = cv2.resize(known.astype(np.float32), (width, height), interpolation=how)
    small = (
        as_float(cv2.resize(picture, (width, height), interpolation=how))
        / np.maximum(weight, 1e-4)[..., None]
    )
    small_known = weight >= 0.5
    small[~small_known] = 0
    return np.minimum(small, 1, dtype=np.float32), small_known


def shrink_known(picture: Picture, known: Mask, scale: float) -> tuple[FloatArray, Mask]:
    """``resize_known`` by a factor of at most 1."""
    if scale >= 1:
        return as_float(picture), known
    return resize_known(
        picture, known, max(1, round(known.shape[0] * scale)), max(1, round(known.shape[1] * scale))
    )


def enlarge(answer: FloatArray, window: Box) -> FloatArray:
    """The working-size answer at the window's own size."""
    if answer.shape[:2] == (window.h, window.w):
        return answer
    return np.clip(cv2.resize(answer, (window.w, window.h), interpolation=cv2.INTER_CUBIC), 0, 1)  # type: ignore[return-value]


def _pad(picture: Picture, known: Mask, height: int, width: int) -> tuple[Picture, Mask]:
    h, w = known.shape
    if (h, w) == (height, width):
        return picture, known
    return np.pad(picture, ((0, height - h), (0, width - w), (0, 0))), np.pad(
        known, ((0, height - h), (0, width - w))
    )
