"""The bundled compact segmenter: MobileNetV2 and DeepLabV3+, 21 VOC classes."""

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
    """Size of a ``CompactSegmenter``.

    Attributes:
        classes: number of classes, including the background.
        width: channels of the decoder.
        rates: dilation rates of the atrous pyramid at stride 16.
    """

    classes: int = 21
    width: int = 256
    rates: tuple[int, int, int] = (6, 12, 18)


class CompactSegmenter(nn.Module):
    """Map a photo to class logits.

    Sizes are 16 k + 1, and every upsampling has aligned corners and an exact target size. (smp's
    DeepLabV3Plus upsamples by whole factors, which shifts the output by up to 12 pixels at other
    sizes.)
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
        """Return the smallest number of the form 16 k + 1 that is not below ``size``."""
        return max(1, -(-(size - 1) // STRIDE)) * STRIDE + 1

    def forward(self, image: Tensor) -> Tensor:
        """Segment.

        Args:
            image: N3HW in [-1, 1], H and W of the form 16 k + 1.

        Returns:
            N(classes)hw logits at a quarter of the size (h = (H - 1) / 4 + 1); upsample them with
            aligned corners.

        Raises:
            ValueError: an illegal size; the message names the next legal one.
        """
        self._require_legal(image)
        return self.head(self.decoder(*self.encoder(image)))  # type: ignore[no-any-return]

    def with_levels(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Segment, and keep the encoder's maps for another network.

        Args:
            image: see ``forward``.

        Returns:
            (the logits of ``forward``; ``MobileNetV2.levels`` of the image)

        Raises:
            ValueError: see ``forward``.
        """
        self._require_legal(image)
        levels = self.encoder.levels(image)
        return self.head(self.decoder(levels[1], self.encoder.beyond(levels[-1]))), levels

    def _require_legal(self, image: Tensor) -> None:
        height, width = image.shape[-2:]
        legal = self.legal_size(height), self.legal_size(width)
        if (height, width) != legal:
            raise ValueError(
                f"expected height and width of the form {STRIDE}k+1, got {height}x{width}; "
                f"pad to {legal[0]}x{legal[1]}"
            )


def photo_logits(
    network: nn.Module, rgb: NDArray[np.uint8], device: torch.device | str = "cpu"
) -> Tensor:
    """Segment a photo of any size with the preprocessing that the weight's card describes.

    Args:
        network: a ``CompactSegmenter`` (or its weight average) in evaluation mode, on ``device``.
        rgb: HWC.
        device: the network's device.

    Returns:
        (classes)HW float32 logits at the photo's size, on ``device``.
    """
    h, w = rgb.shape[:2]
    return full_size(network(padded(rgb).to(device)), h, w)


def padded(rgb: NDArray[np.uint8]) -> Tensor:
    """A picture HWC of any size as 13HW in [-1, 1], padded with 0 to the form 16 k + 1."""
    h, w = rgb.shape[:2]
    legal = CompactSegmenter.legal_size(h), CompactSegmenter.legal_size(w)
    x = torch.zeros(1, 3, *legal)
    x[0, :, :h, :w] = torch.from_numpy(rgb).permute(2, 0, 1).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def full_size(logits: Tensor, height: int, width: int) -> Tensor:
    """The segmenter's logits 1(classes)hw of a padded picture, at the picture's own size.

    Returns:
        (classes)HW float32.
    """
    legal = CompactSegmenter.legal_size(height), CompactSegmenter.legal_size(width)
    # Contiguous, class by class: upsampling, and softmax afterwards, take a third of the time.
    contiguous = logits.float().contiguous()
    large = F.interpolate(contiguous, size=legal, mode="bilinear", align_corners=True)
    return large[0, :, :height, :width]
