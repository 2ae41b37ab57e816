"""The feature networks, of generated files, and LPIPS, which only scores."""

from __future__ import annotations

import os
import pickle
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import VGG16_Weights, squeezenet1_1
from torchvision.models.vgg import cfgs, make_layers

from remove_objects.models import hub
from remove_objects.models.checkpoint import CheckpointError, sha256
from remove_objects.models.segmenter import CompactSegmenter
from remove_objects.models.shipped import load_shipped
from remove_objects.train.features import (
    NormalisedVGG,
    Scorer,
    SegmenterFeatures,
    SqueezeNet,
    feature_network,
)

#: Index in the file, channels in, channels out, kernel.
CONVS = ((0, 3, 3, 1), (2, 3, 4, 3), (5, 4, 4, 3), (9, 4, 6, 3), (12, 6, 6, 3), (16, 6, 8, 3))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    state = {}
    for index, before, after, kernel in CONVS:
        state[f"{index}.weight"] = torch.randn(after, before, kernel, kernel)
        state[f"{index}.bias"] = torch.randn(after)
    path = tmp_path / "vgg_normalised_conv3_1.pth"
    torch.save(state, path)
    return path


def test_five_maps_shallow_to_deep(weights: Path) -> None:
    network = feature_network(str(weights))
    image = torch.rand(2, 3, 16, 24)
    maps = network(image)
    assert [tuple(f.shape) for f in maps] == [
        (2, 4, 16, 24),
        (2, 4, 16, 24),
        (2, 6, 8, 12),
        (2, 6, 8, 12),
        (2, 8, 4, 6),
    ]
    state = torch.load(weights, weights_only=True)
    x = F.conv2d(image, state["0.weight"], state["0.bias"])
    first = F.conv2d(
        F.pad(x, (1, 1, 1, 1), mode="reflect"), state["2.weight"], state["2.bias"]
    ).clamp(min=0)
    torch.testing.assert_close(maps[0], first)
    second = F.conv2d(
        F.pad(first, (1, 1, 1, 1), mode="reflect"), state["5.weight"], state["5.bias"]
    ).clamp(min=0)
    torch.testing.assert_close(maps[1], second)
    pooled = F.max_pool2d(second, 2)
    third = F.conv2d(
        F.pad(pooled, (1, 1, 1, 1), mode="reflect"), state["9.weight"], state["9.bias"]
    ).clamp(min=0)
    torch.testing.assert_close(maps[2], third)


def test_gradients_reach_the_picture_but_not_the_weights(weights: Path) -> None:
    network = NormalisedVGG(weights)
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    network(image)[-1].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert not [p for p in network.parameters() if p.requires_grad]


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_file_that_would_run_code_does_not(tmp_path: Path) -> None:
    target = tmp_path / "made-by-the-pickle"
    torch.save({"0.weight": Bomb(target)}, tmp_path / "bomb.pth")
    with pytest.raises(pickle.UnpicklingError):
        feature_network(str(tmp_path / "bomb.pth"))
    assert not target.exists()


