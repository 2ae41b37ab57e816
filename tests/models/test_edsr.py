"""EDSR x8 as two stacked stages."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from remove_objects.models.edsr import EDSR, EDSRConfig, EDSRStage
from tests.support.network_contract import NetworkContract


class TestContract(NetworkContract):
    network_class = EDSR
    config = EDSRConfig(width=3, blocks=2, residual_scale=0.5)
    wider = EDSRConfig(width=4, blocks=2, residual_scale=0.5)
    sizes = ((8, 8), (5, 7), (1, 1))  # any size is legal
    masked = False

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 3, 8 * height, 8 * width


@torch.no_grad()
def test_32_becomes_256_by_4_and_then_by_2() -> None:
    network = EDSR(EDSRConfig(2, 1)).eval()
    steps: list[tuple[int, int]] = []
    for stage in (network.by2, network.by4):
        stage.register_forward_hook(
            lambda _m, x, out: steps.append((x[0].shape[-1], out.shape[-1]))
        )
    assert network(torch.rand(1, 3, 32, 32)).shape == (1, 3, 256, 256)
    assert steps == [(32, 128), (128, 256)]


def test_no_batch_norm_and_the_baseline_depth() -> None:
    with torch.device("meta"):
        network = EDSR()
    assert not [m for m in network.modules() if "Norm" in type(m).__name__]
    for stage, shuffles in ((network.by4, 2), (network.by2, 1)):
        assert len(stage.body) == 16 + 1
        assert stage.head.out_channels == 64
        assert [m.upscale_factor for m in stage.modules() if isinstance(m, nn.PixelShuffle)] == [
            2
        ] * shuffles


@torch.no_grad()
def test_residual_block_adds_its_scaled_body() -> None:
    block = EDSRStage(EDSRConfig(4, 1, residual_scale=0.1), 2).body[0]
    x = torch.randn(1, 4, 6, 6)
    first, _, second = block.body
    torch.testing.assert_close(block(x), x + 0.1 * second(first(x).clamp(min=0)))


@torch.no_grad()
def test_stage_adds_the_head_to_the_body() -> None:
    stage = EDSRStage(EDSRConfig(4, 1), 4)
    x = torch.randn(1, 3, 6, 6)
    head = stage.head(x)
    torch.testing.assert_close(stage(x), stage.tail(head + stage.body(head)))


def test_other_factors_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3"):
        EDSRStage(EDSRConfig(2, 1), 3)
