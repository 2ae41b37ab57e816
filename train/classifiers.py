"""The classification networks behind Similarity: MobileNetV2 on ImageNet's classes, and the paper's VGG16_BN on those of Places.

They score pictures and must never train an inpainter. A figure is comparable only with figures of the same classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..models.checkpoint import CheckpointError, load_weights
from .mobilenet_v2 import MobileNetV2, scaled

__all__ = [
    "MobileNetV2",
    "PlacesVGG16BN",
    "PlacesVGG16BNConfig",
    "imagenet_backbone",
    "load_classifier",
    "untrained_backbone",
]


@dataclass(frozen=True)
class PlacesVGG16BNConfig:
    """``classes`` that the new layer tells apart, their ``names`` by index if known, ``size``: side in pixels at which it looks."""

    classes: int = 365
    names: tuple[str, ...] = ()
    size: int = 224

    def __post_init__(self) -> None:
        if self.names and len(self.names) != self.classes:
            raise ValueError(
                f"{len(self.names)} names for {self.classes} classes; expected one for each, or none"
            )


class PlacesVGG16BN(nn.Module):
    """VGG16_BN and "a new full-connection layer with 365 channels to transfer from 1000-classification task" (Wu & Cui, 4.1).

    The new layer lies on top of the 1000 outputs, as the sentence says; the old last layer stays.

    Args:
        config: see ``PlacesVGG16BNConfig``.
        backbone: normalised pictures N3HW -> Nx1000; ``untrained_backbone()`` without one.
    """

    config_class = PlacesVGG16BNConfig

    def __init__(
        self, config: PlacesVGG16BNConfig | None = None, backbone: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.config = config or PlacesVGG16BNConfig()
        self.backbone = untrained_backbone() if backbone is None else backbone
        self.head = nn.Linear(1000, self.config.classes)
        # ImageNet's, as torchvision's weights want them; constants, so no part of a weight file that is fp16.
        self.register_buffer(
            "mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False
        )
        self.register_buffer(
            "std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False
        )

    mean: Tensor
    std: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Classify pictures N3HW RGB in [0, 1], any size, scaled to the config's -> Nx``classes`` logits."""
        return self.head(self.backbone((scaled(image, self.config.size) - self.mean) / self.std))


def untrained_backbone() -> nn.Module:
    """torchvision's VGG16_BN without its weights, for a file that brings its own."""
    from torchvision.models import vgg16_bn

    return vgg16_bn(weights=None, init_weights=False)


def imagenet_backbone(*, offline: bool = False) -> nn.Module:
    """torchvision's VGG16_BN with its ImageNet weights: from torch's cache, else downloaded; the hash is checked either way.

    Args:
        offline: never touch the network; the environment variable ``REMOVE_OBJECTS_OFFLINE`` says the same.

    Raises:
        FileNotFoundError: not to be had; says why, and where to put the file.
        CheckpointError: the file is not the published one.
    """
    from ..models.hub import VGG16_BN, cache_folder, fetch, why_missing

    why = why_missing(VGG16_BN, offline=offline)
    if why:
        raise FileNotFoundError(
            f"{VGG16_BN.filename} is {why}; put {VGG16_BN.url} into {cache_folder()}, then run again"
        )
    network = untrained_backbone()
    network.load_state_dict(torch.load(fetch(VGG16_BN).path, map_location="cpu", weights_only=True))
    return network


def load_classifier(path: Path) -> MobileNetV2 | PlacesVGG16BN:
    """A classifier in evaluation mode by its file: ``.npz`` is MobileNetV2, ``.safetensors`` an exported PlacesVGG16BN.

    Raises:
        FileNotFoundError, CheckpointError: as the networks' own loaders; pickles are refused unread.
    """
    if path.suffix == ".npz":
        return MobileNetV2(path)
    if path.suffix == ".safetensors":
        network = load_weights(path, PlacesVGG16BN)
        assert isinstance(network, PlacesVGG16BN)
        return network.requires_grad_(False)
    raise CheckpointError(
        f"{path}: a classifier is a .npz (MobileNetV2) or a .safetensors (scene-classifier's export), not '{path.suffix}'"
    )
