"""The skip-connection context encoder for faces.

Models 0 to 3 of Jiang & Zhang, sections 3.1, 4.3 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

LEAKY_SLOPE = 0.2
SIZE, HOLE = 128, 64


@dataclass(frozen=True)
class SkipContextEncoderConfig:
    """Size of a ``SkipContextEncoder``.

    Attributes:
        variant: the paper's model number; the bundled weight has 3.
        width: channels after the first convolution.
        blocks: residual blocks behind each map of 16 and 8 pixels in the encoder, and of 8, 16 and
            32 pixels in the decoder; 0 as in the paper.

    Raises:
        ValueError: ``variant`` or ``blocks`` is out of range.
    """

    variant: int = 3
    width: int = 64
    blocks: int = 0

    def __post_init__(self) -> None:
        if self.variant not in range(4):
            raise ValueError(f"variant must be 0, 1, 2 or 3, got {self.variant}")
        if self.blocks < 0:
            raise ValueError(f"blocks must be 0 or more, got {self.blocks}")

    @property
    def channelwise_fc(self) -> bool:
        """Whether a channel-wise fully connected layer joins encoder and decoder."""
        return self.variant == 0

    @property
    def whole_picture(self) -> bool:
        """Whether the output is the whole picture, not only the hole."""
        return self.variant >= 2

    @property
    def skip(self) -> bool:
        """Whether skip connections join encoder and decoder."""
        return self.variant == 3

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels at 64, 32, 16, 8 and 4 pixels, as in Context Encoders."""
        return self.width, self.width, self.width * 2, self.width * 4, self.width * 8


class ChannelwiseFullyConnected(nn.Module):
    """A fully connected layer inside each channel (Pathak et al. 2016).

    Every pixel of a map sees every other pixel of the same map.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, size * size, size * size) / size)
        self.bias = nn.Parameter(torch.zeros(channels, size * size))

    def forward(self, x: Tensor) -> Tensor:
        """Map NCHW, of the size given to the constructor, to the same shape."""
        flat = torch.einsum("nci,cio->nco", x.flatten(2), self.weight) + self.bias
        return flat.view_as(x)


class _Up(nn.Module):
    """Upsample by 2 and convolve (section 3.1).

    With a skip connection: concatenate (c -> 2c) and convolve back to c.
    """

    def __init__(self, before: int, after: int, skip: bool) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        )
        self.merge = (
            nn.Sequential(
                nn.Conv2d(2 * after, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            )
            if skip
            else None
        )

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = self.up(x)
        if self.merge is not None:
            assert skip is not None
            x = self.merge(torch.cat([x, skip], dim=1))
        return x


class _Residual(nn.Module):
    """Two convolutions in parallel to the identity (He et al. 2016).

    A new block adds 0, so the output of a network that gets new blocks does not change.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        nn.init.zeros_(self.body[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


def _residuals(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(channels) for _ in range(count)))


class SkipContextEncoder(nn.Module):
    """Encoder of 4x4 stride-2 convolutions, decoder of up-sampling blocks, tanh at the end.

    The paper gives neither channels nor depth: both follow Context Encoders (64, 64, 128, 256, 512
    down to 4x4). Its figure 4 shows a skip "in each corresponding layer"; the map at full size has
    no encoder layer, so the last skip is the masked input itself (3 channels, concatenated before
    the last convolution). It lets Model 3 return the known part sharp (section 5.2).
    """

    #: Height and width of the inputs.
    size = SIZE
    config_class = SkipContextEncoderConfig

    def __init__(self, config: SkipContextEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or SkipContextEncoderConfig()
        c = self.config.channels
        self.encoder = nn.ModuleList()
        before = 3
        for width in c:
            layers: list[nn.Module] = [
                nn.Conv2d(before, width, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            self.encoder.append(nn.Sequential(*layers))
            before = width
        n = self.config.blocks
        self.down_blocks = nn.ModuleList(
            _residuals(channels, n if 2 <= i <= 3 else 0) for i, channels in enumerate(c)
        )
        bottom = SIZE // 2 ** len(c)
        self.fc = ChannelwiseFullyConnected(c[-1], bottom) if self.config.channelwise_fc else None
        levels = range(len(c) - 1, 0, -1)  # from 4 to 64 pixels
        self.decoder = nn.ModuleList(_Up(c[i], c[i - 1], self.config.skip) for i in levels)
        self.up_blocks = nn.ModuleList(_residuals(c[i - 1], n if i >= 2 else 0) for i in levels)
        if self.config.whole_picture:
            self.last_up: _Up | None = _Up(c[0], c[0], skip=False)
            self.head = nn.Conv2d(c[0] + (3 if self.config.skip else 0), 3, 3, padding=1)
        else:
            self.last_up = None
            self.head = nn.Conv2d(c[0], 3, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Inpaint.

        Args:
            image: N3x128x128 in [-1, 1]. Values under a hole are never read (the hole is set to 0,
                mid-grey).
            mask: N1x128x128, 1 = known, 0 = hole.

        Returns:
            Models 0 and 1: N3x64x64 in [-1, 1], the content of the 64x64 hole. Models 2 and 3:
            N3x128x128 in [-1, 1], the whole picture.

        Raises:
            ValueError: the size is not 128x128.
        """
        if image.shape[-2:] != (SIZE, SIZE):
            raise ValueError(
                f"expected {SIZE}x{SIZE} pictures, got {image.shape[-2]}x{image.shape[-1]}; "
                "resize the window"
            )
        masked = image * mask
        x = masked
        skips: list[Tensor] = []
        for layer, blocks in zip(self.encoder, self.down_blocks, strict=True):
            x = blocks(layer(x))
            skips.append(x)
        if self.fc is not None:
            x = self.fc(x)
        for up, blocks, skip in zip(
            self.decoder, self.up_blocks, reversed(skips[:-1]), strict=True
        ):
            x = blocks(up(x, skip))
        if self.last_up is not None:
            x = self.last_up(x, None)
            if self.config.skip:
                x = torch.cat([x, masked], dim=1)
        return torch.tanh(self.head(x))
