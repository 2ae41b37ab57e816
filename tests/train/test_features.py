"""The feature network of a file, with a made-up file."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from train.features import NormalisedVGG, feature_network

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
    found = network(image)
    assert [tuple(f.shape) for f in found] == [(2, 4, 16, 24), (2, 4, 16, 24), (2, 6, 8, 12), (2, 6, 8, 12), (2, 8, 4, 6)]
    state = torch.load(weights, weights_only=True)
    x = F.conv2d(image, state["0.weight"], state["0.bias"])
    first = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), state["2.weight"], state["2.bias"]).clamp(min=0)
    torch.testing.assert_close(found[0], first)
    second = F.conv2d(F.pad(first, (1, 1, 1, 1), mode="reflect"), state["5.weight"], state["5.bias"]).clamp(min=0)
    torch.testing.assert_close(found[1], second)
    pooled = F.max_pool2d(second, 2)
    third = F.conv2d(F.pad(pooled, (1, 1, 1, 1), mode="reflect"), state["9.weight"], state["9.bias"]).clamp(min=0)
    torch.testing.assert_close(found[2], third)


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
