"""The classifiers behind Similarity: MobileNetV2 (ImageNet), and the paper's VGG16_BN (Places).

They score pictures and must never train an inpainter. Scores of different classifiers cannot be
compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..models.checkpoint import CheckpointError, load_weights
from .mobilenet_v2 import ClassifierMobileNetV2, scaled


@dataclass(frozen=True)
class PlacesVGG16BNConfig:
    """Shape of a ``PlacesVGG16BN``.

    Attributes:
        classes: outputs of the new layer.
        names: the classes' names by index, or empty.
        size: side in pixels of the network's input.
    """

    classes: int = 365
    names: tuple[str, ...] = ()
    size: int = 224

    def __post_init__(self) -> None:
        if self.names and len(self.names) != self.classes:
            raise ValueError(
                f"{len(self.names)} names for {self.classes} classes; "
                "expected one for each, or none"
            )


class PlacesVGG16BN(nn.Module):
    """VGG16_BN with a new layer for Places' 365 classes (Wu & Cui, section 4.1).

    "a new full-connection layer with 365 channels to transfer from 1000-classification task":
    the new layer lies on top of the 1000 outputs, as the sentence says; the old last layer
    stays.

    Args:
        config: see ``PlacesVGG16BNConfig``.
        backbone: normalised pictures N3HW -> Nx1000; default ``untrained_backbone()``.
    """

    config_class = PlacesVGG16BNConfig

    def __init__(
        self, config: PlacesVGG16BNConfig | None = None, backbone: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.config = config or PlacesVGG16BNConfig()
        self.backbone = untrained_backbone() if backbone is None else backbone
        self.head = nn.Linear(1000, self.config.classes)
        # ImageNet's, as torchvision's weights expect; constants, so they are not in a weight
        # file, which is fp16.
        self.register_buffer(
            "mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False
        )
        self.register_buffer(
            "std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False
        )

    mean: Tensor
    std: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Classify pictures.

        Args:
            image: N3HW RGB in [0, 1], any size; resized to the config's.

        Returns:
            Nx``classes`` logits.
        """
        return self.head(self.backbone((scaled(image, self.config.size) - self.mean) / self.std))


def untrained_backbone() -> nn.Module:
    """VGG16_BN of torchvision without its weights, to be filled from a file."""
    from torchvision.models import vgg16_bn

    return vgg16_bn(weights=None, init_weights=False)


def imagenet_backbone(*, offline: bool = False) -> nn.Module:
    """VGG16_BN of torchvision with its ImageNet weights, cached or downloaded; the hash is checked.

    Args:
        offline: never download; the environment variable ``REMOVE_OBJECTS_OFFLINE`` has the
            same effect.

    Raises:
        FileNotFoundError: unavailable; the message says why, and where to put the file.
        CheckpointError: the file is not the published one.
    """
    from ..models.download_cache import cache_folder
    from ..models.hub import VGG16_BN, fetch, why_missing

    why = why_missing(VGG16_BN, offline=offline)
    if why:
        raise FileNotFoundError(
            f"{VGG16_BN.filename} is {why}; "
            f"put {VGG16_BN.url} into {cache_folder()}, then run again"
        )
    network = untrained_backbone()
    network.load_state_dict(torch.load(fetch(VGG16_BN).path, map_location="cpu", weights_only=True))
    return network


def load_classifier(path: Path) -> ClassifierMobileNetV2 | PlacesVGG16BN:
    """Load a classifier in evaluation mode.

    Args:
        path: ``.npz`` of a ``ClassifierMobileNetV2``, or ``.safetensors`` of a
            ``PlacesVGG16BN``.

    Raises:
        FileNotFoundError: as the networks' own loaders.
        CheckpointError: as the networks' own loaders; pickles are refused unread.
    """
    if path.suffix == ".npz":
        return ClassifierMobileNetV2(path)
    if path.suffix == ".safetensors":
        network = load_weights(path, PlacesVGG16BN)
        assert isinstance(network, PlacesVGG16BN)
        return network.requires_grad_(False)
    raise CheckpointError(
        f"{path}: a classifier is a .npz (MobileNetV2) or a .safetensors "
        f"(scene-classifier's export), not '{path.suffix}'"
    )
