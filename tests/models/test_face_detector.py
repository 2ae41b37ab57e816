"""The face detector: its sizes, its places, and what it returns before any training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from remove_objects.models.face_detector import PLACES, FaceDetector, FaceDetectorConfig

SMALL = FaceDetectorConfig((4, 6), 8)


@torch.no_grad()
def detected(height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    found: tuple[Tensor, Tensor, Tensor] = FaceDetector(SMALL).eval()(
        torch.rand(2, 3, height, width)
    )
    return found


@pytest.mark.parametrize(("height", "width"), [(65, 97), (33, 33), (33, 129)])
def test_a_place_is_eight_pixels(height: int, width: int) -> None:
    centres, sides, turn = detected(height, width)
    places = ((height - 1) // PLACES + 1, (width - 1) // PLACES + 1)
    assert centres.shape == turn.shape == (2, 1, *places)
    assert sides.shape == (2, 4, *places)
    assert (sides > 0).all()
    assert ((turn > 0) & (turn < 1)).all()


def test_legal_sizes() -> None:
    assert [FaceDetector.legal_size(n) for n in (1, 33, 34, 513)] == [33, 33, 65, 513]


def test_before_training_hardly_anything_is_a_face() -> None:
    centres, _, _ = detected(65, 65)
    assert centres.sigmoid().mean() < 0.1


def test_every_parameter_learns_and_there_are_few() -> None:
    network = FaceDetector()
    sum(part.sum() for part in network(torch.rand(2, 3, 65, 65))).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    assert sum(p.numel() for p in network.parameters()) < 100_000
