"""What the tasks of networks on the compact segmenter's features share: encoder, input, sources."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...models.deeplab import MobileNetV2
from ...models.folding import fold_batch_norm
from ...models.segmenter import CompactSegmenter
from ...models.shipped import load_shipped
from ..data.objects import cut_outs, scenes

#: Folders below the data folder whose objects are cut out, and into whose photos they are put.
FOLDERS = (*cut_outs.SOURCES, *scenes.FOLDERS)


def frozen_encoder() -> MobileNetV2:
    """The encoder of the compact segmenter that ships; it learns nothing."""
    segmenter, _ = load_shipped("compact-segmenter", CompactSegmenter)
    encoder = fold_batch_norm(segmenter).encoder.requires_grad_(False)
    return encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def encoder_input(pictures: Tensor) -> Tensor:
    """Pictures N3HW uint8 as the encoder takes them: float32 in [-1, 1], channels last."""
    return pictures.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def count_pictures(data: Path) -> int:
    """Count the photos of ``FOLDERS``.

    Raises:
        FileNotFoundError: there are none.
    """
    pictures = sum(len(cut_outs.photos_of(data, source)) for source in cut_outs.SOURCES)
    pictures += sum(len(scenes.photos_of(data, folder)) for folder in scenes.FOLDERS)
    if not pictures:
        raise FileNotFoundError(f"{data}: none of {', '.join(FOLDERS)} found below it")
    return pictures
