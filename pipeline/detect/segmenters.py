"""Segmenters: from a photo to class probabilities at the network's own size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.categories import CATEGORIES
from ..errors import UsageError, WeightsError
from ..pixels import eight_bits, resize, scaled_size
from ..segmenter_names import SegmenterNames
from ..types import FloatArray, Pixels
from .mask import removed_probability

if TYPE_CHECKING:
    import torch

    from ...models.own_weights import OwnWeight

#: Longer side in pixels of the compact segmenter's input: the size for which it was distilled, and
#: the size of the second, mirrored pass over a whole photo. The mean of both passes finds more of
#: every class than either (``benchmarks/quality/segmenter.py``).
COMPACT_SIZE, NEARER_SIZE = 513, 769
#: Longer side in pixels of FCN-ResNet101's input, before its own transforms.
FCN_SIZE = 1040
#: What it means that FCN-ResNet101 is missing; why it is follows.
FALLBACK = (
    "objects are found by the smaller of two segmenters, because the larger one is missing; a run "
    "with internet access fetches it"
)


class Objectness(NamedTuple):
    """What is removed, and what is an object of any class.

    Attributes:
        removed: hw float32 in [0, 1], the probability of the removed classes together.
        background: hw float32 in [0, 1], the probability that no class is there.
    """

    removed: FloatArray
    background: FloatArray


class Segmenter(Protocol):
    """A network that gives each pixel the probabilities of the 21 Pascal VOC classes."""

    name: str
    #: Whether a pass is cheap enough for a second scale and for crops.
    quick: bool

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        """Segment a photo.

        Args:
            rgb: HWC uint8 or uint16.
            longest: longer side in pixels of the network's input; ignored if not ``quick``.

        Returns:
            21hw float32 in [0, 1] at the network's own size, with the photo's aspect.
        """

    def objectness(self, rgb: Pixels, classes: Sequence[str], longest: int) -> Objectness:
        """As ``probabilities``, of the removed classes together and of the background alone."""
        found = self.probabilities(rgb, longest)
        return Objectness(removed_probability(found, classes), found[0])


@dataclass(frozen=True)
class Chosen:
    """The segmenter of a run.

    Attributes:
        segmenter: the network.
        weights: sha256 by name.
        warning: for the report, if the segmenter is a fallback.
    """

    segmenter: Segmenter
    weights: dict[str, str]
    warning: str | None = None


def choose_segmenter(
    names: SegmenterNames,
    device: torch.device,
    *,
    offline: bool,
    weights: Iterable[OwnWeight] = (),
) -> Chosen:
    """Load the requested segmenter.

    Args:
        names: its ``network`` is ``fcn_resnet101``, ``compact``, or ``auto``: FCN-ResNet101 if its
            weights are cached or reachable, which is decided within seconds, else the compact
            segmenter.
        device: where it runs.
        offline: never download.
        weights: the user's own, which replace bundled ones.

    Raises:
        WeightsError: ``fcn_resnet101`` was requested and its weights are unavailable; there is no
            silent fallback.
        UsageError: something else is named.
    """
    from ...models.checkpoint import CheckpointError
    from ...models.download_cache import cache_folder
    from ...models.hub import FCN_RESNET101, fetch, why_missing

    name = names.network
    if names.checkpoint is not None or names.models:
        raise UsageError(f"--segmenter {names.text}: takes no file or folder yet")
    if name == "compact":
        return _compact(device, weights, None)
    remedy = f"put {FCN_RESNET101.url} into {cache_folder()}, or use --segmenter compact"
    why = why_missing(FCN_RESNET101, offline=offline)
    if why:
        if name == "fcn_resnet101":
            raise WeightsError(f"FCN-ResNet101's weights are {why}; {remedy}")
        return _compact(device, weights, f"{FALLBACK} (FCN-ResNet101's weights are {why})")
    try:
        path, digest = fetch(FCN_RESNET101)
        return Chosen(FCNSegmenter(str(path), device), {"fcn_resnet101": digest})
    except CheckpointError as error:
        if name == "fcn_resnet101":
            raise WeightsError(f"{error}; {remedy}") from error
        return _compact(device, weights, f"{FALLBACK} ({error})")


def _compact(device: torch.device, weights: Iterable[OwnWeight], warning: str | None) -> Chosen:
    """The compact segmenter, as the user's choice or (with a warning) as the fallback."""
    adapter = CompactSegmenterAdapter(device, weights)
    return Chosen(adapter, {"compact-segmenter": adapter.sha256}, warning)


