"""EdgeConnect: one network draws the hole's edges, another paints along them (Nazeri et al. 2019, section 3). A baseline of Table 2."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

#: Of red, green and blue in grey (ITU-R 709, as scikit-image's ``rgb2gray``).
LUMINANCE = (0.2125, 0.7154, 0.0721)
#: Below this the bottleneck is too small for its reflecting borders.
SMALLEST = 12


@dataclass(frozen=True)
class EdgeConnectConfig:
    """``width``: channels after the first layer of both networks; they double twice going down. ``blocks``: residual blocks of each."""

    width: int = 64
    blocks: int = 8


def luminance(image: Tensor) -> Tensor:
    """N3HW -> N1HW, in the picture's own range."""
    return (image * image.new_tensor(LUMINANCE).view(3, 1, 1)).sum(1, keepdim=True)


class ResidualBlock(nn.Module):
    """``x + norm(conv(relu(norm(dilated(x)))))``; no activation after the sum."""

    def __init__(self, channels: int, *, spectral: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(2),
            _started(nn.Conv2d(channels, channels, 3, dilation=2, bias=not spectral), spectral),
            *_after(channels),
            nn.ReflectionPad2d(1),
            _started(nn.Conv2d(channels, channels, 3, bias=not spectral), spectral),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """NCHW -> NCHW."""
        return x + self.layers(x)


class Generator(nn.Module):
    """What both networks are made of: two halvings, dilated residual blocks, two doublings (Johnson et al. 2016)."""

    multiple = 4

    def __init__(
        self, before: int, after: int, config: EdgeConnectConfig, *, spectral: bool
    ) -> None:
        super().__init__()
        w = config.width
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3), _started(nn.Conv2d(before, w, 7), spectral), *_after(w),
            _started(nn.Conv2d(w, 2 * w, 4, 2, 1), spectral), *_after(2 * w),
            _started(nn.Conv2d(2 * w, 4 * w, 4, 2, 1), spectral), *_after(4 * w),
            *(ResidualBlock(4 * w, spectral=spectral) for _ in range(config.blocks)),
            _started(nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1), spectral), *_after(2 * w),
            _started(nn.ConvTranspose2d(2 * w, w, 4, 2, 1), spectral), *_after(w),
            nn.ReflectionPad2d(3), _started(nn.Conv2d(w, after, 7), False),
        )  # fmt: skip

    def _answer(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        legal = [max(SMALLEST, -(-s // self.multiple) * self.multiple) for s in (height, width)]
        if legal != [height, width]:
            raise ValueError(
                f"expected height and width in multiples of {self.multiple}, {SMALLEST} at least, got {height}x{width}; "
                f"pad to {legal[0]}x{legal[1]}"
            )
        return self.layers(x)


class EdgeGenerator(Generator):
    """G1 (section 3.1): what is known in grey, its edges and the hole in, all edges out. Spectral and instance norm."""

    def __init__(self, config: EdgeConnectConfig) -> None:
        super().__init__(3, 1, config, spectral=True)

    def forward(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """Arguments as ``EdgeConnect.forward``; returns N1HW in [0, 1], 1 = edge, for known places too."""
        hole = mask < 0.5
        grey = luminance(image).masked_fill(hole, 1)
        return torch.sigmoid(
            self._answer(torch.cat([grey, edges.masked_fill(hole, 0), hole.to(image.dtype)], dim=1))
        )


class InpaintGenerator(Generator):
    """G2 (section 3.2): what is known in colour and all edges in, the picture out. The hole is white, and is told by that alone."""

    def __init__(self, config: EdgeConnectConfig) -> None:
        super().__init__(4, 3, config, spectral=False)

    def forward(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """Image and mask as ``EdgeConnect.forward``, edges N1HW of the hole too; returns N3HW in [-1, 1]."""
        return torch.tanh(self._answer(torch.cat([image.masked_fill(mask < 0.5, 1), edges], dim=1)))


class EdgeConnect(nn.Module):
    """Both networks as they are used: known edges stay, the hole's are drawn, the picture is painted along them (equation 5)."""

    #: Sizes must be multiples of this, and 12 at least.
    multiple = Generator.multiple
    config_class = EdgeConnectConfig

    def __init__(self, config: EdgeConnectConfig | None = None) -> None:
        super().__init__()
        self.config = config or EdgeConnectConfig()
        self.edges = EdgeGenerator(self.config)
        self.painter = InpaintGenerator(self.config)

    def forward(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """Fill.

        Args:
            image: N3HW in [-1, 1], H and W multiples of 4, 12 at least. Values under a hole are never read.
            edges: N1HW, 1 = edge: Canny's of the known part (``train.data.edges``). Values under a hole are never read.
            mask: N1HW, 1 = known, 0 = hole.

        Returns:
            N3HW in [-1, 1], the whole picture as the network sees it.

        Raises:
            ValueError: an illegal size; the message names the next legal one.
        """
        return self.painter(
            image, torch.where(mask < 0.5, self.edges(image, edges, mask), edges), mask
        )


def _after(channels: int) -> tuple[nn.Module, ...]:
    return nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)


def _started(conv: nn.Conv2d | nn.ConvTranspose2d, spectral: bool) -> nn.Module:
    """The authors' start, and spectral norm where they have it."""
    nn.init.normal_(conv.weight, std=0.02)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return spectral_norm(conv) if spectral else conv
