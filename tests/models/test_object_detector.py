"""The object detector: its sizes, its places, and what it returns before any training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from remove_objects.models.deeplab import MobileNetV2
from remove_objects.models.object_detector import PLACES, ObjectDetector, ObjectDetectorConfig
from remove_objects.models.segmenter import CompactSegmenter, CompactSegmenterConfig

SMALL = ObjectDetectorConfig(3, (8, 6))


@torch.no_grad()
def detected(height: int, width: int) -> tuple[Tensor, Tensor]:
    network = ObjectDetector(SMALL).eval()
    found: tuple[Tensor, Tensor] = network(
        *MobileNetV2().eval().levels(torch.rand(2, 3, height, width))
    )
    return found


@pytest.mark.parametrize(("height", "width"), [(65, 97), (33, 33), (17, 129)])
def test_a_place_is_eight_pixels(height: int, width: int) -> None:
    centres, sides = detected(height, width)
    places = ((height - 1) // PLACES + 1, (width - 1) // PLACES + 1)
    assert centres.shape == (2, 3, *places)
    assert sides.shape == (2, 4, *places)
    assert (sides > 0).all()


def test_before_training_hardly_anything_is_a_centre() -> None:
    centres, _ = detected(65, 65)
    assert centres.sigmoid().mean() < 0.1


def test_every_parameter_learns() -> None:
    network = ObjectDetector(SMALL)
    centres, sides = network(*MobileNetV2().levels(torch.rand(2, 3, 65, 65)))
    (centres.sum() + sides.sum()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@torch.no_grad()
def test_the_segmenter_gives_its_maps_with_the_same_logits() -> None:
    network = CompactSegmenter(CompactSegmenterConfig(5, 16)).eval()
    image = torch.rand(1, 3, 65, 81)
    logits, levels = network.with_levels(image)
    torch.testing.assert_close(logits, network(image))
    for ours, encoders in zip(levels, network.encoder.levels(image), strict=True):
        torch.testing.assert_close(ours, encoders)
    with pytest.raises(ValueError, match="pad to 81x81"):
        network.with_levels(torch.rand(1, 3, 66, 81))
