"""The coarse network of DeepFill v2, gated convolutions all through (Yu et al. 2019, section 3.3). A baseline of Table 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .contextual_attention import RATE, contextual_attention

DILATIONS = (2, 4, 8, 16)


@dataclass(frozen=True)
class GatedConvConfig:
    """``width``: filters of the first layer, half of them gates, as the authors count (``cnum``, 48); a multiple of 4.

    ``attention``: a branch of contextual attention beside the bottleneck; the paper has it in its second network only.

    Raises:
        ValueError: a width that is no multiple of 4.
    """

    width: int = 48
    attention: bool = False

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 4:
            raise ValueError(
                f"expected a width in multiples of 4, got {self.width}; take {max(4, -(-self.width // 4) * 4)}"
            )


class Gated(nn.Module):
    """``act(feature(x)) * sigmoid(gate(x))`` (equation 3, section 3.1); no norm. Feature and gate come from one convolution."""

    def __init__(
        self, before: int, after: int, kernel_size: int = 3, stride: int = 1, dilation: int = 1, act: Callable[[Tensor], Tensor] = F.elu
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = nn.Conv2d(
            before, 2 * after, kernel_size, stride, kernel_size // 2 * dilation, dilation
        )
        self.act = act
        # An open gate lets half through and there is no norm: this keeps a small signal's variance. From the authors' start (Glorot) 16
        # layers shrink it by some 10^8, from which only a run of their length recovers.
        nn.init.normal_(self.conv.weight, std=2 / (before * kernel_size**2) ** 0.5)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """N(before)HW -> N(after)(H/stride)(W/stride)."""
        feature, gate = self.conv(x).chunk(2, dim=1)
        return self.act(feature) * torch.sigmoid(gate)


class GatedConvNetwork(nn.Module):
    """Masked picture and mask in, whole picture out: down to a quarter of the size, four dilated layers, and up again (nearest).

    The attention branch starts behind the dilated layers: it compares what they made of the hole, as the paper's second network compares
    the first one's answer.
    """

    #: Sizes must be multiples of this; with attention of twice as much.
    multiple = 4
    config_class = GatedConvConfig

    def __init__(self, config: GatedConvConfig | None = None) -> None:
        super().__init__()
        self.config = config or GatedConvConfig()
        w = self.config.width // 4
        self.encoder = nn.Sequential(
            Gated(5, 2 * w, 5), Gated(2 * w, 4 * w, stride=2), Gated(4 * w, 4 * w),
            Gated(4 * w, 8 * w, stride=2), Gated(8 * w, 8 * w), Gated(8 * w, 8 * w),
        )  # fmt: skip
        self.dilated = nn.Sequential(*(Gated(8 * w, 8 * w, dilation=d) for d in DILATIONS))
        bottleneck = 8 * w
        if self.config.attention:
            self.multiple = 4 * RATE
            # ReLU: no two places are less than unlike.
            self.matched = Gated(8 * w, 8 * w, act=F.relu)
            self.attended = nn.Sequential(Gated(8 * w, 8 * w), Gated(8 * w, 8 * w))
            bottleneck = 16 * w
        self.decoder = nn.Sequential(
            Gated(bottleneck, 8 * w), Gated(8 * w, 8 * w),
            nn.Upsample(scale_factor=2), Gated(8 * w, 4 * w), Gated(4 * w, 4 * w),
            nn.Upsample(scale_factor=2), Gated(4 * w, 2 * w), Gated(2 * w, w),
            nn.Conv2d(w, 3, 3, padding=1),
        )  # fmt: skip

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill.

        Args:
            image: N3HW in [-1, 1], H and W multiples of 4 (with attention of 8). Values under a hole are never read.
            mask: N1HW, 1 = known, 0 = hole.

        Returns:
            N3HW in [-1, 1], the whole picture as the network sees it.

        Raises:
            ValueError: a size that is no such multiple; the message names the next legal one.
        """
        height, width = image.shape[-2:]
        if height % self.multiple or width % self.multiple:
            legal = [-(-s // self.multiple) * self.multiple for s in (height, width)]
            raise ValueError(
                f"expected height and width in multiples of {self.multiple}, got {height}x{width}; pad to {legal[0]}x{legal[1]}"
            )
        hole = 1 - mask.to(image.dtype)
        # The plane of ones is the authors': beside zero padding it says where the picture ends.
        x = self.encoder(
            torch.cat([image.masked_fill(hole > 0, 0), torch.ones_like(hole), hole], dim=1)
        )
        x = self.dilated(x)
        if self.config.attention:
            found = contextual_attention(self.matched(x), F.max_pool2d(hole, 4 * RATE))
            x = torch.cat([x, self.attended(found)], dim=1)
        return torch.tanh(self.decoder(x))
