"""Where objects are, on the features of the compact segmenter's encoder: centres and boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .deeplab import LEVEL_CHANNELS

#: Pixels of the picture between two places of the output; place (y, x) is at pixel (8 y, 8 x).
PLACES = 8
#: Prior probability of a centre: with it, the loss of an untrained network is small (Lin et al.
#: 2017, section 4.1).
_PRIOR = 0.01
#: Largest logarithm of a distance, in units of ``PLACES``: 8 e^5 pixels.
_LARGEST = 5.0


@dataclass(frozen=True)
class ObjectDetectorConfig:
    """Size of an ``ObjectDetector``, and the encoder that it was trained on.

    Attributes:
        classes: number of classes, without the background.
        widths: channels at stride 16 and 8.
        encoder: sha256 of the compact segmenter's weight file whose encoder gives the features;
            empty if the network was trained on none.
    """

    classes: int = 20
    widths: tuple[int, int] = (128, 96)
    encoder: str = ""


class ObjectDetector(nn.Module):
    """Map features to the centres and boxes of objects (Zhou et al. 2019, *Objects as Points*).

    The features are those of the compact segmenter's own encoder (``MobileNetV2.levels``), which
    runs over a photo anyway. A segmenter judges every pixel by itself and may be silent about a
    small person; here a whole object is one place.
    """

    config_class = ObjectDetectorConfig

    def __init__(self, config: ObjectDetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config or ObjectDetectorConfig()
        sixteen, eight = self.config.widths
        _, at4, at8, at16, deep = LEVEL_CHANNELS
        self.squeeze = _conv(at16 + deep, sixteen, kernel=1)
        self.whole = nn.Conv2d(sixteen, sixteen, 1)
        self.context = nn.Sequential(
            _conv(sixteen, sixteen, dilation=2),
            _conv(sixteen, sixteen),
            _conv(sixteen, eight, kernel=1),
        )
        self.beside = nn.Conv2d(at8 + at4, eight, 1)
        self.join = nn.Sequential(_conv(eight, eight), _conv(eight, eight))
        self.centres = nn.Conv2d(eight, self.config.classes, 1)
        self.sides = nn.Conv2d(eight, 4, 1)
        nn.init.constant_(self.centres.bias, math.log(_PRIOR / (1 - _PRIOR)))  # type: ignore[arg-type]
        nn.init.constant_(self.sides.bias, 1.0)  # type: ignore[arg-type]

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        """Find objects.

        Args:
            features: ``MobileNetV2.levels`` of a picture N3HW in [-1, 1], H and W of the form
                16 k + 1.

        Returns:
            (N(classes)hw logits of a centre at each place; N4hw distances from the place to the
            box's left, top, right and bottom, in pixels), h = (H - 1) / 8 + 1.
        """
        _, at4, at8, at16, deep = features
        y = self.squeeze(torch.cat([at16, deep], dim=1))
        y = y + self.whole(y.mean((2, 3), keepdim=True))
        y = F.interpolate(self.context(y), size=at8.shape[-2:], mode="bilinear", align_corners=True)
        finer = F.avg_pool2d(at4, 3, 2, padding=1, count_include_pad=False)
        y = self.join(F.relu(y + self.beside(torch.cat([at8, finer], dim=1))))
        sides = self.sides(y).float().clamp(-_LARGEST, _LARGEST).exp() * PLACES
        return self.centres(y), sides


def _conv(channels: int, out: int, *, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    padding = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )
