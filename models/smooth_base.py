"""A photo's own colours, smooth over its holes: what a network need not guess.

Deep in a hole a network that was trained for hours answers with the mean of all photos, grey on a red wall and on green grass alike. With
this base taken away before its first layer and added after its last, that mean is the photo's own, and the layers answer for what differs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def smooth_base(image: Tensor, mask: Tensor, cell: int, *, middle: float) -> Tensor:
    """The mean colours of the known pixels of square cells, blended into each other; a cell with little known takes larger cells' colours.

    Args:
        image: NCHW. Values under a hole are never read.
        mask: N1HW, 1 = known.
        cell: side in pixels.
        middle: the answer where nothing at all is known.

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
    """The mean of every cell; cells at the far borders are cut there."""
    return F.avg_pool2d(x, cell, ceil_mode=True, count_include_pad=False)
