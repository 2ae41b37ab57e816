"""Partial convolution and its mask update (Kulkarni et al., section 2.2 eq. 1 and 2.3 eq. 2; Liu et al. 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def known_count(mask: Tensor, kernel_size: int) -> Tensor:
    """Known pixels under a centred ``kernel_size`` window at every position.

    Args:
        mask: N1HW, 1 = known, 0 = hole.
        kernel_size: odd width of the square window. Pixels outside the picture count as unknown.

    Returns:
        N1HW float32 of exact whole numbers in [0, kernel_size**2].
    """
    # Two one-dimensional sums of whole numbers: exact in float32, and k + k reads per pixel where the window holds k * k.
    pad = kernel_size // 2
    rows = F.avg_pool2d(
        mask.float(), (kernel_size, 1), 1, (pad, 0), count_include_pad=True, divisor_override=1
    )
    return F.avg_pool2d(
        rows, (1, kernel_size), 1, (0, pad), count_include_pad=True, divisor_override=1
    )


class PartialConv2d(nn.Module):
    """A convolution over the known pixels only.

    Equation 1: ``x' = W(X * M) * sum(1)/sum(M) + b`` where any pixel under the kernel is known, else 0.
    Equation 2: the mask becomes 1 there, and stays 0 elsewhere.

    The inputs are one or more *groups* of channels, each with a one-channel mask of its own: after a skip's concatenation the
    decoder's features and the encoder's have different masks. ``sum(M)`` is then the sum over groups of
    channels x known count, exactly what a mask with one channel per feature would give, at a fraction of its cost.

    Args:
        groups: channels of each group, in the order in which they will be given.
        out_channels: channels of the output.
        kernel_size: odd; padding is ``kernel_size // 2``, so sizes stay. No stride, no dilation (section 2.5).
    """

    def __init__(self, groups: tuple[int, ...], out_channels: int, kernel_size: int) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        self.groups = groups
        self.kernel_size = kernel_size
        self.conv = nn.Conv2d(sum(groups), out_channels, kernel_size, padding=kernel_size // 2)
        nn.init.kaiming_normal_(self.conv.weight, a=0.2)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(
        self, features: list[Tensor], masks: list[Tensor], *, gated: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Convolve.

        Args:
            features: one N(C_g)HW tensor a group. Values under a mask's 0 are never read.
            masks: one N1HW tensor a group, 1 = known, 0 = hole.
            gated: the features are 0 under their masks' 0 already, as this layer's own outputs are: ``X * M`` is left out.

        Returns:
            (features N(out)HW, mask N1HW).
        """
        if tuple(f.shape[1] for f in features) != self.groups or len(masks) != len(features):
            found = [f.shape[1] for f in features]
            raise ValueError(
                f"expected groups of {self.groups} channels with a mask each, got {found} and {len(masks)} masks"
            )
        x = torch.cat(
            features if gated else [f * m for f, m in zip(features, masks, strict=True)], dim=1
        )
        counts = [
            known_count(m, self.kernel_size) * c for m, c in zip(masks, self.groups, strict=True)
        ]
        count = counts[0] if len(counts) == 1 else torch.stack(counts).sum(0)
        full = float(sum(self.groups) * self.kernel_size**2)
        # The product alone meets an autocast: what follows keeps its type, or all features would be fp32, at twice the memory.
        out = F.conv2d(x, self.conv.weight, None, padding=self.kernel_size // 2)
        known = (count > 0).to(out.dtype)
        # sum(1)/sum(M), and 0 where sum(M) is 0; the bias goes through the same gate, so unknown stays exactly 0.
        ratio = (full / count.clamp(min=1)).to(out.dtype) * known
        assert self.conv.bias is not None
        return torch.addcmul(
            out * ratio, self.conv.bias.to(out.dtype).view(1, -1, 1, 1), known
        ), known
