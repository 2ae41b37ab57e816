"""Feature networks for the perceptual and style losses, and the one that only scores.

A file of VGG-19's first layers, VGG-16 or SqueezeNet from torchvision's hub. LPIPS scores held-out pictures and trains nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..models.hub import RemoteFile


class NormalisedVGG(nn.Module):
    """VGG-19 to relu3_1 as style transfer uses it: normalised weights, the first layer a colour transform, reflection padding.

    Args:
        path: ``vgg_normalised_conv3_1.pth``; loaded with ``weights_only``, so nothing in it can run.
    """

    #: The file's convolutions by index, and where features are taken (relu1_1, relu1_2, relu2_1, relu2_2, relu3_1) or pooled.
    LAYERS = (
        (2, False, True),
        (5, True, True),
        (9, False, True),
        (12, True, True),
        (16, False, True),
    )

    def __init__(self, path: Path) -> None:
        super().__init__()
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.colour = _conv(state, 0, padding=0)
        self.convs = nn.ModuleList([_conv(state, i, padding=0) for i, *_ in self.LAYERS])
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = self.colour(image)
        features = []
        for conv, (_, pool, _) in zip(self.convs, self.LAYERS, strict=True):
            x = torch.relu(conv(nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")))
            features.append(x)
            if pool:
                x = nn.functional.max_pool2d(x, 2)
        return features


class VGG16(nn.Module):
    """The three pools of torchvision's VGG-16, as both papers use it (hash-checked download from torchvision's own hub)."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import vgg16

        from ..models.hub import VGG16_FEATURES

        # The published file has the classifier's names with NaN in them; only the features are taken.
        state = torch.load(_had(VGG16_FEATURES), map_location="cpu", weights_only=True)
        features = vgg16(weights=None).features
        features.load_state_dict(
            {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
        )
        self.layers = features[:17].requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor([0.48235, 0.45882, 0.40784]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([1 / 255] * 3).view(1, 3, 1, 1))

    mean: Tensor
    std: Tensor

    def forward(self, image: Tensor) -> list[Tensor]:
        x = (image - self.mean) / self.std
        features = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                features.append(x)
        return features


class SqueezeNet(nn.Module):
    """The four pools' inputs of torchvision's SqueezeNet 1.1: an eighth of VGG's cost, for machines without an accelerator."""

    #: Indices of the layers whose output is taken: before each pool, and the last.
    TAKEN = (1, 4, 7, 12)

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import squeezenet1_1

        from ..models.hub import SQUEEZENET

        network = squeezenet1_1(weights=None)
        network.load_state_dict(torch.load(_had(SQUEEZENET), map_location="cpu", weights_only=True))
        self.layers = network.features.requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    mean: Tensor
    std: Tensor

    def forward(self, image: Tensor) -> list[Tensor]:
        return _taken(self.layers, (image - self.mean) / self.std, self.TAKEN)


class SegmenterFeatures(nn.Module):
    """The compact segmenter that ships, after five of MobileNetV2's stages, at strides 4, 8, 16, 16 and 16.

    Suvorov et al. 2022, 2.2.1: features of a segmenter with holes in its filters see whole things where VGG's first layers see strokes.
    It is in every installation.
    """

    #: The last block of a stage: 24, 32, 64, 96 and 320 channels.
    TAKEN = (3, 6, 10, 13, 17)

    def __init__(self) -> None:
        super().__init__()
        from ..models.segmenter import CompactSegmenter
        from ..models.shipped import load_shipped

        network, _ = load_shipped("compact-segmenter", CompactSegmenter)
        self.layers = (
            network.encoder.features.to(memory_format=torch.channels_last)
            .requires_grad_(False)
            .eval()
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        return _taken(self.layers, image * 2 - 1, self.TAKEN)


def _taken(layers: Iterable[nn.Module], x: Tensor, at: Container[int]) -> list[Tensor]:
    """What the layers at these places answer, one after the other."""
    features = []
    for i, layer in enumerate(layers):
        x = layer(x)
        if i in at:
            features.append(x)
    return features


def _had(remote: RemoteFile) -> Path:
    """The cached file, or the downloaded one; its hash is checked.

    Raises:
        FileNotFoundError: says why it is not to be had, and where to put it.
        CheckpointError: it is there, and is not what was published.
    """
    from ..models.hub import cache_folder, fetch, why_missing

    why = why_missing(remote, offline=False)
    if why:
        raise FileNotFoundError(
            f"{remote.filename} is {why}; put {remote.url} into {cache_folder()}, or use another --features"
        )
    return fetch(remote).path


class RandomFeatures(nn.Module):
    """Three layers of random weights, always the same ones: to see that a loss runs where no trained network can be had."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.convs = nn.ModuleList(
            [nn.Conv2d(before, after, 3, 2, 1) for before, after in ((3, 8), (8, 16), (16, 16))]
        )
        for parameter in self.parameters():
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        features = [image]
        for conv in self.convs:
            features.append(torch.relu(conv(features[-1])))
        return features[1:]


def feature_network(name: str) -> nn.Module:
    """``vgg16`` or ``squeezenet`` from torchvision's hub, ``random``, else the path of a ``vgg_normalised_conv3_1.pth``."""
    if name == "random":
        return RandomFeatures()
    if name == "squeezenet":
        return SqueezeNet()
    return VGG16() if name == "vgg16" else NormalisedVGG(Path(name))


class Scorer(nn.Module):
    """LPIPS (SqueezeNet) of two batches N3HW in [0, 1] -> N. It never trains a network: a lower figure then means a better picture.

    Args:
        network: from ``pipeline.quality.lpips.lpips_network``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, found: Tensor, truth: Tensor) -> Tensor:
        return self.network(found.float(), truth.float(), normalize=True).flatten()  # type: ignore[no-any-return]


def _conv(state: dict[str, Tensor], index: int, *, padding: int) -> nn.Conv2d:
    weight = state[f"{index}.weight"]
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], padding=padding)
    conv.load_state_dict({"weight": weight, "bias": state[f"{index}.bias"]})
    return conv
