"""The compact segmenter that ships: MobileNetV2 and DeepLabV3+, 21 VOC classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .deeplab import DeepLabV3PlusDecoder, MobileNetV2

STRIDE = 16


@dataclass(frozen=True)
class CompactSegmenterConfig:
    """``classes`` counts the background; ``width`` is the decoder's channels; ``rates`` of the atrous pyramid at stride 16."""

    classes: int = 21
    width: int = 256
    rates: tuple[int, int, int] = (6, 12, 18)


class CompactSegmenter(nn.Module):
    """Photo in, class logits out.

    Sizes are 16 k + 1 and every enlargement has aligned corners and goes to the exact size of what it meets. (smp's own DeepLabV3Plus
    enlarges by whole factors, which shifts the answer by up to 12 pixels at other sizes.)
    """

    config_class = CompactSegmenterConfig

    def __init__(self, config: CompactSegmenterConfig | None = None) -> None:
        super().__init__()
        self.config = config or CompactSegmenterConfig()
        self.encoder = MobileNetV2()
        self.decoder = DeepLabV3PlusDecoder(self.config.width, self.config.rates)
        self.head = nn.Conv2d(self.config.width, self.config.classes, 1)

    @staticmethod
    def legal_size(size: int) -> int:
        """The smallest 16 k + 1 that is not below ``size``."""
        return max(1, -(-(size - 1) // STRIDE)) * STRIDE + 1

    def forward(self, image: Tensor) -> Tensor:
        """Segment.

        Args:
            image: N3HW in [-1, 1], H and W of the form 16 k + 1.

        Returns:
            N(classes)hw logits at a quarter of the size (h = (H - 1) / 4 + 1); enlarge with aligned corners.

        Raises:
            ValueError: any other size; the message names the next legal one.
        """
        height, width = image.shape[-2:]
        legal = self.legal_size(height), self.legal_size(width)
        if (height, width) != legal:
            raise ValueError(
                f"expected height and width of the form {STRIDE}k+1, got {height}x{width}; pad to {legal[0]}x{legal[1]}"
            )
        return self.head(self.decoder(*self.encoder(image)))  # type: ignore[no-any-return]


def photo_logits(
    network: nn.Module, rgb: NDArray[np.uint8], device: torch.device | str = "cpu"
) -> Tensor:
    """A photo of any size through a ``CompactSegmenter`` (or its average): the preprocessing that its weight entry names.

    Args:
        network: in evaluation mode, on ``device``.
        rgb: HWC.
        device: where the network is.

    Returns:
        (classes)HW float32 logits at the photo's size, on ``device``.
    """
    h, w = rgb.shape[:2]
    legal = CompactSegmenter.legal_size(h), CompactSegmenter.legal_size(w)
    x = torch.zeros(1, 3, *legal)
    x[0, :, :h, :w] = torch.from_numpy(rgb).permute(2, 0, 1).float() / 127.5 - 1
    # Class by class in memory: enlarged that way, and softmax over it, take a third of the time.
    logits = (
        network(x.to(device).contiguous(memory_format=torch.channels_last)).float().contiguous()
    )
    return F.interpolate(logits, size=legal, mode="bilinear", align_corners=True)[0, :, :h, :w]
