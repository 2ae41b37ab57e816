"""Feature networks for the perceptual and style losses, and LPIPS, which only scores.

The feature network is a file of VGG-19's first layers, or VGG-16 or SqueezeNet from
torchvision's hub. LPIPS scores held-out pictures and never trains a network.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..models.checkpoint import sha256
from ..models.hub import RemoteFile

#: Feature networks that have a name of their own; others are files.
NAMED = ("none", "vgg16", "squeezenet", "random")


class NormalisedVGG(nn.Module):
    """VGG-19 to relu3_1 as style transfer uses it.

    Its weights are normalised, its first layer is a colour transform, and it pads by
    reflection.

    Args:
        path: ``vgg_normalised_conv3_1.pth``; loaded with ``weights_only``, so no code in it can
            run.

    Raises:
        ValueError: the file holds another network.
    """

    #: The file's convolutions: index, whether a pool follows, whether features are taken
    #: (relu1_1, relu1_2, relu2_1, relu2_2, relu3_1).
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
        wanted = {f"{i}.weight" for i in (0, *(i for i, *_ in self.LAYERS))}
        if not isinstance(state, dict) or not wanted <= set(state):
            raise ValueError(
                f"{path}: not VGG-19's first layers (no entries {', '.join(sorted(wanted))}); name "
                "a vgg_normalised_conv3_1.pth, or use --features vgg16 or squeezenet"
            )
        self.colour = _conv(state, 0, padding=0)
        self.convs = nn.ModuleList([_conv(state, i, padding=0) for i, *_ in self.LAYERS])
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """The features of pictures N3HW in [0, 1] by layer."""
        x = self.colour(image)
        features = []
        for conv, (_, pool, _) in zip(self.convs, self.LAYERS, strict=True):
            x = torch.relu(conv(nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")))
            features.append(x)
            if pool:
                x = nn.functional.max_pool2d(x, 2)
        return features


class VGG16(nn.Module):
    """The outputs of the first three pools of torchvision's VGG-16 (Kulkarni et al., 2.6.2).

    Args:
        path: ``vgg16-397923af.pth``; None = from torchvision's hub, its hash checked. Loaded with
            ``weights_only``.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        from ..models.hub import VGG16 as FILE

        state = torch.load(path or _hub_file(FILE), map_location="cpu", weights_only=True)
        self.layers = make_layers(cfgs["D"])[:17].requires_grad_(False).eval()
        own = self.layers.state_dict()
        self.layers.load_state_dict({k: state[f"features.{k}"] for k in own})
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    mean: Tensor
    std: Tensor

    def forward(self, image: Tensor) -> list[Tensor]:
        """The features of pictures N3HW in [0, 1] by layer."""
        x = (image - self.mean) / self.std
        features = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                features.append(x)
        return features


class SqueezeNet(nn.Module):
    """Four feature maps of torchvision's SqueezeNet 1.1, at an eighth of VGG's cost.

    For machines without an accelerator.
    """

    #: Indices of the layers whose output is a feature map: before each pool, and the last.
    TAKEN = (1, 4, 7, 12)

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import squeezenet1_1

        from ..models.hub import SQUEEZENET

        network = squeezenet1_1(weights=None)
        network.load_state_dict(
            torch.load(_hub_file(SQUEEZENET), map_location="cpu", weights_only=True)
        )
        self.layers = network.features.requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    mean: Tensor
    std: Tensor

    def forward(self, image: Tensor) -> list[Tensor]:
        """The features of pictures N3HW in [0, 1] by layer."""
        return _outputs_at(self.layers, (image - self.mean) / self.std, self.TAKEN)


