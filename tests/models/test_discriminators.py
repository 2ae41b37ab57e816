"""The discriminators: instance norm in one, spectral norm in the others.

The two baselines' discriminators are compared with their authors' layers.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from remove_objects.models.discriminators import (
    MatchedPatchDiscriminator,
    MatchedPatchDiscriminatorConfig,
    PatchDiscriminator,
    PatchDiscriminatorConfig,
    SNPatchDiscriminator,
    SNPatchDiscriminatorConfig,
)
from tests.support.network_contract import NetworkContract


class TestPatchContract(NetworkContract):
    network_class = PatchDiscriminator
    config = PatchDiscriminatorConfig(width=2)
    wider = PatchDiscriminatorConfig(width=3)
    sizes = ((64, 64), (32, 80))
    masked = False
    idle = frozenset({"layers.2.bias", "layers.5.bias", "layers.8.bias"})

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 1, height // 16, width // 16


class TestSNPatchContract(NetworkContract):
    network_class = SNPatchDiscriminator
    config = SNPatchDiscriminatorConfig(width=2)
    wider = SNPatchDiscriminatorConfig(width=3)
    sizes = ((32, 32), (16, 40))

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 1, height // 8, width // 8


class TestYusSNPatchContract(NetworkContract):
    network_class = SNPatchDiscriminator
    config = SNPatchDiscriminatorConfig(2, (2,) * 6, one_score=False)
    wider = SNPatchDiscriminatorConfig(3, (2,) * 6, one_score=False)
    sizes = ((64, 64), (128, 192))

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 4 * self.config.width, height // 64, width // 64


class TestMatchedPatchContract(NetworkContract):
    network_class = MatchedPatchDiscriminator
    config = MatchedPatchDiscriminatorConfig(width=2)
    wider = MatchedPatchDiscriminatorConfig(width=3)
    sizes = ((64, 64), (32, 80))
    masked = False

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 1, height // 8 - 2, width // 8 - 2


#: (kernel, in, out, stride) of ``build_sn_patch_gan_discriminator``, which has biases, and of
#: EdgeConnect's ``Discriminator``, which has none.
YU = [
    (5, 4, 64, 2),
    (5, 64, 128, 2),
    (5, 128, 256, 2),
    (5, 256, 256, 2),
    (5, 256, 256, 2),
    (5, 256, 256, 2),
]
NAZERI = [(4, 3, 64, 2), (4, 64, 128, 2), (4, 128, 256, 2), (4, 256, 512, 1), (4, 512, 1, 1)]


def test_layers_of_the_baselines_own_discriminators() -> None:
    yu = SNPatchDiscriminator(SNPatchDiscriminatorConfig(64, (2,) * 6, one_score=False))
    nazeri = MatchedPatchDiscriminator()
    for network, table, bias in ((yu, YU, True), (nazeri, NAZERI, False)):
        convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
        assert [
            (c.kernel_size[0], c.in_channels, c.out_channels, c.stride[0]) for c in convs
        ] == table
        assert all(is_parametrized(c, "weight") for c in convs)
        assert sum(p.numel() for p in network.parameters()) == sum(
            k * k * a * b + b * bias for k, a, b, _ in table
        )


@torch.no_grad()
def test_features_that_are_matched_are_of_every_layer_and_end_in_the_scores() -> None:
    network = MatchedPatchDiscriminator(MatchedPatchDiscriminatorConfig(2, 2)).eval()
    x = torch.randn(1, 2, 64, 64)
    features = network.features(x)
    assert [tuple(f.shape[1:]) for f in features] == [
        (2, 32, 32),
        (4, 16, 16),
        (8, 8, 8),
        (16, 7, 7),
        (1, 6, 6),
    ]
    first = network.layers[0]
    torch.testing.assert_close(
        features[0], F.leaky_relu(F.conv2d(x, first.weight, None, 2, 1), 0.2)
    )
    assert torch.equal(features[-1], network(x))
    assert min(float(f.min()) for f in features[:-1]) < 0


def test_a_matched_score_sees_70_pixels() -> None:
    network = MatchedPatchDiscriminator(MatchedPatchDiscriminatorConfig(2)).eval()
    x = torch.randn(1, 3, 128, 128, requires_grad=True)
    network(x)[0, 0, 7, 7].backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


@torch.no_grad()
def test_patch_discriminator_uses_instance_norm_and_leaky_relu() -> None:
    network = PatchDiscriminator(PatchDiscriminatorConfig(2))
    kinds = [type(m) for m in network.layers]
    assert kinds.count(nn.InstanceNorm2d) == 3
    assert kinds.count(nn.LeakyReLU) == 4
    assert not {nn.ReLU, nn.BatchNorm2d} & set(kinds)
    # Batch norm would let the pictures of a training batch see each other.
    network.train()
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(network(x)[:1], network(x[:1]))
    # A patch map, not one figure.
    assert network(torch.rand(1, 3, 128, 128)).shape == (1, 1, 8, 8)


@torch.no_grad()
def test_spectral_norm_of_every_layer_is_one() -> None:
    network = SNPatchDiscriminator(SNPatchDiscriminatorConfig(2)).train()
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 5
    assert all(is_parametrized(c, "weight") for c in convs)
    for i, conv in enumerate(convs):
        conv.parametrizations.weight.original.mul_(10.0**i)
    for _ in range(60):
        network(torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8))
    norms = [float(torch.linalg.matrix_norm(c.weight.flatten(1), 2)) for c in convs]
    assert norms == pytest.approx([1.0] * 5, abs=0.03)


@pytest.mark.parametrize(("strides", "factor"), [((2, 2, 2, 1), 8), ((1, 2, 2), 4)])
@torch.no_grad()
def test_every_location_of_the_map_is_judged(strides: tuple[int, ...], factor: int) -> None:
    network = SNPatchDiscriminator(SNPatchDiscriminatorConfig(2, strides)).eval()
    assert network(torch.rand(1, 3, 32, 16), torch.ones(1, 1, 32, 16)).shape == (
        1,
        1,
        32 // factor,
        16 // factor,
    )
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [*[2, 4, 8, 8][: len(strides)], 1]


@torch.no_grad()
def test_sn_discriminator_reads_the_mask_and_the_hole() -> None:
    network = SNPatchDiscriminator(SNPatchDiscriminatorConfig(2)).eval()
    image, mask = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    holed = mask.clone()
    holed[..., 4:12, 4:12] = 0
    judged = network(image, holed)
    assert not torch.equal(judged, network(image, mask))
    assert not torch.equal(
        judged, network(image * holed, holed)
    )  # it judges what was painted there