@pytest.fixture
def squeezenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A network of random numbers, in torch's cache under the name of the published one."""
    network = squeezenet1_1(weights=None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    path = folder / "squeezenet1_1-b8a52dc0.pth"
    torch.save(network.state_dict(), path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(hub, "SQUEEZENET", replace(hub.SQUEEZENET, also=(sha256(path),)))
    return network.eval()


def test_squeezenet_returns_each_pools_input_and_the_last_map(squeezenet: nn.Module) -> None:
    image = torch.rand(2, 3, 64, 48)
    network = feature_network("squeezenet")
    maps = network(image)
    assert [tuple(f.shape) for f in maps] == [
        (2, 64, 31, 23),
        (2, 128, 15, 11),
        (2, 256, 7, 5),
        (2, 512, 3, 2),
    ]
    x = (image - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(
            maps[0],
            F.relu(
                F.conv2d(x, squeezenet.features[0].weight, squeezenet.features[0].bias, stride=2)
            ),
        )
        torch.testing.assert_close(maps[3], squeezenet.features(x))
    assert [
        i for i, layer in enumerate(squeezenet.features) if isinstance(layer, nn.MaxPool2d)
    ] == [i + 1 for i in SqueezeNet.TAKEN[:3]]


def test_a_cached_file_of_another_hash_is_refused(squeezenet: nn.Module, tmp_path: Path) -> None:
    with open(tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth", "ab") as file:
        file.write(b"something else")
    with pytest.raises(CheckpointError, match="delete the file"):
        feature_network("squeezenet")


def test_segmenter_features_are_the_shipped_weights() -> None:
    network = SegmenterFeatures()
    shipped, _ = load_shipped("compact-segmenter", CompactSegmenter)
    image = torch.rand(2, 3, 65, 81)
    maps = network(image)
    assert [tuple(f.shape[1:]) for f in maps] == [
        (24, 17, 21),
        (32, 9, 11),
        (64, 5, 6),
        (96, 5, 6),
        (320, 5, 6),
    ]
    with torch.no_grad():
        fine, deep = shipped.encoder(image * 2 - 1)
    torch.testing.assert_close(maps[0], fine)
    torch.testing.assert_close(maps[-1], deep)
    image.requires_grad_()
    maps = network(image)
    sum(f.sum() for f in maps).backward()  # type: ignore[union-attr]
    assert image.grad is not None
    assert all(p.grad is None for p in network.parameters())
    assert not network.layers.training


def test_squeezenet_passes_gradients_on_and_keeps_none(squeezenet: nn.Module) -> None:
    network = feature_network("squeezenet")
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    sum(f.sum() for f in network(image)).backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert not [p for p in network.parameters() if p.requires_grad]
    assert not network.layers.training  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["squeezenet", "vgg16"])
def test_an_uncached_feature_network_is_not_downloaded_offline(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[Any] = []

    def refuse(address: Any, *_: Any, **__: Any) -> None:
        requested.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises((OSError, ValueError)):  # an error of the user for train.cli
        feature_network(name)
    assert requested == []


def vgg16_file(folder: Path, name: str) -> Path:
    """A file of the layers that are used, of random numbers."""
    state = {f"features.{k}": v for k, v in make_layers(cfgs["D"])[:17].state_dict().items()}
    torch.save(state, folder / name)
    return folder / name


def test_vgg16_feeds_pictures_normalised_by_imagenets_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    path = vgg16_file(folder, "vgg16-397923af.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(hub, "VGG16", replace(hub.VGG16, sha256=sha256(path)))
    state = torch.load(path, weights_only=True)
    image = torch.rand(1, 3, 32, 48)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (image - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    for i in (0, 2):
        weight, bias = state[f"features.{i}.weight"], state[f"features.{i}.bias"]
        x = F.relu(F.conv2d(x, weight, bias, padding=1))
    for name in ("vgg16", str(path)):
        maps = feature_network(name)(image)
        assert [tuple(f.shape) for f in maps] == [
            (1, 64, 16, 24),
            (1, 128, 8, 12),
            (1, 256, 4, 6),
        ]
        torch.testing.assert_close(maps[0], F.max_pool2d(x, 2))


def test_a_vgg16_for_other_inputs_is_refused(tmp_path: Path) -> None:
    path = vgg16_file(tmp_path, "vgg16_features-amdegroot-88682ab5.pth")
    with pytest.raises(ValueError, match=r"levels of 0 to 255.*use --features vgg16"):
        feature_network(str(path))


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"encoder.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="not VGG-19's first layers"):
        feature_network(str(tmp_path / "other.pth"))


def test_the_file_of_the_hub_is_the_one_for_normalised_pictures() -> None:
    vgg16 = VGG16_Weights.IMAGENET1K_V1
    assert vgg16.url == hub.VGG16.url
    transforms = vgg16.transforms()
    assert (transforms.mean, transforms.std) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


class Lpips(nn.Module):
    """Replaces the lpips package's network: N111, on pictures in [0, 1] only with ``normalize``."""

    def forward(self, result: Tensor, truth: Tensor, normalize: bool = False) -> Tensor:
        assert normalize
        assert result.dtype == truth.dtype == torch.float32
        return (result - truth).mean((1, 2, 3), keepdim=True)


def test_scorer_has_a_score_per_picture() -> None:
    maps, truth = torch.ones(2, 3, 4, 4, dtype=torch.bfloat16), torch.zeros(2, 3, 4, 4)
    truth[1] = 0.25
    assert Scorer(Lpips())(maps, truth).tolist() == [1.0, 0.75]
