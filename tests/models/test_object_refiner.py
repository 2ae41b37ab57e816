"""The object refiner: the contract, and what it returns before any training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from remove_objects.models.deeplab import LEVEL_CHANNELS, MobileNetV2
from remove_objects.models.object_refiner import DOUBT, ObjectRefiner, ObjectRefinerConfig
from tests.support.network_contract import SizeContract


class TestContract(SizeContract):
    network_class = ObjectRefiner
    config = ObjectRefinerConfig((8, 6, 4, 4), "f" * 64)
    wider = ObjectRefinerConfig((8, 6, 4, 6))
    sizes = ((32, 48), (64, 32))
    illegal = (((33, 32), (48, 32)), ((32, 47), (32, 48)))

    def build(self, config: Any = None) -> nn.Module:
        network = super().build(config)
        nn.init.normal_(network.head.weight, std=0.1)  # at 0 nothing behind it learns
        return network

    def inputs(self, n: int, height: int, width: int) -> tuple[Tensor, ...]:
        strides = (2, 4, 8, 16, 16)
        features = [
            torch.randn(n, channels, -(-height // stride), -(-width // stride))
            for channels, stride in zip(LEVEL_CHANNELS, strides, strict=True)
        ]
        image = torch.rand(n, 3, height, width) * 2 - 1
        return image, torch.rand(n, 1, height, width), *features

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 1, height, width


@torch.no_grad()
def test_an_untrained_network_returns_the_coarse_probability() -> None:
    image, coarse = torch.rand(1, 3, 32, 48) * 2 - 1, torch.rand(1, 1, 32, 48)
    network = ObjectRefiner(ObjectRefinerConfig((8, 6, 4, 4))).eval()
    alpha = network(image, coarse, *MobileNetV2().eval().levels(image)).sigmoid()
    torch.testing.assert_close(alpha, coarse.clamp(DOUBT, 1 - DOUBT))


@torch.no_grad()
def test_the_levels_are_the_maps_that_the_segmenter_computes() -> None:
    encoder, image = MobileNetV2().eval(), torch.rand(1, 3, 64, 32) * 2 - 1
    levels = encoder.levels(image)
    assert [tuple(level.shape[1:]) for level in levels] == [
        (channels, 64 // stride, 32 // stride)
        for channels, stride in zip(LEVEL_CHANNELS, (2, 4, 8, 16, 16), strict=True)
    ]
    fine, deep = encoder(image)
    torch.testing.assert_close(levels[1], fine)
    torch.testing.assert_close(encoder.features[17](levels[4]), deep)
