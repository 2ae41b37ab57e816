"""Folding keeps a network's output and leaves no norm that could be folded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from remove_objects.models.compression import CompressionConfig, CompressionNetwork
from remove_objects.models.folding import fold_batch_norm
from remove_objects.models.segmenter import CompactSegmenter, CompactSegmenterConfig
from remove_objects.models.skip_context_encoder import SkipContextEncoder, SkipContextEncoderConfig


def lived_in(network: nn.Module) -> nn.Module:
    """Give the norms statistics and scales like a trained network's instead of neutral ones."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())


def fcn() -> nn.Module:
    from torchvision.models.segmentation import fcn_resnet50

    return fcn_resnet50(weights=None, weights_backbone=None, num_classes=21)


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], Tensor], int]] = {
    "compact-segmenter": (
        lambda: CompactSegmenter(CompactSegmenterConfig(width=16)),
        lambda n: n(torch.rand(1, 3, 65, 81)),
        0,
    ),
    "skip-ce": (
        lambda: SkipContextEncoder(SkipContextEncoderConfig(3, 4, 1)),
        lambda n: n(torch.rand(2, 3, 128, 128), torch.ones(2, 1, 128, 128)),
        0,
    ),
    # Its norms follow a gate: they stay.
    "compression": (
        lambda: CompressionNetwork(CompressionConfig(4)),
        lambda n: n(torch.rand(2, 3, 64, 64), torch.ones(2, 1, 64, 64)),
        17,
    ),
    "fcn": (fcn, lambda n: n(torch.rand(1, 3, 64, 96))["out"], 0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_folded_network_gives_the_same_answer(name: str) -> None:
    make, call, left = CASES[name]
    network = lived_in(make())
    assert norms(network) > 0
    torch.manual_seed(1)
    with torch.inference_mode():
        before = call(network)
    fold_batch_norm(network)
    assert norms(network) == left
    torch.manual_seed(1)
    with torch.inference_mode():
        after = call(network)
    assert float((after - before).abs().max()) < 1e-3 * float(before.abs().max())


def test_a_norm_of_other_channels_stays() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.BatchNorm2d(8)).eval()
    fold_batch_norm(network)
    assert norms(network) == 1


def test_a_network_that_trains_is_refused() -> None:
    with pytest.raises(ValueError, match=r"call eval\(\) first"):
        fold_batch_norm(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