class CompactSegmenterAdapter(Segmenter):
    """The compact segmenter, applied to photos.

    Args:
        device: where it runs.
        weights: the user's own, which replace bundled ones.

    Attributes:
        device: where it runs.
        sha256: of its weight.
        network: the network in inference mode.
    """

    name = "compact"
    quick = True

    def __init__(self, device: torch.device, weights: Iterable[OwnWeight] = ()) -> None:
        import torch

        from ...models.checkpoint import CheckpointError
        from ...models.folding import fold_batch_norm
        from ...models.own_weights import load_network

        self.device = device
        try:
            network, self.sha256 = load_network("compact-segmenter", weights)
        except CheckpointError as error:
            raise WeightsError(str(error)) from error
        self.network = fold_batch_norm(network).to(device, memory_format=torch.channels_last)

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        """As in ``Segmenter``; ``longest`` is ``COMPACT_SIZE`` by default."""
        import torch

        from ...models.precision import autocast
        from ...models.segmenter import photo_logits

        small = resize_longest(rgb, longest or COMPACT_SIZE)
        with torch.inference_mode(), autocast(self.device, small.shape[1]):
            logits = photo_logits(self.network, small, self.device)
            return logits.float().softmax(0).cpu().numpy()

    def objectness(self, rgb: Pixels, classes: Sequence[str], longest: int) -> Objectness:
        """As in ``Segmenter``: each is one class against all others, so two maps are enlarged."""
        import torch

        from ...models.precision import autocast
        from ...models.segmenter import full_size, padded

        small = resize_longest(rgb, longest)
        ids = [CATEGORIES.index(c) for c in classes]
        with torch.inference_mode(), autocast(self.device, small.shape[1]):
            logits = self.network(padded(small).to(self.device)).float()
            odds = torch.stack([_log_odds(logits, ids), _log_odds(logits, [0])], dim=1)
            removed, background = full_size(odds, *small.shape[:2]).sigmoid().cpu().numpy()
        return Objectness(removed, background)

    def with_levels(self, rgb: NDArray[np.uint8]) -> tuple[FloatArray, list[torch.Tensor]]:
        """Segment a picture as it is, and keep the encoder's maps for another network.

        Args:
            rgb: HWC.

        Returns:
            (21HW float32 in [0, 1]; ``MobileNetV2.levels`` of the picture, padded to 16 k + 1)
        """
        import torch

        from ...models.precision import autocast
        from ...models.segmenter import full_size, padded

        with torch.inference_mode(), autocast(self.device, rgb.shape[1]):
            logits, levels = self.network.with_levels(padded(rgb).to(self.device))
            return full_size(logits, *rgb.shape[:2]).softmax(0).cpu().numpy(), levels

    def levels(self, rgb: NDArray[np.uint8]) -> list[torch.Tensor]:
        """The encoder's maps alone; see ``with_levels``."""
        import torch

        from ...models.precision import autocast
        from ...models.segmenter import padded

        with torch.inference_mode(), autocast(self.device, rgb.shape[1]):
            levels: list[torch.Tensor] = self.network.encoder.levels(padded(rgb).to(self.device))
            return levels


def _log_odds(logits: torch.Tensor, ids: Sequence[int]) -> torch.Tensor:
    """The logarithm of the odds of some classes together: N(classes)hw -> Nhw."""
    others = [i for i in range(logits.shape[1]) if i not in ids]
    return logits[:, list(ids)].logsumexp(1) - logits[:, others].logsumexp(1)


class FCNSegmenter(Segmenter):
    """torchvision's fcn_resnet101 with COCO_WITH_VOC_LABELS_V1, its transforms and categories.

    Attributes:
        device: where it runs.
        network: the network in inference mode.
        transform: torchvision's transforms for its weights.
    """

    name = "fcn_resnet101"
    quick = False

    def __init__(self, path: str, device: torch.device) -> None:
        import torch
        from torchvision.models.segmentation import FCN_ResNet101_Weights, fcn_resnet101

        from ...models.folding import fold_batch_norm

        weights = FCN_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1
        if tuple(weights.meta["categories"])[1:] != CATEGORIES[1:]:
            raise WeightsError(
                f"torchvision's FCN categories changed: {weights.meta['categories']};"
                " report this with torchvision's version"
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
        """As in ``Segmenter``; ``longest`` is ignored."""
        import torch

        from ...models.precision import autocast

        small = resize_longest(rgb, FCN_SIZE)
        x = self.transform(torch.from_numpy(np.ascontiguousarray(small)).permute(2, 0, 1))[None]
        with torch.inference_mode(), autocast(self.device, small.shape[1]):
            logits = self.network(x.to(self.device).contiguous(memory_format=torch.channels_last))[
                "out"
            ]
            return logits[0].float().softmax(0).cpu().numpy()


def resize_longest(rgb: Pixels, longest: int) -> NDArray[np.uint8]:
    """Resize an HWC photo to ``longest`` pixels along its longer side (larger too), as uint8."""
    scale = longest / max(rgb.shape[:2])
    size = scaled_size(rgb.shape, scale)
    return eight_bits(resize(rgb, size, cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
