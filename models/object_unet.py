"""A U-Net on the compact segmenter's features, for views of objects: picture and mask in."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .deeplab import LEVEL_CHANNELS
from .sizes import require_multiple

STRIDE = 16


class ObjectUNet(nn.Module):
    """A U-Net over picture, object mask, and the features of the compact segmenter's encoder.

    The features (``MobileNetV2.levels``) know what things look like in general; the U-Net's own
    path sees which of them the mask means. A network adds its head.

    Args:
        widths: channels at stride 2, 4, 8 and 16.
    """

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        two, four, eight, sixteen = widths
        _, at4, at8, at16, deep = LEVEL_CHANNELS
        self.stem = _conv(16, two)
        self.down4 = nn.Sequential(_conv(two, four, stride=2), _Residual(four))
        self.join4 = _conv(four + at4, four, kernel=1)
        self.down8 = nn.Sequential(_conv(four, eight, stride=2), _Residual(eight))
        self.join8 = _conv(eight + at8, eight, kernel=1)
        self.down16 = _conv(eight, sixteen, stride=2)
        self.join16 = _conv(sixteen + at16 + deep, sixteen, kernel=1)
        self.context = nn.Sequential(_Residual(sixteen, dilation=2), _Residual(sixteen))
        self.whole = nn.Conv2d(sixteen, sixteen, 1)
        self.up8 = _conv(sixteen, eight, kernel=1)
        self.beside8 = _Residual(eight)
        self.up4 = _conv(eight, four, kernel=1)
        self.beside4 = _Residual(four)
        self.up2 = _conv(four, two, kernel=1)
        self.beside2 = _conv(two, two)

    def decoded(self, image: Tensor, mask: Tensor, *features: Tensor) -> Tensor:
        """Run all but the head.

        Args:
            image: N3HW RGB in [-1, 1], H and W multiples of 16.
            mask: N1HW in [0, 1], the objects.
            features: ``MobileNetV2.levels(image)``.

        Returns:
            NC(H/2)(W/2), C = ``widths[0]``.

        Raises:
            ValueError: an illegal size; the message names the next legal one.
        """
        require_multiple(image, STRIDE)
        _, at4, at8, at16, deep = features
        x2 = self.stem(F.pixel_unshuffle(torch.cat([image, mask * 2 - 1], dim=1), 2))
        x4 = self.join4(torch.cat([self.down4(x2), at4], dim=1))
        x8 = self.join8(torch.cat([self.down8(x4), at8], dim=1))
        x = self.join16(torch.cat([self.down16(x8), at16, deep], dim=1))
        x = x + self.whole(x.mean((2, 3), keepdim=True))
        x = self.beside8(doubled(self.up8(self.context(x))) + x8)
        x = self.beside4(doubled(self.up4(x)) + x4)
        decoded: Tensor = self.beside2(doubled(self.up2(x)) + x2)
        return decoded


def doubled(x: Tensor) -> Tensor:
    """A map enlarged to twice its size."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class _Residual(nn.Module):
    """Two convolutions beside an identity (He et al. 2016)."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = _conv(channels, channels, dilation=dilation)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map NCHW to NCHW."""
        return F.relu(x + self.second(self.first(x)))


def _conv(
    channels: int, out: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    padding = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(
            channels, out, kernel, stride=stride, padding=padding, dilation=dilation, bias=False
        ),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )
