"""EdgeConnect against its authors' layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from remove_objects.models.edge_connect import EdgeConnect, EdgeConnectConfig, luminance
from tests.support.network_contract import HoleContract, rectangle_mask

#: ``src/networks.py``: (kernel, in, out, stride) of the encoder's and the decoder's layers; between
#: them are eight blocks of two 3x3 convolutions.
DOWN = [(7, -1, 64, 1), (4, 64, 128, 2), (4, 128, 256, 2)]
BLOCK = [(3, 256, 256, 1)] * 2
UP = [(4, 256, 128, 2), (4, 128, 64, 2), (7, 64, -1, 1)]


def before_a_norm(part: str, *, blocks: int) -> set[str]:
    """Biases that the next instance norm cancels; the edge network's blocks have none."""
    first, last = 6 + 4, 6 + 4 + blocks  # of the blocks, in ``layers``
    names = {f"{part}.layers.{i}.bias" for i in (1, 4, 7, last, last + 3)}
    if part == "painter":
        names |= {f"{part}.layers.{b}.layers.{i}.bias" for b in range(first, last) for i in (1, 5)}
    return names


class TestContract(HoleContract):
    network_class = EdgeConnect
    config = EdgeConnectConfig(width=2, blocks=1)
    wider = EdgeConnectConfig(width=3, blocks=1)
    sizes = ((32, 32), (12, 36))
    illegal = (((31, 32), (32, 32)), ((32, 33), (32, 36)), ((8, 1), (12, 12)))
    idle = frozenset(before_a_norm("edges", blocks=1) | before_a_norm("painter", blocks=1))

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 3, height, width

    def inputs(self, n: int, height: int, width: int) -> tuple[Tensor, ...]:
        image, mask = super().inputs(n, height, width)
        return image, (torch.rand_like(mask) < 0.2).float(), mask

    def answer(self, network: nn.Module, image: Tensor, mask: Tensor) -> Tensor:
        return network(image, (image.mean(1, keepdim=True) > 0).float(), mask)

    @torch.no_grad()
    def test_pixels_under_a_hole_are_never_read(self) -> None:
        network = self.trained()
        image, edges, mask = self.inputs(1, 32, 32)
        for hole in [mask, *self.holes(32, 32)]:
            expected = network(image, edges, hole)
            for poison in (0.0, 1.0, 1e4, float("nan")):
                given = (torch.where(hole > 0, x, poison) for x in (image, edges))
                assert torch.equal(network(*given, hole), expected)

    @torch.no_grad()
    def test_known_pixels_and_the_mask_are_read(self) -> None:
        super().test_known_pixels_and_the_mask_are_read()
        network = self.trained()
        image, edges, mask = self.inputs(1, 32, 32)
        assert not torch.equal(network(image, 1 - edges, mask), network(image, edges, mask))


@pytest.mark.parametrize(
    ("part", "before", "after", "biases"), [("edges", 3, 1, 0), ("painter", 4, 3, 1)]
)
def test_every_layer_of_the_authors(part: str, before: int, after: int, biases: int) -> None:
    network = getattr(EdgeConnect(), part)
    table = [*DOWN, *BLOCK * 8, *UP]
    table[0], table[-1] = (7, before, 64, 1), (7, 64, after, 1)
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert [(c.kernel_size[0], c.in_channels, c.out_channels, c.stride[0]) for c in convs] == table
    assert [c.dilation[0] for c in convs] == [1] * 3 + [2, 1] * 8 + [1] * 3
    assert [isinstance(c, nn.ConvTranspose2d) for c in convs] == [False] * 19 + [True] * 2 + [False]
    assert [is_parametrized(c) for c in convs] == [part == "edges"] * 21 + [False]
    assert sum(isinstance(m, nn.InstanceNorm2d) for m in network.modules()) == 21
    # The edge network's blocks have no biases: the authors use spectral norm instead.
    expected = (
        sum(k * k * a * b for k, a, b, _ in table)
        + sum(b for _, _, b, _ in [*DOWN, *UP[:2]])
        + after
        + biases * 16 * 256
    )
    assert (
        sum(p.numel() for p in network.parameters())
        == expected
        == {"edges": 10_761_089, "painter": 10_774_595}[part]
    )


@torch.no_grad()
def test_holes_are_white_and_their_edges_drawn() -> None:
    network = EdgeConnect(EdgeConnectConfig(2, 1)).eval()
    given: list[Tensor] = []
    for part in (network.edges, network.painter):
        part.layers.register_forward_pre_hook(lambda _m, x: given.append(x[0].clone()))
    image, mask = torch.rand(1, 3, 32, 32) * 2 - 1, rectangle_mask(1, 32, 32)
    edges = (torch.rand_like(mask) < 0.2).float()
    network(image, edges, mask)
    hole = 1 - mask
    torch.testing.assert_close(
        given[0], torch.cat([luminance(image) * mask + hole, edges * mask, hole], dim=1)
    )
    drawn = network.edges(image, edges, mask)
    torch.testing.assert_close(
        given[1], torch.cat([image * mask + hole, edges * mask + drawn * hole], dim=1)
    )
    assert 0 <= drawn.min() < drawn.max() <= 1


def test_luminance_of_the_colours() -> None:
    colours = torch.eye(3).view(3, 3, 1, 1)
    assert luminance(colours).flatten().tolist() == pytest.approx([0.2125, 0.7154, 0.0721])
    assert luminance(torch.full((1, 3, 2, 2), -1.0)).flatten().tolist() == pytest.approx([-1] * 4)


@torch.no_grad()
def test_spectral_norm_of_the_edge_networks_layers_is_one() -> None:
    network = EdgeConnect(EdgeConnectConfig(2, 1)).train()
    convs = [m for m in network.edges.modules() if is_parametrized(m)]
    for i, conv in enumerate(convs):
        conv.parametrizations.weight.original.mul_(10.0**i)
    mask = torch.ones(1, 1, 12, 12)
    for _ in range(60):
        network(torch.rand(1, 3, 12, 12), mask, mask)
    matrices = [
        c.weight.transpose(0, 1) if isinstance(c, nn.ConvTranspose2d) else c.weight for c in convs
    ]
    assert [float(torch.linalg.matrix_norm(m.flatten(1), 2)) for m in matrices] == pytest.approx(
        [1.0] * len(convs), abs=0.03
    )
