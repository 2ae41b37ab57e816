"""What the tasks of networks on the compact segmenter's features share: encoder and input."""

from __future__ import annotations

import torch
from torch import Tensor

from ...models.deeplab import MobileNetV2
from ...models.folding import fold_batch_norm
from ...models.segmenter import CompactSegmenter
from ...models.shipped import load_shipped


def frozen_encoder() -> MobileNetV2:
    """The encoder of the compact segmenter that ships; it learns nothing."""
    segmenter, _ = load_shipped("compact-segmenter", CompactSegmenter)
    encoder = fold_batch_norm(segmenter).encoder.requires_grad_(False)
    return encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def encoder_input(pictures: Tensor) -> Tensor:
    """Pictures N3HW uint8 as the encoder takes them: float32 in [-1, 1], channels last."""
    return pictures.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
