"""The partial-convolution U-Net for free-form holes (Kulkarni et al., section 2.5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from .partial_conv import PartialConv2d
from .sizes import require_multiple
from .smooth_base import smooth_base

# The encoder's kernel sizes are Liu et al.'s, as the paper gives none. The decoder's are all 3.
ENCODER_KERNELS = (7, 5, 5, 3, 3, 3, 3)
LEAKY_SLOPE = 0.2


@dataclass(frozen=True)
class PartialConvUNetConfig:
    """Size of a ``PartialConvUNet``.

    Attributes:
        width: channels of the first encoder (64 in the paper's model); they double from encoder to
            encoder up to ``8 * width``.
        base: side in pixels of the cells of ``models.smooth_base``. The base is subtracted before
            the first layer and added after the last; 0 = no base, as in the paper.
    """

    width: int = 64
    base: int = 0

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the seven encoders."""
        return tuple(self.width * min(2**i, 8) for i in range(len(ENCODER_KERNELS)))


class PartialConvUNet(nn.Module):
    """Seven encoders and seven decoders of two partial convolutions each.

    Encoder and decoder i work at H / 2^(i-1). A 2x2 max-pool of features and mask follows each
    encoder. Each decoder upsamples its input by 2 (bilinear for features, nearest for the mask) and
    concatenates the output of the encoder of the same size. The encoders use ReLU, the decoders
    leaky ReLU; the topmost decoder has no activation (section 2.5).
    """

    #: Height and width must be multiples of this: the size is halved seven times.
    multiple = 2 ** len(ENCODER_KERNELS)
    config_class = PartialConvUNetConfig

    def __init__(self, config: PartialConvUNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or PartialConvUNetConfig()
        channels = self.config.channels
        self.encoders = nn.ModuleList()
        before = 3
        for width, kernel in zip(channels, ENCODER_KERNELS, strict=True):
            self.encoders.append(
                nn.ModuleList(
                    [
                        PartialConv2d((before,), width, kernel),
                        PartialConv2d((width,), width, kernel),
                    ]
                )
            )
            before = width
        self.decoders = nn.ModuleList()  # index i belongs to encoder i
        for level, width in enumerate(channels):
            below = channels[min(level + 1, len(channels) - 1)]
            out = 3 if level == 0 else width
            self.decoders.append(
                nn.ModuleList(
                    [PartialConv2d((below, width), width, 3), PartialConv2d((width,), out, 3)]
                )
            )

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Inpaint.

        Args:
            image: N3HW in [0, 1], H and W multiples of 128. Values under a hole are
                never read.
            mask: N1HW, 1 = known, 0 = hole.

        Returns:
            N3HW, the network's version of the whole picture, nominally in [0, 1] but unbounded (no
            last activation).

        Raises:
            ValueError: height or width is no multiple of 128; the message names the next legal
                size.
        """
        require_multiple(image, self.multiple)
        m = mask.to(image.dtype)
        base = smooth_base(image, m, self.config.base, middle=0.5) if self.config.base else 0.5
        # Features are 0 wherever their mask is: partial convolutions output them so, and ReLU and
        # max-pool preserve it. Only the picture, and the values that bilinear upsampling spreads
        # across the hole's border, need a gate.
        x = (image - base) * m
        skips: list[tuple[Tensor, Tensor]] = []
        for encoder in self.encoders:
            for conv in encoder:  # type: ignore[attr-defined]
                x, m = conv([x], [m], gated=True)
                x = F.relu(x)
            skips.append((x, m))
            x, m = F.max_pool2d(x, 2), F.max_pool2d(m, 2)
        for level in reversed(range(len(skips))):
            first, second = self.decoders[level].children()
            skip, skip_mask = skips[level]
            m = F.interpolate(m, scale_factor=2, mode="nearest")
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False) * m
            x, m = first([x, skip], [m, skip_mask], gated=True)
            if level:
                x = F.leaky_relu(x, LEAKY_SLOPE)
            x, m = second([x], [m], gated=True)
            if level:
                x = F.leaky_relu(x, LEAKY_SLOPE)
        return x + base
