"""Segmentation: a photo in, class probabilities at the network's own size out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.categories import CATEGORIES
from ..errors import WeightsError
from ..pixels import eight_bits
from ..types import FloatArray, Pixels

if TYPE_CHECKING:
    import torch


#: Longer side in pixels at which the compact segmenter looks: what its teacher was made for; and at which it looks a second time at a whole
#: photo, mirrored. The mean of both looks finds more of everything than either (``benchmarks/quality/small_objects.py``).
COMPACT_SIZE, NEARER_SIZE = 513, 769


class Segmenter(Protocol):
    """Anything that gives 21 class probabilities a pixel."""

    name: str
    #: Whether a pass is cheap enough for a second and closer looks.
    quick: bool

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        """HWC uint8 or uint16 RGB -> 21hw float32 in [0, 1], at the segmenter's own size (same aspect as the photo).

        One that is ``quick`` looks at ``longest`` pixels along the longer side, if that is given.
        """


@dataclass(frozen=True)
class Chosen:
    """The segmenter that a run uses, with the warning that goes into the report when it is a stand-in."""

    segmenter: Segmenter
    weights: dict[str, str]
    warning: str | None = None


def choose_segmenter(name: str, device: torch.device, *, offline: bool) -> Chosen:
    """Load the segmenter of that name.

    Args:
        name: ``fcn_resnet101``, ``compact`` or ``auto`` (FCN where its weights are cached or reachable, decided within seconds).
        device: where it runs.
        offline: never touch the network.

    Raises:
        WeightsError: ``fcn_resnet101`` was named and its weights are not to be had; no silent stand-in.
    """
    from ...models.checkpoint import CheckpointError
    from ...models.hub import FCN_RESNET101, cache_folder, fetch, why_missing

    if name == "compact":
        return _compact(device, None)
    remedy = f"put {FCN_RESNET101.url} into {cache_folder()}, or use --segmenter compact"
    why = why_missing(FCN_RESNET101, offline=offline)
    if why:
        if name == "fcn_resnet101":
            raise WeightsError(f"FCN-ResNet101's weights are {why}; {remedy}")
        return _compact(
            device, f"segmented with the compact segmenter: FCN-ResNet101's weights are {why}"
        )
    try:
        path, digest = fetch(FCN_RESNET101)
        return Chosen(FCNSegmenter(str(path), device), {"fcn_resnet101": digest})
    except CheckpointError as error:
        if name == "fcn_resnet101":
            raise WeightsError(f"{error}; {remedy}") from error
        return _compact(device, f"segmented with the compact segmenter: {error}")


def _compact(device: torch.device, warning: str | None) -> Chosen:
    adapter = CompactSegmenterAdapter(device)
    return Chosen(adapter, {"compact-segmenter": adapter.sha256}, warning)


class CompactSegmenterAdapter:
    """The shipped network, and the way of a photo to it and back."""

    name = "compact"
    quick = True

    def __init__(self, device: torch.device) -> None:
        import torch

        from ...models.checkpoint import CheckpointError
        from ...models.folding import fold_batch_norm
        from ...models.segmenter import CompactSegmenter
        from ...models.shipped import load_shipped

        self.device = device
        try:
            network, self.sha256 = load_shipped("compact-segmenter", CompactSegmenter)
        except CheckpointError as error:
            raise WeightsError(str(error)) from error
        self.network = fold_batch_norm(network).to(device, memory_format=torch.channels_last)

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        import torch

        from ...models.precision import autocast
        from ...models.segmenter import photo_logits

        with torch.inference_mode(), autocast(self.device):
            logits = photo_logits(self.network, shrink(rgb, longest or COMPACT_SIZE), self.device)
            return logits.float().softmax(0).cpu().numpy()


class FCNSegmenter:
    """torchvision's fcn_resnet101 with COCO_WITH_VOC_LABELS_V1: its transforms, its categories."""

    name = "fcn_resnet101"
    quick = False

    def __init__(self, path: str, device: torch.device) -> None:
        import torch
        from torchvision.models.segmentation import FCN_ResNet101_Weights, fcn_resnet101

        from ...models.folding import fold_batch_norm

        weights = FCN_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1
        if tuple(weights.meta["categories"])[1:] != CATEGORIES[1:]:
            raise WeightsError(
                f"torchvision's FCN categories changed: {weights.meta['categories']}; report this with torchvision's version"
            )
        self.transform = weights.transforms()
        self.device = device
        network = fcn_resnet101(
            weights=None, weights_backbone=None, num_classes=len(CATEGORIES), aux_loss=True
        )
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        network.aux_classifier = None
        self.network = fold_batch_norm(network.eval()).to(device, memory_format=torch.channels_last)

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        import torch

        from ...models.precision import autocast

        small = shrink(rgb, 1040)
        x = self.transform(torch.from_numpy(np.ascontiguousarray(small)).permute(2, 0, 1))[None]
        with torch.inference_mode(), autocast(self.device):
            logits = self.network(x.to(self.device).contiguous(memory_format=torch.channels_last))[
                "out"
            ]
            return logits[0].float().softmax(0).cpu().numpy()


def shrink(rgb: Pixels, longest: int) -> NDArray[np.uint8]:
    """uint8 RGB with its longer side brought to ``longest`` pixels (enlarged too); uint16 is brought down to uint8."""
    h, w = rgb.shape[:2]
    scale = longest / max(h, w)
    size = max(1, round(w * scale)), max(1, round(h * scale))
    return eight_bits(
        cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    )