class SegmenterFeatures(nn.Module):
    """The shipped compact segmenter after five stages, at strides 4, 8, 16, 16 and 16.

    Suvorov et al. 2022, section 2.2.1: the features of a segmenter with dilated convolutions
    respond to whole objects, those of VGG's first layers to strokes. Its weights are in every
    installation.
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
        """The features of pictures N3HW in [0, 1] by layer."""
        return _outputs_at(self.layers, image * 2 - 1, self.TAKEN)


def _outputs_at(layers: Iterable[nn.Module], x: Tensor, at: Container[int]) -> list[Tensor]:
    """Apply the layers in turn; returns the outputs of those at the indices ``at``."""
    features = []
    for i, layer in enumerate(layers):
        x = layer(x)
        if i in at:
            features.append(x)
    return features


def _hub_file(remote: RemoteFile) -> Path:
    """The file from torchvision's hub, cached or downloaded; its hash is checked.

    Raises:
        FileNotFoundError: unavailable; the message says why, and where to put the file.
        CheckpointError: the file is not the published one.
    """
    from ..models.download_cache import cache_folder
    from ..models.hub import fetch, why_missing

    why = why_missing(remote, offline=False)
    if why:
        raise FileNotFoundError(
            f"{remote.filename} is {why}; put {remote.url} into {cache_folder()}, "
            "or train without it: --features none"
        )
    return fetch(remote).path


class RandomFeatures(nn.Module):
    """Three layers of fixed random weights, to test a loss without a trained network."""

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
        """The features of pictures N3HW by layer."""
        features = [image]
        for conv in self.convs:
            features.append(torch.relu(conv(features[-1])))
        return features[1:]


def feature_network(name: str) -> nn.Module:
    """Load a feature network.

    Args:
        name: ``vgg16`` or ``squeezenet`` from torchvision's hub, ``random``, else the path of a
            ``vgg_normalised_conv3_1.pth``, or of torchvision's ``vgg16-397923af.pth``.

    Raises:
        ValueError: the file holds another network, or a VGG-16 whose inputs are of another scale.
    """
    if name == "random":
        return RandomFeatures()
    if name == "squeezenet":
        return SqueezeNet()
    if name == "vgg16":
        return VGG16()
    path = Path(name)
    return VGG16(path) if _is_vgg16(path) else NormalisedVGG(path)


def choose_features(name: str, *, learns: bool, why: str = "as asked") -> tuple[str, str]:
    """Decide which feature network ``auto`` is, and why.

    SqueezeNet is not taken by itself: LPIPS scores with it, and a network must not learn from what
    scores it.

    Args:
        name: ``auto``, or a name that ``feature_network`` takes, which stays.
        learns: whether the losses of the network that is trained use features.
        why: a name is given, for the log.

    Returns:
        (the name for ``feature_network``, or ``none``; a sentence for the log).
    """
    from ..models.hub import VGG16 as FILE
    from ..models.hub import cached

    if name != "auto":
        return name, f"features: {name}, {why}"
    if not learns:
        return "none", "features: none, because this network's losses use no feature network"
    if cached(FILE):
        return "vgg16", "features: VGG-16, which is in torch's cache"
    return (
        "none",
        "features: none, because VGG-16 is not in torch's cache; --features vgg16 downloads it "
        "(528 MB, once)",
    )


def _is_vgg16(path: Path) -> bool:
    """Whether a file is torchvision's VGG-16 for pictures in [0, 1].

    Raises:
        ValueError: it is another VGG-16. A file does not say which inputs it takes: those from
            Caffe take levels of 0 to 255 less their mean.
    """
    from ..models.hub import VGG16 as FILE

    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or "features.0.weight" not in state:
        return False
    if not sha256(path).startswith(FILE.sha256):
        raise ValueError(
            f"{path}: a VGG-16, but not {FILE.filename}, so its inputs may be levels of 0 to 255 "
            "(as those of vgg16_features-amdegroot-88682ab5.pth are) where pictures in [0, 1] are "
            f"fed, normalised by ImageNet's mean and deviation; use --features vgg16 ({FILE.url})"
        )
    return True


class Scorer(nn.Module):
    """LPIPS (SqueezeNet) of two batches N3HW in [0, 1] -> N.

    It never trains a network: only then does a lower score mean a better picture.

    Args:
        network: from ``pipeline.quality.lpips.lpips_network``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, result: Tensor, truth: Tensor) -> Tensor:
        """The distance of each pair of pictures."""
        return self.network(result.float(), truth.float(), normalize=True).flatten()


def _conv(state: dict[str, Tensor], index: int, *, padding: int) -> nn.Conv2d:
    """The convolution ``index`` of a file's state."""
    weight = state[f"{index}.weight"]
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], padding=padding)
    conv.load_state_dict({"weight": weight, "bias": state[f"{index}.bias"]})
    return conv
