"""The effects network: the contract, and what it returns before any training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from remove_objects.models.deeplab import LEVEL_CHANNELS
from remove_objects.models.object_effects import EFFECTS, ObjectEffects, ObjectEffectsConfig
from tests.support.network_contract import SizeContract


class TestContract(SizeContract):
    network_class = ObjectEffects
    config = ObjectEffectsConfig((4, 6, 8, 8), "f" * 64)
    wider = ObjectEffectsConfig((4, 6, 8, 12))
    sizes = ((32, 48), (64, 32))
    illegal = (((33, 32), (48, 32)), ((32, 47), (32, 48)))

    def build(self, config: Any = None) -> nn.Module:
        return super().build(config)

    def inputs(self, n: int, height: int, width: int) -> tuple[Tensor, ...]:
        strides = (2, 4, 8, 16, 16)
        features = [
            torch.randn(n, channels, -(-height // stride), -(-width // stride))
            for channels, stride in zip(LEVEL_CHANNELS, strides, strict=True)
        ]
        image = torch.rand(n, 3, height, width) * 2 - 1
        return image, (torch.rand(n, 1, height, width) > 0.5).float(), *features

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, len(EFFECTS), height, width


@torch.no_grad()
def test_an_untrained_network_finds_little() -> None:
    network = ObjectEffects(ObjectEffectsConfig((4, 6, 8, 8))).eval()
    inputs = TestContract().inputs(1, 32, 48)
    assert network(*inputs).sigmoid().mean() < 0.2
