"""Segmenters: from a photo to class probabilities at the network's own size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.categories import CATEGORIES
from ..errors import WeightsError
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
#: Longer side in pixels of a photo before the transforms of torchvision's networks, which bring its
#: shorter side to 520; of the second, mirrored pass; and of a crop.
TORCHVISION_SIZE, TORCHVISION_NEARER, TORCHVISION_CROP = 1040, 1040, 520
#: torchvision's networks whose pass costs about as much as the compact segmenter's: they make a
#: second pass over the photo, and the crops, themselves.
LIGHT = ("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large")
#: The network that ``auto`` prefers.
FIRST = "fcn_resnet101"
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
    #: Whether it may judge results, which was fitted on the compact segmenter's answers.
    judges: bool = True
    #: Longer side in pixels of the network's input in a second, mirrored pass over a whole photo,
    #: and of a crop.
    nearer: int = NEARER_SIZE
    crop: int = COMPACT_SIZE

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        """Segment a photo.

        Args:
            rgb: HWC uint8 or uint16.
            longest: longer side in pixels of the network's input; None for its own.

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
        names: its ``network`` is ``compact``, one of torchvision's, or ``auto``: FCN-ResNet101 if
            its weights are cached or reachable, which is decided within seconds, else the compact
            segmenter. With a ``checkpoint`` nothing is downloaded.
        device: where it runs.
        offline: never download.
        weights: the user's own, which replace bundled ones.

    Raises:
        WeightsError: one of torchvision's was requested and its weights are unavailable, or the
            checkpoint does not fit; there is no silent fallback.
    """
    # Beside own models alone, the compact segmenter tells what else there is.
    if names.network is None or names.network == "compact":
        return _compact(device, weights, None)
    if names.checkpoint is not None:
        return _own(names.network, names.checkpoint, device)
    name = FIRST if names.network == "auto" else names.network
    loaded, why, remedy = _published(name, device, offline=offline)
    if loaded is not None:
        return loaded
    if names.network != "auto":
        raise WeightsError(f"{why}; {remedy}")
    return _compact(device, weights, f"{FALLBACK} ({why})")


def _published(name: str, device: torch.device, *, offline: bool) -> tuple[Chosen | None, str, str]:
    """One of torchvision's networks, with its published weights.

    Returns:
        (it or None, why it is unavailable, what to do)
    """
    from ...models.checkpoint import CheckpointError
    from ...models.download_cache import cache_folder
    from ...models.hub import SEGMENTERS, fetch, why_missing
    from ...models.torchvision_segmentation import load_network

    remote = SEGMENTERS[name]
    remedy = f"put {remote.url} into {cache_folder()}, or use --segmenter compact"
    why = why_missing(remote, offline=offline)
    if why:
        return None, f"the weights of {name} are {why}", remedy
    try:
        path, digest = fetch(remote)
        network = load_network(name, path)
    except CheckpointError as error:
        return None, str(error), remedy
    return Chosen(TorchvisionSegmenter(name, network, device), {name: digest}), "", remedy


def _own(name: str, path: Path, device: torch.device) -> Chosen:
    """One of torchvision's networks, with the weights of the user's file."""
    from ...models.checkpoint import CheckpointError
    from ...models.torchvision_segmentation import load_own_network

    try:
        network, digest = load_own_network(name, path)
    except (CheckpointError, OSError) as error:
        raise WeightsError(f"--segmenter {name}=FILE: {error}") from error
    return Chosen(TorchvisionSegmenter(name, network, device), {name: digest})


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


class TorchvisionSegmenter(Segmenter):
    """One of torchvision's networks with COCO_WITH_VOC_LABELS_V1's transforms and categories.

    Args:
        name: one of ``hub.SEGMENTERS``.
        network: in evaluation mode; it cannot be trained afterwards.
        device: where it runs.

    Raises:
        WeightsError: this version of torchvision has other categories.
    """

    judges = False
    nearer, crop = TORCHVISION_NEARER, TORCHVISION_CROP

    def __init__(self, name: str, network: torch.nn.Module, device: torch.device) -> None:
        import torch
        from torchvision.models import get_model_weights

        from ...models.folding import fold_batch_norm

        weights = get_model_weights(name)["COCO_WITH_VOC_LABELS_V1"]  # type: ignore[index]
        if tuple(weights.meta["categories"])[1:] != CATEGORIES[1:]:
            raise WeightsError(
                f"torchvision's categories of {name} changed: {weights.meta['categories']};"
                " report this with torchvision's version"
            )
        self.name, self.quick = name, name in LIGHT
        self._whole, self._as_it_is = weights.transforms(), weights.transforms(resize_size=None)
        self.device = device
        folded = fold_batch_norm(network)
        self.network = folded.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        """As in ``Segmenter``; by default the photo's shorter side is torchvision's 520 pixels."""
        import torch

        from ...models.precision import autocast

        small = resize_longest(rgb, longest or TORCHVISION_SIZE)
        transform = self._as_it_is if longest else self._whole
        x = transform(torch.from_numpy(np.ascontiguousarray(small)).permute(2, 0, 1))[None]
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
