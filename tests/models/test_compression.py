"""The compression network against Table 1 and figure 2 of its paper."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from remove_objects.models.compression import CompressionConfig, CompressionNetwork, GatedConv2d
from tests.support.network_contract import HoleContract, rectangle_mask

#: Table 1: (kernel, channels, stride) of each layer.
RESIDUALS = [(1, 64, 2), (1, 196, 2), (3, 256, 2)]
CONVS = [
    *[(5, 64, 2), (5, 64, 1), (5, 64, 1), (5, 64, 1), (5, 64, 1)],
    *[(5, 196, 2), (5, 196, 1), (5, 196, 1), (5, 196, 1), (5, 196, 1)],
    *[(3, 256, 2), (3, 256, 1), (3, 256, 1), (3, 256, 1), (3, 256, 1), (3, 256, 1), (3, 256, 1)],
]


class TestContract(HoleContract):
    network_class = CompressionNetwork
    config = CompressionConfig(width=2)
    wider = CompressionConfig(width=3)
    sizes = ((32, 32), (40, 64))
    illegal = (((31, 32), (32, 32)), ((32, 33), (32, 40)), ((9, 1), (16, 8)))

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 3, height // 8, width // 8


class TestContractWithBase(TestContract):
    config = CompressionConfig(width=2, base=32)
    wider = CompressionConfig(width=3, base=32)


def row(conv: nn.Conv2d, channels: int) -> tuple[int, int, int]:
    assert conv.kernel_size == (conv.kernel_size[0],) * 2
    assert conv.stride == (conv.stride[0],) * 2
    return conv.kernel_size[0], channels, conv.stride[0]


def test_every_row_of_table_1() -> None:
    with torch.device("meta"):
        network = CompressionNetwork(CompressionConfig(64))
    assert [row(c, c.out_channels) for c in network.residuals] == RESIDUALS
    assert [len(block) for block in network.blocks] == [5, 5, 7]
    gated = [layer for block in network.blocks for layer in block]
    assert [row(g.conv, g.norm.num_features) for g in gated] == CONVS
    assert all(
        isinstance(g.norm, nn.BatchNorm2d) and isinstance(g.activation, nn.LeakyReLU) for g in gated
    )
    assert row(network.mapping, network.mapping.out_channels) == (3, 3, 1)
    assert network.residuals[0].in_channels == gated[0].conv.in_channels == 4


@torch.no_grad()
def test_256_becomes_32() -> None:
    network = CompressionNetwork(CompressionConfig(2)).eval()
    sizes: list[int] = []
    for block in network.blocks:
        block.register_forward_hook(lambda _m, _i, out: sizes.append(out.shape[-1]))
    assert network(torch.rand(1, 3, 256, 256), torch.ones(1, 1, 256, 256)).shape == (1, 3, 32, 32)
    assert sizes == [128, 64, 32]


@torch.no_grad()
def test_gated_convolution_by_its_formula() -> None:
    layer = GatedConv2d(2, 3, 3, 2).eval()
    layer.norm.running_mean.copy_(torch.tensor([0.5, -1.0, 2.0]))
    layer.norm.running_var.copy_(torch.tensor([4.0, 0.25, 1.0]))
    layer.norm.weight.copy_(torch.tensor([1.0, 2.0, -3.0]))
    layer.norm.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    x = torch.randn(2, 2, 8, 6)
    feature = F.conv2d(x, layer.conv.weight[:3], layer.conv.bias[:3], stride=2, padding=1)
    gate = F.conv2d(x, layer.conv.weight[3:], layer.conv.bias[3:], stride=2, padding=1)
    activated = torch.where(feature > 0, feature, 0.2 * feature) / (1 + torch.exp(-gate))
    mean, deviation = (
        torch.tensor([0.5, -1.0, 2.0]).view(3, 1, 1),
        torch.tensor([2.0, 0.5, 1.0]).view(3, 1, 1),
    )
    expected = (activated - mean) / deviation * torch.tensor([1.0, 2.0, -3.0]).view(
        3, 1, 1
    ) + torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    assert layer(x).shape == (2, 3, 4, 3)
    torch.testing.assert_close(layer(x), expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_residual_block_is_added_to_the_last_of_its_convolutions() -> None:
    network = CompressionNetwork(CompressionConfig(2)).eval()
    given: list[Tensor] = []
    residual: list[Tensor] = []
    convolved: list[Tensor] = []
    for rb, cb in zip(network.residuals, network.blocks, strict=True):
        rb.register_forward_hook(lambda _m, x, out: (given.append(x[0]), residual.append(out))[0])
        cb.register_forward_hook(lambda _m, x, out: convolved.append(out))
    network.mapping.register_forward_hook(
        lambda _m, x, out: (given.append(x[0]), residual.append(out))[0]
    )
    image, mask = torch.randn(1, 3, 32, 32), rectangle_mask(1, 32, 32)
    output = network(image, mask)
    assert torch.equal(given[0], torch.cat([image * mask, mask], dim=1))
    for i in range(3):
        assert torch.equal(given[i + 1], residual[i] + convolved[i])
    assert torch.equal(output, residual[3].tanh())


def test_gradients_in_channels_last_are_those_of_double_precision() -> None:
    # With a strided 1x1 convolution this crashes, hangs or fails: see ResidualConv2d.
    network = CompressionNetwork(CompressionConfig(4)).train()
    exact = CompressionNetwork(CompressionConfig(4)).train().double()
    exact.load_state_dict(network.state_dict())
    network.to(memory_format=torch.channels_last)
    image, mask = torch.randn(2, 3, 64, 64), rectangle_mask(2, 64, 64)
    for _ in range(3):
        network.zero_grad()
        network(
            image.contiguous(memory_format=torch.channels_last), mask
        ).square().mean().backward()
    exact(image.double(), mask.double()).square().mean().backward()
    for rb, expected in zip(network.residuals, exact.residuals, strict=True):
        assert rb.weight.grad is not None
        torch.testing.assert_close(
            rb.weight.grad.double(),
            expected.weight.grad,
            rtol=1e-3,
            atol=1e-3 * float(expected.weight.grad.abs().max()),
        )


@torch.no_grad()
def test_residual_blocks_are_strided_convolutions() -> None:
    for conv in CompressionNetwork(CompressionConfig(2)).residuals:
        x = torch.randn(1, conv.in_channels, 8, 12)
        torch.testing.assert_close(
            conv(x), F.conv2d(x, conv.weight, conv.bias, stride=2, padding=conv.padding)
        )
