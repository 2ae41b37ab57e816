"""The compact segmenter."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from remove_objects.models.categories import CATEGORIES, CLASSES
from remove_objects.models.segmenter import CompactSegmenter, CompactSegmenterConfig
from tests.support.network_contract import SizeContract


class TestContract(SizeContract):
    network_class = CompactSegmenter
    config = CompactSegmenterConfig(classes=5, width=8, rates=(2, 3, 4))
    wider = CompactSegmenterConfig(classes=5, width=12, rates=(2, 3, 4))
    sizes = ((33, 33), (49, 17))
    illegal = (((32, 33), (33, 33)), ((34, 64), (49, 65)), ((1, 16), (17, 17)))
    masked = False
    learns_in_training_mode = (
        False  # train.tasks.segmenter keeps the teacher's folded batch norm as it is
    )

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 5, (height - 1) // 4 + 1, (width - 1) // 4 + 1


@pytest.mark.parametrize(
    ("size", "legal"), [(1, 17), (16, 17), (17, 17), (18, 33), (321, 321), (500, 513)]
)
def test_legal_size_is_the_next_16_k_plus_1(size: int, legal: int) -> None:
    assert CompactSegmenter.legal_size(size) == legal


@torch.no_grad()
def test_deepest_features_are_at_stride_16_and_the_pyramid_has_its_rates() -> None:
    network = CompactSegmenter(CompactSegmenterConfig(width=8, rates=(2, 3, 4))).eval()
    shapes: list[tuple[int, ...]] = []
    network.decoder.aspp.register_forward_pre_hook(
        lambda _m, given: shapes.append(tuple(given[0].shape))
    )
    network(torch.zeros(1, 3, 65, 33))
    assert shapes == [(1, 320, 5, 3)]
    strided = {i: network.encoder.features[i].conv[1][0] for i in range(14, 18)}
    assert {i: (c.stride, c.dilation, c.padding) for i, c in strided.items()} == {
        14: ((1, 1), (1, 1), (1, 1)),
        **dict.fromkeys((15, 16, 17), ((1, 1), (2, 2), (2, 2))),
    }
    dilations = {
        m.dilation[0] for m in network.decoder.aspp.modules() if isinstance(m, torch.nn.Conv2d)
    }
    assert {2, 3, 4} <= dilations


@torch.no_grad()
def test_deep_features_meet_the_fine_ones_corner_on_corner() -> None:
    network = CompactSegmenter(CompactSegmenterConfig(width=8, rates=(2, 3, 4))).eval()
    deep: list[Tensor] = []
    met: list[Tensor] = []

    def noise(_m: object, _i: object, out: Tensor) -> Tensor:
        deep.append(torch.randn_like(out))
        return deep[0]

    network.decoder.aspp.register_forward_hook(noise)
    network.decoder.block2.register_forward_pre_hook(lambda _m, given: met.append(given[0]))
    network(torch.randn(1, 3, 65, 33))
    assert met[0].shape[-2:] == (17, 9)
    # At 16 k + 1 pixels every fourth fine location is a deep one, from the first to the last.
    torch.testing.assert_close(met[0][:, :8, ::4, ::4], deep[0])


def test_voc_categories() -> None:
    assert len(CATEGORIES) == len(set(CATEGORIES)) == CompactSegmenterConfig().classes == 21
    assert [CATEGORIES.index(c) for c in ("background", "cat", "dog", "person", "tvmonitor")] == [
        0,
        8,
        12,
        15,
        20,
    ]
    assert "background" not in CLASSES
    assert len(CLASSES) == 20
