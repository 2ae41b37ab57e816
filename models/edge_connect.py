"""EdgeConnect: one network draws the hole's edges, another paints along them.

Nazeri et al. 2019, section 3. A baseline of Table 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .sizes import require_multiple

#: Weights of red, green and blue in grey (ITU-R 709, like scikit-image's ``rgb2gray``).
LUMINANCE = (0.2125, 0.7154, 0.0721)
#: Smallest height and width: below it the bottleneck is too small for its reflection padding.
SMALLEST = 12


@dataclass(frozen=True)
class EdgeConnectConfig:
    """Size of both networks.

    Attributes:
        width: channels after the first layer; they double at each of the two halvings.
        blocks: residual blocks.
    """

    width: int = 64
    blocks: int = 8


def luminance(image: Tensor) -> Tensor:
    """Convert N3HW to grey N1HW, in the picture's own range."""
    return (image * image.new_tensor(LUMINANCE).view(3, 1, 1)).sum(1, keepdim=True)


class ResidualBlock(nn.Module):
    """``x + norm(conv(relu(norm(dilated(x)))))``; no activation after the sum."""

    def __init__(self, channels: int, *, spectral: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(2),
            _initialised(nn.Conv2d(channels, channels, 3, dilation=2, bias=not spectral), spectral),
            *_norm_and_relu(channels),
            nn.ReflectionPad2d(1),
            _initialised(nn.Conv2d(channels, channels, 3, bias=not spectral), spectral),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map NCHW to NCHW."""
        return x + self.layers(x)


class Generator(nn.Module):
    """The body of both networks (Johnson et al. 2016).

    Two halvings, dilated residual blocks, two doublings.
    """

    multiple = 4

    def __init__(
        self, before: int, after: int, config: EdgeConnectConfig, *, spectral: bool
    ) -> None:
        super().__init__()
        w = config.width
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3),
            _initialised(nn.Conv2d(before, w, 7), spectral),
            *_norm_and_relu(w),
            _initialised(nn.Conv2d(w, 2 * w, 4, 2, 1), spectral),
            *_norm_and_relu(2 * w),
            _initialised(nn.Conv2d(2 * w, 4 * w, 4, 2, 1), spectral),
            *_norm_and_relu(4 * w),
            *(ResidualBlock(4 * w, spectral=spectral) for _ in range(config.blocks)),
            _initialised(nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1), spectral),
            *_norm_and_relu(2 * w),
            _initialised(nn.ConvTranspose2d(2 * w, w, 4, 2, 1), spectral),
            *_norm_and_relu(w),
            nn.ReflectionPad2d(3),
            _initialised(nn.Conv2d(w, after, 7), False),
        )

    def _apply_layers(self, x: Tensor) -> Tensor:
        require_multiple(x, self.multiple, SMALLEST)
        return self.layers(x)


class EdgeGenerator(Generator):
    """G1 (section 3.1): the known part in grey, its edges and the hole in, all edges out.

    Spectral and instance norm.
    """

    def __init__(self, config: EdgeConnectConfig) -> None:
        super().__init__(3, 1, config, spectral=True)

    def forward(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """Draw the edges of the whole picture.

        Args:
            image: as in ``EdgeConnect.forward``.
            edges: as in ``EdgeConnect.forward``.
            mask: as in ``EdgeConnect.forward``.

        Returns:
            N1HW in [0, 1], 1 = edge, in the known part too.
        """
        hole = mask < 0.5
        grey = luminance(image).masked_fill(hole, 1)
        x = torch.cat([grey, edges.masked_fill(hole, 0), hole.to(image.dtype)], dim=1)
        return torch.sigmoid(self._apply_layers(x))


class InpaintGenerator(Generator):
    """G2 (section 3.2): the known part in colour and all edges in, the picture out.

    The hole is white; the network gets no other mask.
    """

    def __init__(self, config: EdgeConnectConfig) -> None:
        super().__init__(4, 3, config, spectral=False)

    def forward(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """Paint the whole picture.

        Args:
            image: as in ``EdgeConnect.forward``.
            edges: N1HW, 1 = edge, in the hole too.
            mask: as in ``EdgeConnect.forward``.

        Returns:
            N3HW in [-1, 1].
        """
        x = torch.cat([image.masked_fill(mask < 0.5, 1), edges], dim=1)
        return torch.tanh(self._apply_layers(x))


class EdgeConnect(nn.Module):
    """Both networks together.

    Known edges stay, G1 draws the hole's edges, G2 paints the picture along them (equation 5).
    """

    #: Height and width must be multiples of this, and at least 12.
    multiple = Generator.multiple
    config_class = EdgeConnectConfig

    def __init__(self, config: EdgeConnectConfig | None = None) -> None:
        super().__init__()
        self.config = config or EdgeConnectConfig()
        self.edges = EdgeGenerator(self.config)
        self.painter = InpaintGenerator(self.config)

    def forward(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """Inpaint.

        Args:
            image: N3HW in [-1, 1], H and W multiples of 4, at least 12. Values under a hole are
                never read.
            edges: N1HW, 1 = edge: Canny edges of the known part (``train.data.edges``). Values
                under a hole are never read.
            mask: N1HW, 1 = known, 0 = hole.

        Returns:
            N3HW in [-1, 1], the network's version of the whole picture.

        Raises:
            ValueError: an illegal size; the message names the next legal one.
        """
        all_edges = torch.where(mask < 0.5, self.edges(image, edges, mask), edges)
        return self.painter(image, all_edges, mask)


def _norm_and_relu(channels: int) -> tuple[nn.Module, ...]:
    return nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)


def _initialised(conv: nn.Conv2d | nn.ConvTranspose2d, spectral: bool) -> nn.Module:
    """Initialise like the authors, and add spectral norm where they have it."""
    nn.init.normal_(conv.weight, std=0.02)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return spectral_norm(conv) if spectral else conv
