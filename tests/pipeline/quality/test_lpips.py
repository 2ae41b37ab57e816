"""Distances and the diversity of deep features, with networks made by hand."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from remove_objects.pipeline.quality.lpips import Perceptual


def test_context_diversity_is_the_spread_of_deep_features_over_known_cells() -> None:
    class Features:
        """Deepest features that differ between the left and the right half."""

        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            deepest = torch.zeros(1, 2, 4, 4)
            deepest[:, 0, :, :2], deepest[:, 1, :, 2:] = 3.0, 5.0
            return [torch.zeros(1, 1, 8, 8), deepest]

    perceptual: Any = Perceptual.__new__(Perceptual)
    perceptual.device, perceptual._lock = torch.device("cpu"), threading.Lock()
    perceptual._network = SimpleNamespace(net=Features(), scaling_layer=lambda x: x)
    picture, known_mask = np.zeros((64, 64, 3), np.float32), np.ones((64, 64), bool)
    # Two channels that are 0 or 1, half and half.
    assert perceptual.context_diversity(picture, known_mask) == pytest.approx(1.0)
    left = known_mask.copy()
    left[:, 32:] = False
    assert perceptual.context_diversity(picture, left) == pytest.approx(0.0)
    assert perceptual.context_diversity(picture, ~known_mask) is None
    perceptual._network = None
    assert perceptual.context_diversity(picture, known_mask) is None


@pytest.mark.parametrize(
    ("shape", "expected"), [((512, 1024), (128, 256)), ((100, 50), (100, 50)), ((10, 40), (32, 40))]
)
def test_pictures_are_compared_at_a_limited_size(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    inputs: list[torch.Tensor] = []

    def network(a: torch.Tensor, b: torch.Tensor, *, normalize: bool) -> torch.Tensor:
        assert normalize
        inputs.extend((a, b))
        return (a - b).abs().mean()

    perceptual: Any = Perceptual.__new__(Perceptual)
    perceptual.device, perceptual._lock = torch.device("cpu"), threading.Lock()
    perceptual._network = network
    picture, truth = np.full((*shape, 3), 0.75, np.float32), np.full((*shape, 3), 0.5, np.float32)
    assert perceptual.distance(picture, truth) == pytest.approx(0.25, abs=1e-5)
    assert [tuple(t.shape) for t in inputs] == [(1, 3, *expected)] * 2
    perceptual._network = None
    assert perceptual.distance(picture, truth) is None
