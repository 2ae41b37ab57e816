"""Contextual attention: every location becomes a mixture of known patches from elsewhere.

Yu et al. 2018, section 4; Yu et al. 2019, section 3.3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Sharpness of the softmax over the known patches.
SCALE = 10.0
#: Patches are compared at half the resolution and pasted at full resolution.
RATE = 2
MATCHED, PASTED = 3, 2 * RATE


def contextual_attention(x: Tensor, hole: Tensor) -> Tensor:
    """Rebuild features from patches of the same picture that lie wholly in its known part.

    3x3 patches at half the resolution are compared (the known patch is normalised to unit length),
    the scores of neighbouring matches are added (the papers' fusion) and pass a softmax; the result
    is the weighted mean of the 4x4 patches that belong to the matches. As in the authors' code, a
    patch that touches a hole has score 0 before the softmax and weight 0 after it: without any
    known patch the result is 0.

    Args:
        x: NCHW, H and W even.
        hole: N1(H/2)(W/2), 0 = known.

    Returns:
        NCHW.
    """
    height, width = hole.shape[-2:]
    patches = F.unfold(F.interpolate(x, scale_factor=1 / RATE, mode="nearest"), MATCHED, padding=1)
    keys = patches / patches.norm(dim=1, keepdim=True).clamp(min=1e-4)
    scores = _fused(patches.transpose(1, 2) @ keys, height, width)
    usable = (F.max_pool2d(hole, MATCHED, 1, 1) == 0).flatten(2).to(scores.dtype)
    weights = torch.softmax(SCALE * scores * usable, dim=-1) * usable
    pasted = F.unfold(x, PASTED, padding=1, stride=RATE) @ weights.transpose(1, 2).to(x.dtype)
    # Every location lies in four of the pasted patches.
    return F.fold(pasted, (height * RATE, width * RATE), PASTED, padding=1, stride=RATE) / 4


def _fused(scores: Tensor, height: int, width: int) -> Tensor:
    """Add the scores of the left and right neighbours' matches, then of those above and below.

    Args:
        scores: N(HW)(HW), location by patch.
        height: H.
        width: W.

    Returns:
        N(HW)(HW).
    """
    n, locations, _ = scores.shape
    by_column = (
        _along_the_diagonal(scores).reshape(n, height, width, height, width).permute(0, 2, 1, 4, 3)
    )
    fused = _along_the_diagonal(by_column.reshape(n, locations, locations)).reshape(
        n, width, height, width, height
    )
    return fused.permute(0, 2, 1, 4, 3).reshape(n, locations, locations)


def _along_the_diagonal(s: Tensor) -> Tensor:
    return s + F.pad(s, (1, 0, 1, 0))[:, :-1, :-1] + F.pad(s, (0, 1, 0, 1))[:, 1:, 1:]
