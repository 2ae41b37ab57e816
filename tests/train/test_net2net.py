"""A wider or deeper network gives the smaller one's output, and its new layers learn."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from remove_objects.models.compression import CompressionConfig, CompressionNetwork
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from remove_objects.models.skip_context_encoder import SkipContextEncoder, SkipContextEncoderConfig
from remove_objects.train.net2net import widen

PAIRS = {
    "skip-ce": (
        SkipContextEncoder(SkipContextEncoderConfig(3, 4)),
        SkipContextEncoder(SkipContextEncoderConfig(3, 6)),
    ),
    "deeper skip-ce": (
        SkipContextEncoder(SkipContextEncoderConfig(3, 4, 1)),
        SkipContextEncoder(SkipContextEncoderConfig(3, 5, 2)),
    ),
    "no skips": (
        SkipContextEncoder(SkipContextEncoderConfig(2, 4)),
        SkipContextEncoder(SkipContextEncoderConfig(2, 7)),
    ),
    "partial-conv": (
        PartialConvUNet(PartialConvUNetConfig(2, 32)),
        PartialConvUNet(PartialConvUNetConfig(3, 32)),
    ),
}


def shaken(network: nn.Module) -> nn.Module:
    """With values in every parameter and buffer, as after training."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            assert module.num_batches_tracked is not None
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight)
            module.num_batches_tracked += 3
        if isinstance(module, nn.BatchNorm2d | nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias)
    return network


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", PAIRS)
def test_wider_network_gives_the_output_of_the_narrower(kind: str, training: bool) -> None:
    narrow, wide = (network.train(training) for network in PAIRS[kind])
    shaken(narrow)
    widen(wide, narrow)
    picture, known = torch.rand(2, 3, 128, 128), (torch.rand(2, 1, 128, 128) > 0.4).float()
    expected = narrow(picture, known)
    assert expected.std() > 0.1
    torch.testing.assert_close(
        wide(picture, known), expected, rtol=0, atol=1e-4 * float(expected.detach().abs().max())
    )


@pytest.mark.parametrize("kind", PAIRS)
def test_new_channels_learn(kind: str) -> None:
    narrow, wide = PAIRS[kind]
    widen(wide, shaken(narrow))
    known = torch.ones(1, 1, 128, 128)
    known[..., 40:90, 40:90] = 0
    wide(torch.rand(1, 3, 128, 128), known).abs().mean().backward()
    old_layers = dict(narrow.named_modules())
    for name, new in wide.named_modules():
        if (
            name.endswith("body.4") and name not in old_layers
        ):  # a new block's gate starts at zero, and opens
            assert (new.weight == 0).all()
            assert (new.weight.grad[: len(new.weight) // 2] != 0).all(), (
                name
            )  # the old channels do not read the new ones yet
    for name, old in narrow.named_modules():
        new = wide.get_submodule(name)
        if (
            isinstance(old, nn.Conv2d)
            and isinstance(new, nn.Conv2d)
            and new.in_channels > old.in_channels
        ):
            gradient = new.weight.grad
            assert gradient is not None
            silent = (new.weight[: old.out_channels] == 0).all(0).flatten(1).all(1)
            assert silent.sum() == new.in_channels - old.in_channels
            assert gradient[: old.out_channels, silent].abs().sum() > 0, name


@pytest.mark.parametrize(
    ("wide", "narrow", "message"),
    [
        (
            SkipContextEncoder(SkipContextEncoderConfig(3, 4)),
            SkipContextEncoder(SkipContextEncoderConfig(3, 6)),
            "4 is less than 6",
        ),
        (
            SkipContextEncoder(SkipContextEncoderConfig(3, 4, 1)),
            SkipContextEncoder(SkipContextEncoderConfig(3, 4, 2)),
            "1 blocks are",
        ),
        (
            CompressionNetwork(CompressionConfig(4)),
            CompressionNetwork(CompressionConfig(3)),
            "CompressionNetwork cannot be made wider",
        ),
        (
            PartialConvUNet(PartialConvUNetConfig(3)),
            SkipContextEncoder(SkipContextEncoderConfig(3, 2)),
            "cannot be made wider",
        ),
    ],
)
def test_other_networks_cannot_be_widened(wide: nn.Module, narrow: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        widen(wide, narrow)
