"""The instance network: the contract of its sizes, and what its votes mean."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from remove_objects.models.deeplab import LEVEL_CHANNELS
from remove_objects.models.object_instances import (
    PLACES,
    ObjectInstances,
    ObjectInstancesConfig,
)

SMALL = ObjectInstancesConfig((4, 6, 8, 8), "f" * 64)


def inputs(n: int, height: int, width: int) -> tuple[Tensor, ...]:
    strides = (2, 4, 8, 16, 16)
    features = [
        torch.randn(n, channels, -(-height // stride), -(-width // stride))
        for channels, stride in zip(LEVEL_CHANNELS, strides, strict=True)
    ]
    image = torch.rand(n, 3, height, width) * 2 - 1
    return image, (torch.rand(n, 1, height, width) > 0.5).float(), *features


def voting(*bias: float) -> nn.Module:
    """A network whose pixels all say the same."""
    network = ObjectInstances(SMALL).eval()
    nn.init.zeros_(network.head.weight)
    with torch.no_grad():
        network.head.bias[:] = torch.tensor(bias)
    return network


@torch.no_grad()
def test_shapes() -> None:
    boxes, quality, belongs = ObjectInstances(SMALL).eval()(*inputs(2, 64, 48))
    assert boxes.shape == (2, 4, 32, 24)
    assert quality.shape == belongs.shape == (2, 1, 32, 24)
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@torch.no_grad()
def test_a_pixel_votes_for_a_box_around_itself() -> None:
    # The unit is a quarter of the longer side, 16 pixels: 1 to the right, twice as wide as high.
    bias: tuple[Any, ...] = (1.0, 0.0, float(torch.tensor(2.0).log()), 0.0, 3.0, 2.0)
    boxes, quality, belongs = voting(*bias)(*inputs(1, 64, 32))
    y, x = 5, 3
    middle_y, middle_x = PLACES * y + 0.5, PLACES * x + 0.5 + 16
    assert boxes[0, :, y, x].tolist() == pytest.approx(
        [middle_x - 16, middle_y - 8, middle_x + 16, middle_y + 8], abs=1e-4
    )
    assert (quality[0, 0, y, x], belongs[0, 0, y, x]) == (3.0, 2.0)


def test_an_illegal_size_names_the_next_legal_one() -> None:
    with pytest.raises(ValueError, match=r"48 x 32|48x32|\(48, 32\)|48"):
        ObjectInstances(SMALL)(*inputs(1, 33, 32))
