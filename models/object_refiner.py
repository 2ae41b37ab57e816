"""An object's edge at the photo's own resolution: crop and coarse probability in, alpha out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .deeplab import LEVEL_CHANNELS
from .sizes import require_multiple

STRIDE = 16
#: The coarse probability counts as no closer than this to 0 and 1, so that every pixel can change.
DOUBT = 0.05


@dataclass(frozen=True)
class ObjectRefinerConfig:
    """Size of an ``ObjectRefiner``, and the encoder that it was trained on.

    Attributes:
        widths: channels of the decoder at stride 16, 8, 4 and 2.
        encoder: sha256 of the compact segmenter's weight file whose encoder gives the features;
            empty if the network was trained on none.
    """

    widths: tuple[int, int, int, int] = (128, 64, 48, 24)
    encoder: str = ""


class ObjectRefiner(nn.Module):
    """Map a crop, its features and a coarse probability to the object's alpha.

    The features are those of the compact segmenter's own encoder (``MobileNetV2.levels``), which
    ships anyway and stays as it is: this network is only the decoder. Its output is added to the
    coarse log odds, so an untrained network returns the coarse probability. At stride 2 it sees the
    four pixels of a cell as channels and predicts all four, so full resolution costs little.
    """

    config_class = ObjectRefinerConfig

    def __init__(self, config: ObjectRefinerConfig | None = None) -> None:
        super().__init__()
        self.config = config or ObjectRefinerConfig()
        sixteen, eight, four, two = self.config.widths
        at2, at4, at8, at16, deep = LEVEL_CHANNELS
        self.squeeze = _conv(deep + at16 + 1, sixteen, kernel=1)
        self.context = nn.Sequential(
            _conv(sixteen, sixteen, dilation=2),
            _conv(sixteen, sixteen),
            _conv(sixteen, eight, kernel=1),
        )
        self.beside8 = nn.Conv2d(at8 + 1, eight, 1)
        self.join8 = nn.Sequential(_conv(eight, eight), _conv(eight, four, kernel=1))
        self.beside4 = nn.Conv2d(at4 + 1, four, 1)
        self.join4 = nn.Sequential(_conv(four, four), _conv(four, two, kernel=1))
        # No norms at stride 2: they would take as long as the convolutions.
        self.beside2 = nn.Conv2d(at2, two, 1)
        self.pixels = nn.Conv2d(16, two, 3, padding=1)
        self.join2 = nn.Conv2d(two, two, 3, padding=1)
        self.head = nn.Conv2d(two, 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, coarse: Tensor, *features: Tensor) -> Tensor:
        """Find the object's edge.

        Args:
            image: N3HW RGB in [-1, 1], H and W multiples of 16. The network was trained on crops
                of which the object takes about two thirds.
            coarse: N1HW in [0, 1], the segmenter's probability of what is removed.
            features: ``MobileNetV2.levels(image)``.

        Returns:
            N1HW logits of alpha.

        Raises:
            ValueError: an illegal size; the message names the next legal one.
        """
        require_multiple(image, STRIDE)
        at2, at4, at8, at16, deep = features
        coarse4, coarse8, coarse16 = (F.avg_pool2d(coarse, stride) for stride in (4, 8, 16))
        pixels = self.pixels(F.pixel_unshuffle(torch.cat([image, coarse], dim=1), 2))
        y = self.context(self.squeeze(torch.cat([deep, at16, coarse16], dim=1)))
        y = self.join8(F.relu(_doubled(y) + self.beside8(torch.cat([at8, coarse8], dim=1))))
        y = self.join4(F.relu(_doubled(y) + self.beside4(torch.cat([at4, coarse4], dim=1))))
        y = F.relu(self.join2(F.relu(_doubled(y) + self.beside2(at2) + pixels)))
        change = F.pixel_shuffle(self.head(y), 2)
        return change + torch.logit(coarse.clamp(DOUBT, 1 - DOUBT))


def _doubled(x: Tensor) -> Tensor:
    """A map enlarged to twice its size."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _conv(channels: int, out: int, *, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    padding = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )
