"""DeepFill v2's coarse network against its authors' layers, and its attention branch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from remove_objects.models.contextual_attention import contextual_attention
from remove_objects.models.gated_conv import Gated, GatedConvConfig, GatedConvNetwork
from tests.support.network_contract import HoleContract

#: Layers conv1 to conv17 of ``build_inpaint_net``: (kernel, in, filters, stride, dilation). Half of
#: the filters are gates, except in the last layer.
LAYERS = [
    (5, 5, 48, 1, 1),
    (3, 24, 96, 2, 1),
    (3, 48, 96, 1, 1),
    (3, 48, 192, 2, 1),
    (3, 96, 192, 1, 1),
    (3, 96, 192, 1, 1),
    (3, 96, 192, 1, 2),
    (3, 96, 192, 1, 4),
    (3, 96, 192, 1, 8),
    (3, 96, 192, 1, 16),
    (3, 96, 192, 1, 1),
    (3, 96, 192, 1, 1),
    (3, 96, 96, 1, 1),
    (3, 48, 96, 1, 1),
    (3, 48, 48, 1, 1),
    (3, 24, 24, 1, 1),
    (3, 12, 3, 1, 1),
]
#: What attention adds: pmconv6, pmconv9, pmconv10, and the input that allconv11 has twice as wide.
ATTENTION = 3 * (9 * 96 * 192 + 192) + 9 * 96 * 192


class TestContract(HoleContract):
    network_class = GatedConvNetwork
    config = GatedConvConfig(width=4)
    wider = GatedConvConfig(width=8)
    sizes = ((32, 32), (36, 64))
    illegal = (((31, 32), (32, 32)), ((32, 33), (32, 36)), ((9, 1), (12, 4)))

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 3, height, width


class TestContractWithAttention(TestContract):
    config = GatedConvConfig(width=4, attention=True)
    wider = GatedConvConfig(width=8, attention=True)
    sizes = ((64, 64), (64, 72))  # with less, every patch overlaps the contract's hole
    illegal = (((31, 32), (32, 32)), ((32, 36), (32, 40)), ((9, 1), (16, 8)))


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_every_layer_of_the_authors() -> None:
    with torch.device("meta"):
        network, attentive = (
            GatedConvNetwork(GatedConvConfig(48, attention)) for attention in (False, True)
        )
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [
        (c.kernel_size[0], c.in_channels, c.out_channels, c.stride[0], c.dilation[0]) for c in convs
    ] == LAYERS
    assert (
        parameters(network)
        == sum(k * k * before * filters + filters for k, before, filters, *_ in LAYERS)
        == 1_631_151
    )
    assert parameters(attentive) - parameters(network) == ATTENTION


@pytest.mark.parametrize(("width", "legal"), [(0, 4), (2, 4), (15, 16), (-3, 4)])
def test_width_without_four_equal_parts_is_an_error_that_names_the_next(
    width: int, legal: int
) -> None:
    with pytest.raises(ValueError, match=rf"got {width}; take {legal}$"):
        GatedConvConfig(width)


@torch.no_grad()
def test_gate_by_its_formula() -> None:
    layer = Gated(2, 3, stride=2)
    layer.conv.bias.uniform_(-1, 1)
    x = torch.randn(2, 2, 8, 6)
    feature, gate = (
        F.conv2d(x, layer.conv.weight[s], layer.conv.bias[s], 2, 1)
        for s in (slice(0, 3), slice(3, 6))
    )
    expected = torch.where(feature > 0, feature, torch.exp(feature) - 1) / (1 + torch.exp(-gate))
    assert expected.shape == (2, 3, 4, 3)
    torch.testing.assert_close(layer(x), expected)


@torch.no_grad()
def test_input_is_picture_plane_of_ones_and_hole() -> None:
    network = GatedConvNetwork(GatedConvConfig(4))
    given: list[Tensor] = []
    network.encoder.register_forward_pre_hook(lambda _m, x: given.append(x[0]))
    image, mask = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    mask[..., 4:8] = 0
    network(torch.where(mask > 0, image, torch.nan), mask)
    assert torch.equal(given[0], torch.cat([image * mask, torch.ones_like(mask), 1 - mask], dim=1))


@torch.no_grad()
def test_a_fresh_network_keeps_the_signal() -> None:
    network = GatedConvNetwork(GatedConvConfig(32))
    spreads: list[float] = []
    network.decoder[-1].register_forward_pre_hook(
        lambda _m, x: spreads.append(float(x[0].std(0).mean()))
    )
    network(torch.rand(4, 3, 64, 64) * 2 - 1, torch.ones(4, 1, 64, 64))
    assert spreads[0] > 0.003


def by_hand(x: Tensor, hole: Tensor) -> Tensor:
    """Compute the authors' ``contextual_attention`` (rate 2) of a CHW picture, one by one."""
    channels, height, width = x.shape
    h, w = height // 2, width // 2
    small, around = F.pad(x[:, ::2, ::2], (1,) * 4), F.pad(x, (1,) * 4)
    places = [(i, j) for i in range(h) for j in range(w)]
    patch = {(i, j): small[:, i : i + 3, j : j + 3].flatten() for i, j in places}
    usable = {
        (i, j): not hole[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].any() for i, j in places
    }
    likeness = torch.tensor(
        [
            [float(patch[p] @ patch[q] / max(float(patch[q].norm()), 1e-4)) for q in places]
            for p in places
        ]
    )

    def fuse(s: Tensor) -> Tensor:
        n, out = len(s), torch.zeros_like(s)
        for p in range(n):
            for q in range(n):
                out[p, q] = sum(
                    s[p + d, q + d] for d in (-1, 0, 1) if 0 <= p + d < n and 0 <= q + d < n
                )
        return out

    by_column = [places.index((i, j)) for j in range(w) for i in range(h)]
    back = [by_column.index(n) for n in range(h * w)]
    fused = fuse(fuse(likeness)[by_column][:, by_column])[back][:, back]
    keep = torch.tensor([float(usable[q]) for q in places])
    weights = torch.softmax(10 * fused * keep, dim=1) * keep
    out = torch.zeros(channels, height + 2, width + 2)
    for n, (i, j) in enumerate(places):
        for k, (a, b) in enumerate(places):
            out[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += (
                weights[n, k] * around[:, 2 * a : 2 * a + 4, 2 * b : 2 * b + 4]
            )
    return out[:, 1:-1, 1:-1] / 4


def test_attention_by_the_authors_formula() -> None:
    x, hole = torch.rand(2, 2, 12, 8), torch.zeros(2, 1, 6, 4)
    hole[0, :, 2:, 1:] = 1
    expected = torch.stack([by_hand(a, b[0]) for a, b in zip(x, hole, strict=True)])
    torch.testing.assert_close(contextual_attention(x, hole), expected, rtol=1e-4, atol=1e-5)


def test_attention_takes_nothing_from_the_hole() -> None:
    x, hole = torch.rand(1, 2, 16, 16), torch.zeros(1, 1, 8, 8)
    hole[..., 4:] = 1
    x[:, 1] = 0
    x[:, 1, :, 8:] = 5
    rebuilt = contextual_attention(x, hole)
    assert (rebuilt[:, 0].abs().sum((0, 1)) > 0).all()
    assert not rebuilt[:, 1].any()
    assert not contextual_attention(x, torch.ones_like(hole)).any()
