"""The coarse network of DeepFill v2, made of gated convolutions.

Yu et al. 2019, section 3.3. A baseline of Table 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .contextual_attention import RATE, contextual_attention
from .sizes import require_multiple

DILATIONS = (2, 4, 8, 16)


@dataclass(frozen=True)
class GatedConvConfig:
    """Size of a ``GatedConvNetwork``.

    Attributes:
        width: filters of the first layer, half of them gates, as the authors count (``cnum``, 48);
            a multiple of 4.
        attention: add a branch of contextual attention beside the bottleneck; the paper has it in
            its second network only.

    Raises:
        ValueError: ``width`` is no multiple of 4.
    """

    width: int = 48
    attention: bool = False

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 4:
            raise ValueError(
                f"expected a width in multiples of 4, got {self.width}; "
                f"take {max(4, -(-self.width // 4) * 4)}"
            )


class Gated(nn.Module):
    """``act(feature(x)) * sigmoid(gate(x))`` without norm (equation 3, section 3.1).

    One convolution computes feature and gate.
    """

    def __init__(
        self,
        before: int,
        after: int,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        act: Callable[[Tensor], Tensor] = F.elu,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            before, 2 * after, kernel_size, stride, kernel_size // 2 * dilation, dilation
        )
        self.act = act
        # A gate lets half of a small signal through and there is no norm: this initialisation keeps
        # the signal's variance. With the authors' (Glorot), 16 layers shrink it by some 10^8, and
        # only a training as long as theirs recovers from that.
        nn.init.normal_(self.conv.weight, std=2 / (before * kernel_size**2) ** 0.5)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map N(before)HW to N(after)(H/stride)(W/stride)."""
        feature, gate = self.conv(x).chunk(2, dim=1)
        return self.act(feature) * torch.sigmoid(gate)


class GatedConvNetwork(nn.Module):
    """Map a masked picture and its mask to the whole picture.

    The encoder halves the size twice, four dilated layers follow, and the decoder doubles it twice
    (nearest). The attention branch starts behind the dilated layers: it compares their version of
    the hole, as the paper's second network compares the first one's output.
    """

    #: Height and width must be multiples of this; with attention, of twice as much.
    multiple = 4
    config_class = GatedConvConfig

    def __init__(self, config: GatedConvConfig | None = None) -> None:
        super().__init__()
        self.config = config or GatedConvConfig()
        w = self.config.width // 4
        self.encoder = nn.Sequential(
            Gated(5, 2 * w, 5),
            Gated(2 * w, 4 * w, stride=2),
            Gated(4 * w, 4 * w),
            Gated(4 * w, 8 * w, stride=2),
            Gated(8 * w, 8 * w),
            Gated(8 * w, 8 * w),
        )
        self.dilated = nn.Sequential(*(Gated(8 * w, 8 * w, dilation=d) for d in DILATIONS))
        bottleneck = 8 * w
        if self.config.attention:
            self.multiple = 4 * RATE
            # ReLU: the similarity of two locations is never negative.
            self.matched = Gated(8 * w, 8 * w, act=F.relu)
            self.attended = nn.Sequential(Gated(8 * w, 8 * w), Gated(8 * w, 8 * w))
            bottleneck = 16 * w
        self.decoder = nn.Sequential(
            Gated(bottleneck, 8 * w),
            Gated(8 * w, 8 * w),
            nn.Upsample(scale_factor=2),
            Gated(8 * w, 4 * w),
            Gated(4 * w, 4 * w),
            nn.Upsample(scale_factor=2),
            Gated(4 * w, 2 * w),
            Gated(2 * w, w),
            nn.Conv2d(w, 3, 3, padding=1),
        )

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Inpaint.

        Args:
            image: N3HW in [-1, 1], H and W multiples of 4 (with attention, of 8). Values under a
                hole are never read.
            mask: N1HW, 1 = known, 0 = hole.

        Returns:
            N3HW in [-1, 1], the network's version of the whole picture.

        Raises:
            ValueError: an illegal size; the message names the next legal one.
        """
        require_multiple(image, self.multiple)
        hole = 1 - mask.to(image.dtype)
        # The plane of ones is the authors': next to the zero padding it marks the picture's border.
        x = self.encoder(
            torch.cat([image.masked_fill(hole > 0, 0), torch.ones_like(hole), hole], dim=1)
        )
        x = self.dilated(x)
        if self.config.attention:
            rebuilt = contextual_attention(self.matched(x), F.max_pool2d(hole, 4 * RATE))
            x = torch.cat([x, self.attended(rebuilt)], dim=1)
        return torch.tanh(self.decoder(x))
