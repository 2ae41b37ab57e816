"""The compression network for holes at the edge of the picture.

Wu & Cui, section 3.1, Table 1 and figure 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .sizes import require_multiple
from .smooth_base import smooth_base

LEAKY_SLOPE = 0.2
#: Table 1, block by block: (channels, kernel of CB, layers in CB, kernel of RB). Every block
#: halves the size.
TABLE_1 = ((64, 5, 5, 1), (196, 5, 5, 1), (256, 3, 7, 3))


@dataclass(frozen=True)
class CompressionConfig:
    """Size of a ``CompressionNetwork``.

    Attributes:
        width: scale of Table 1's channels; 64 gives the paper's 64, 196 and 256.
        base: side in pixels of the cells of ``models.smooth_base``. The base is subtracted before
            the first layer and added after the last, in place of tanh; 0 = no base, as in the
            paper.
    """

    width: int = 64
    base: int = 0

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the three blocks."""
        return tuple(max(1, round(c * self.width / 64)) for c, *_ in TABLE_1)


class GatedConv2d(nn.Module):
    """``batch_norm(leaky_relu(conv(x)) * sigmoid(gate(x)))``.

    Yu et al. 2019, with the norm and activation of Wu & Cui, section 3.1. One convolution with
    twice the channels computes feature and gate: the same sums in one pass over the input.
    """

    def __init__(self, before: int, after: int, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, 2 * after, kernel_size, stride, kernel_size // 2)
        self.norm = nn.BatchNorm2d(after)
        self.activation = nn.LeakyReLU(LEAKY_SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        """Map N(before)HW to N(after)(H/stride)(W/stride)."""
        feature, gate = self.conv(x).chunk(2, dim=1)
        return self.norm(self.activation(feature) * torch.sigmoid(gate))  # type: ignore[no-any-return]


class ResidualConv2d(nn.Conv2d):
    """RB: one convolution of stride 2.

    A 1x1 kernel reads every second pixel, so the input is subsampled first and the convolution has
    stride 1. The sums are the same, but oneDNN's weight gradient of a *strided* 1x1 convolution
    with few channels in channels_last writes past its workspace (uxlfoundation/oneDNN issue 6035:
    crash, hang or wrong gradients), and RB_0 has four channels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map N(in)HW to N(out)(H/2)(W/2)."""
        if self.kernel_size == (1, 1):
            return F.conv2d(x[..., :: self.stride[0], :: self.stride[1]], self.weight, self.bias)
        return super().forward(x)


class CompressionNetwork(nn.Module):
    """Map a masked picture and its mask to the whole picture at an eighth of the size.

    256x256 becomes 32x32. The network has three pairs of RB (one strided convolution) and CB (gated
    convolutions, the first strided); RB's output is added to CB's. MB maps to three channels. The
    output passes through tanh, which the paper does not mention: it has the pictures' own range.
    """

    #: Height and width must be multiples of this; the output's are the input's divided by it.
    multiple = 8
    config_class = CompressionConfig

    def __init__(self, config: CompressionConfig | None = None) -> None:
        super().__init__()
        self.config = config or CompressionConfig()
        self.residuals = nn.ModuleList()
        self.blocks = nn.ModuleList()
        before = 4
        for width, (_, kernel, layers, rb_kernel) in zip(
            self.config.channels, TABLE_1, strict=True
        ):
            self.residuals.append(ResidualConv2d(before, width, rb_kernel, 2, rb_kernel // 2))
            convs = [GatedConv2d(before, width, kernel, 2)] + [
                GatedConv2d(width, width, kernel, 1) for _ in range(layers - 1)
            ]
            self.blocks.append(nn.Sequential(*convs))
            before = width
        self.mapping = nn.Conv2d(before, 3, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Predict the whole picture at an eighth of the size.

        Args:
            image: N3HW in [-1, 1], H and W multiples of 8. Values under a hole are
                never read.
            mask: N1HW, 1 = known, 0 = hole.

        Returns:
            N3(H/8)(W/8) in [-1, 1]; with a base only nominally.

        Raises:
            ValueError: height or width is no multiple of 8; the message names the next legal size.
        """
        require_multiple(image, self.multiple)
        base = smooth_base(image, mask, self.config.base, middle=0.0) if self.config.base else None
        x = torch.cat(
            [(image if base is None else image - base) * mask, mask.to(image.dtype)], dim=1
        )
        for residual, block in zip(self.residuals, self.blocks, strict=True):
            x = residual(x) + block(x)
        mapped: Tensor = self.mapping(x)
        return torch.tanh(mapped) if base is None else mapped + F.avg_pool2d(base, self.multiple)
