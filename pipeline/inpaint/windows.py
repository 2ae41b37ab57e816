"""Crops for the inpainting networks: the edge window, masking, resizing over known pixels."""

from __future__ import annotations

import cv2
import numpy as np

from ..geometry import border_contact
from ..pixels import as_float, resize, scaled_size
from ..types import Box, FloatArray, Hole, Mask, Pixels
from .texture.full_size import Picture

#: The compression network's frame: blocks along the longer side (256 pixels), and the share of the
#: frame that the hole takes across the border.
EDGE_BLOCKS, EDGE_SHARE = 32, 0.3


def edge_window(hole: Hole, height: int, width: int) -> Box:
    """The edge route's window in a photo of ``height`` x ``width`` pixels.

    The hole takes about ``EDGE_SHARE`` of it across the border, and lies in its middle along the
    border.
    """
    box = hole.box
    contact, side = border_contact(hole, height, width)
    reach = {"left": box.right, "top": box.bottom, "right": width - box.x, "bottom": height - box.y}
    if not contact:  # the user forced this route: use the nearest border
        side = min(reach, key=lambda k: reach[k])
    horizontal = side in ("left", "right")
    depth, extent = reach[side], box.h if horizontal else box.w
    limit_across, limit_along = (width, height) if horizontal else (height, width)
    wanted_across = min(limit_across, max(64, round(depth / EDGE_SHARE)))
    wanted_along = min(limit_along, max(64, round(1.3 * extent), wanted_across))
    middle = (box.y if horizontal else box.x) - (wanted_along - extent) // 2
    along_start = max(0, min(middle, limit_along - wanted_along))
    across_start = {
        "left": 0,
        "top": 0,
        "right": width - wanted_across,
        "bottom": height - wanted_across,
    }[side]
    if horizontal:
        return Box(across_start, along_start, wanted_across, wanted_along)
    return Box(along_start, across_start, wanted_along, wanted_across)


def masked_window(rgb: Pixels, hole_mask: Mask, window: Box) -> tuple[Pixels, Mask]:
    """Crop a window and blank its unknown pixels.

    Returns:
        (hw3 with zeros where unknown, hw bool known mask). The crop keeps the photo's own samples,
        because a large window would take four times the memory as floats.
    """
    known_mask = ~hole_mask[window.slices]
    picture = rgb[window.slices].copy()
    picture[~known_mask] = 0
    return picture, known_mask


def resize_known(
    picture: Picture, known_mask: Mask, height: int, width: int
) -> tuple[FloatArray, Mask]:
    """Resize over the known pixels only, so that a hole's black does not bleed into its border.

    Args:
        picture: HW3, floats in [0, 1] or the photo's samples; 0 where unknown.
        known_mask: HW bool.
        height: of the result.
        width: of the result.

    Returns:
        (hw3 float32 in [0, 1], hw bool: a pixel is known if half of its area is).
    """
    shrinking = height <= known_mask.shape[0]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    weight = resize(known_mask.astype(np.float32), (height, width), how)
    small = as_float(resize(picture, (height, width), how))
    small = small / np.maximum(weight, 1e-4)[..., None]
    small_known = weight >= 0.5
    small[~small_known] = 0
    return np.minimum(small, 1, dtype=np.float32), small_known


def shrink_known(picture: Picture, known_mask: Mask, scale: float) -> tuple[FloatArray, Mask]:
    """``resize_known`` by a factor; unchanged if the factor is 1 or more."""
    if scale >= 1:
        return as_float(picture), known_mask
    return resize_known(picture, known_mask, *scaled_size(known_mask.shape, scale))


def enlarge(prediction: FloatArray, window: Box) -> FloatArray:
    """A network's prediction, hw3 in [0, 1], at the window's own size."""
    if prediction.shape[:2] == (window.h, window.w):
        return prediction
    return np.clip(resize(prediction, (window.h, window.w), cv2.INTER_CUBIC), 0, 1)


def pad(picture: Picture, known_mask: Mask, height: int, width: int) -> tuple[Picture, Mask]:
    """Append unknown rows and columns up to ``height`` x ``width``."""
    h, w = known_mask.shape
    if (h, w) == (height, width):
        return picture, known_mask
    border = (0, height - h), (0, width - w)
    return np.pad(picture, (*border, (0, 0))), np.pad(known_mask, border)
