"""Feature networks for the perceptual and style losses: a file of VGG-19's first layers, or VGG-16 from torchvision's hub."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn


class NormalisedVGG(nn.Module):
    """VGG-19 to relu3_1 as style transfer uses it: normalised weights, the first layer a colour transform, reflection padding.

    Args:
        path: ``vgg_normalised_conv3_1.pth``; loaded with ``weights_only``, so nothing in it can run.
    """

    #: The file's convolutions by index, and where features are taken (relu1_1, relu1_2, relu2_1, relu2_2, relu3_1) or pooled.
    LAYERS = ((2, False, True), (5, True, True), (9, False, True), (12, True, True), (16, False, True))

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
        from torchvision.models import VGG16_Weights, vgg16

        self.layers = vgg16(weights=VGG16_Weights.IMAGENET1K_FEATURES).features[:17].requires_grad_(False).eval()
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


def feature_network(name: str) -> nn.Module:
    """``vgg16`` for torchvision's, else the path of a ``vgg_normalised_conv3_1.pth``."""
    return VGG16() if name == "vgg16" else NormalisedVGG(Path(name))


def _conv(state: dict[str, Tensor], index: int, *, padding: int) -> nn.Conv2d:
    weight = state[f"{index}.weight"]
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], padding=padding)
    conv.load_state_dict({"weight": weight, "bias": state[f"{index}.bias"]})
    return conv
