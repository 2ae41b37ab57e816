"""Partial convolution and its mask update.

Kulkarni et al., sections 2.2 (equation 1) and 2.3 (equation 2); Liu et al. 2018.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def known_count(mask: Tensor, kernel_size: int) -> Tensor:
    """Count the known pixels under a centred ``kernel_size`` window at every position.

    Args:
        mask: N1HW, 1 = known, 0 = hole.
        kernel_size: odd width of the square window. Pixels outside the picture count as unknown.

    Returns:
        N1HW float32 of exact whole numbers in [0, kernel_size**2].
    """
    # Two one-dimensional means, 2 k reads per pixel instead of k * k; their errors are far below
    # half a pixel. ``divisor_override`` would give the sums, but ONNX's AveragePool has no such
    # thing.
    pad = kernel_size // 2
    rows = F.avg_pool2d(mask.float(), (kernel_size, 1), 1, (pad, 0), count_include_pad=True)
    share = F.avg_pool2d(rows, (1, kernel_size), 1, (0, pad), count_include_pad=True)
    return torch.round(share * kernel_size**2)


class PartialConv2d(nn.Module):
    """A convolution over the known pixels only.

    Equation 1: ``x' = W(X * M) * sum(1)/sum(M) + b`` where any pixel under the kernel is known,
    else 0. Equation 2: the mask becomes 1 there and stays 0 elsewhere.

    The inputs are one or more *groups* of channels, each with its own one-channel mask: after the
    concatenation of a skip connection, the decoder's features and the encoder's have different
    masks. ``sum(M)`` is then the sum over groups of channels x known count, which is exactly the
    result of a mask with one channel per feature, at a fraction of the cost.

    Args:
        groups: channels of each group, in the order of the inputs.
        out_channels: channels of the output.
        kernel_size: odd; padding is ``kernel_size // 2``, so the size stays. No stride, no dilation
            (section 2.5).

    Raises:
        ValueError: ``kernel_size`` is even.
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
            features: one N(C_g)HW tensor per group. Values where the mask is 0 are never read.
            masks: one N1HW tensor per group, 1 = known, 0 = hole.
            gated: the features are already 0 where their masks are, like this layer's outputs, so
                the product ``X * M`` is skipped.

        Returns:
            (features N(out)HW, mask N1HW).

        Raises:
            ValueError: the features do not match ``groups``, or a mask is missing.
        """
        if tuple(f.shape[1] for f in features) != self.groups or len(masks) != len(features):
            channels = [f.shape[1] for f in features]
            raise ValueError(
                f"expected groups of {self.groups} channels with a mask each, "
                f"got {channels} and {len(masks)} masks"
            )
        x = torch.cat(
            features if gated else [f * m for f, m in zip(features, masks, strict=True)], dim=1
        )
        counts = [
            known_count(m, self.kernel_size) * c for m, c in zip(masks, self.groups, strict=True)
        ]
        count = counts[0] if len(counts) == 1 else torch.stack(counts).sum(0)
        full = float(sum(self.groups) * self.kernel_size**2)
        # Autocast applies to the convolution only. The operations below keep its dtype: otherwise
        # all features would be fp32, at twice the memory.
        out = F.conv2d(x, self.conv.weight, None, padding=self.kernel_size // 2)
        known = (count > 0).to(out.dtype)
        # sum(1)/sum(M), and 0 where sum(M) is 0. The bias passes the same gate, so unknown pixels
        # stay exactly 0.
        ratio = (full / count.clamp(min=1)).to(out.dtype) * known
        assert self.conv.bias is not None
        return torch.addcmul(
            out * ratio, self.conv.bias.to(out.dtype).view(1, -1, 1, 1), known
        ), known
