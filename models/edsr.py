"""EDSR: super-resolution as decompression, x4 and then x2.

Wu & Cui, section 3.2; Lim et al. 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class EDSRConfig:
    """Size of an ``EDSR``; Lim et al.'s baseline has width 64 and 16 blocks.

    Attributes:
        width: channels.
        blocks: residual blocks.
        residual_scale: factor of each block's residual.
    """

    width: int = 64
    blocks: int = 16
    residual_scale: float = 1.0


class _ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution; no batch norm (Lim et al., section 3.1)."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
        )
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.body(x)  # type: ignore[no-any-return]


class EDSRStage(nn.Module):
    """One EDSR of factor 2 or 4, with pixel shuffles of 2."""

    def __init__(self, config: EDSRConfig, factor: int) -> None:
        super().__init__()
        if factor not in (2, 4):
            raise ValueError(f"factor must be 2 or 4, got {factor}")
        w = config.width
        self.head = nn.Conv2d(3, w, 3, padding=1)
        self.body = nn.Sequential(
            *[_ResidualBlock(w, config.residual_scale) for _ in range(config.blocks)],
            nn.Conv2d(w, w, 3, padding=1),
        )
        tail: list[nn.Module] = []
        for _ in range(factor // 2):
            tail += [nn.Conv2d(w, 4 * w, 3, padding=1), nn.PixelShuffle(2)]
        self.tail = nn.Sequential(*tail, nn.Conv2d(w, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Map N3HW to N3(factor H)(factor W)."""
        x = self.head(x)
        return self.tail(x + self.body(x))  # type: ignore[no-any-return]


class EDSR(nn.Module):
    """Two stacked stages, x4 and then x2: 32x32 becomes 256x256. Any size is legal."""

    multiple = 1
    factor = 8
    config_class = EDSRConfig

    def __init__(self, config: EDSRConfig | None = None) -> None:
        super().__init__()
        self.config = config or EDSRConfig()
        self.by4 = EDSRStage(self.config, 4)
        self.by2 = EDSRStage(self.config, 2)

    def forward(self, image: Tensor) -> Tensor:
        """Map N3HW in [-1, 1] to N3(8H)(8W), nominally in [-1, 1] but unbounded."""
        return self.by2(self.by4(image))  # type: ignore[no-any-return]
