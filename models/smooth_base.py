"""The base: a photo's own colours, smooth across its holes.

Deep in a hole, a network that was trained for hours predicts the mean of all photos: grey, on a red
wall as on green grass. With the base subtracted before the first layer and added after the last,
that mean is the photo's own, and the layers predict only the difference from it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def smooth_base(image: Tensor, mask: Tensor, cell: int, *, middle: float) -> Tensor:
    """Interpolate the mean colours of the known pixels in square cells.

    A cell with few known pixels takes the colours of larger cells.

    Args:
        image: NCHW. Values under a hole are never read.
        mask: N1HW, 1 = known.
        cell: side of a cell in pixels.
        middle: the value of a picture without any known pixel.

    Returns:
        NCHW.
    """
    dtype = torch.promote_types(image.dtype, torch.float32)
    sums = torch.where(mask > 0, image, torch.zeros_like(image)).to(dtype)
    levels = [(_means(sums, cell), _means(mask.to(dtype), cell))]
    while max(levels[-1][1].shape[-2:]) > 1:
        levels.append((_means(levels[-1][0], 2), _means(levels[-1][1], 2)))
    base = torch.full_like(levels[-1][0], middle)
    for total, share in reversed(levels):
        base = F.interpolate(base, size=share.shape[-2:], mode="bilinear", align_corners=False)
        trust = (4 * share).clamp(max=1)
        base = trust * total / share.clamp(min=1e-6) + (1 - trust) * base
    return F.interpolate(base, size=image.shape[-2:], mode="bilinear", align_corners=False).to(
        image.dtype
    )


def _means(x: Tensor, cell: int) -> Tensor:
    """Average every cell; cells at the bottom and right borders are cut off there."""
    return F.avg_pool2d(x, cell, ceil_mode=True, count_include_pad=False)
