"""Where faces are, and how far each is turned: a small network of its own, for any photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

#: Pixels of the picture between two places of the output; place (y, x) is at pixel (8 y, 8 x).
PLACES = 8
#: A picture's sides are multiples of this many pixels, plus one.
STRIDE = 32
#: Prior probability of a centre: with it, the loss of an untrained network is small (Lin et al.
#: 2017, section 4.1).
_PRIOR = 0.01
#: Largest logarithm of a distance, in units of ``PLACES``: 8 e^4 pixels.
_LARGEST = 4.0


@dataclass(frozen=True)
class FaceDetectorConfig:
    """Size of a ``FaceDetector``.

    Attributes:
        stem: channels at stride 2 and 4.
        width: channels at stride 8, 16 and 32.
    """

    stem: tuple[int, int] = (16, 32)
    width: int = 64


class FaceDetector(nn.Module):
    """Map a picture to the centres and boxes of faces (Zhou et al. 2019, *Objects as Points*).

    Depthwise separable convolutions go down to stride 32 and up to stride 8 again, where every
    place tells all: a face of any size is one place.
    """

    config_class = FaceDetectorConfig

    def __init__(self, config: FaceDetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config or FaceDetectorConfig()
        (first, second), width = self.config.stem, self.config.width
        self.stem = nn.Sequential(_conv(3, first), _conv(first, second))
        self.at8 = _stage(second, width, 3)
        self.at16 = _stage(width, width, 3)
        self.at32 = _stage(width, width, 3)
        self.up16 = _separable(width, width)
        self.up8 = nn.Sequential(_separable(width, width), _separable(width, width))
        self.centres = nn.Conv2d(width, 1, 1)
        self.sides = nn.Conv2d(width, 4, 1)
        self.turn = nn.Conv2d(width, 1, 1)
        nn.init.constant_(self.centres.bias, math.log(_PRIOR / (1 - _PRIOR)))  # type: ignore[arg-type]
        nn.init.constant_(self.sides.bias, 1.0)  # type: ignore[arg-type]

    @staticmethod
    def legal_size(size: int) -> int:
        """Return the smallest number of the form 32 k + 1 that is not below ``size``."""
        return max(1, -(-(size - 1) // STRIDE)) * STRIDE + 1

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Find faces.

        Args:
            image: N3HW in [-1, 1], H and W of the form 32 k + 1.

        Returns:
            (N1hw logits of a centre at each place; N4hw distances from the place to the box's left,
            top, right and bottom, in pixels; N1hw, how far a face here is turned: 0 looks at the
            camera, 1 is a profile), h = (H - 1) / 8 + 1.
        """
        at8 = self.at8(self.stem(image))
        at16 = self.at16(at8)
        y = self.up16(at16 + _enlarged(self.at32(at16), at16))
        y = self.up8(at8 + _enlarged(y, at8))
        sides = self.sides(y).float().clamp(-_LARGEST, _LARGEST).exp() * PLACES
        return self.centres(y), sides, self.turn(y).float().sigmoid()


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)


def _conv(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


def _separable(channels: int, out: int, *, stride: int = 1) -> nn.Sequential:
    """A pointwise and a depthwise convolution, as in YuNet (Wu et al. 2023, figure 3)."""
    return nn.Sequential(
        nn.Conv2d(channels, out, 1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
        nn.Conv2d(out, out, 3, stride=stride, padding=1, groups=out, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    """A separable convolution, added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _separable(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)  # type: ignore[no-any-return]


def _stage(channels: int, width: int, blocks: int) -> nn.Sequential:
    """Halve the sides, then go on at that size."""
    rest = [_Residual(width) for _ in range(blocks - 1)]
    return nn.Sequential(_separable(channels, width, stride=2), *rest)
