"""The compression network's losses, at an eighth of the picture's size."""

from __future__ import annotations

import math

import pytest
import torch

from remove_objects.train import losses
from remove_objects.train.data.holes import edge
from tests.support.training import (
    batch,
    compression,
    numbers,
)


def test_compression_losses_and_fill() -> None:
    task = compression()
    picture, mask = batch(64, edge)
    terms = task.losses((picture, mask))
    assert {k: set(v) for k, v in terms.items()} == {
        "network": {"valid", "hole", "variance", "adversarial"},
        "discriminator": {"hinge"},
    }
    parts = numbers(terms["network"])
    assert all(math.isfinite(v) for v in parts.values())
    assert min(parts["valid"], parts["hole"], parts["variance"]) > 0
    with torch.no_grad():
        assert task.fill(task.network, picture, mask).shape == picture.shape


def test_compression_losses_are_at_an_eighth_where_all_64_pixels_are_known() -> None:
    task = compression(adversarial=0)
    picture, mask = torch.rand(2, 3, 64, 64), torch.ones(2, 1, 64, 64)
    mask[..., 20:33, :] = 0  # touches rows 2, 3 and 4 of the eight
    with torch.no_grad():
        output = task.network(picture * 2 - 1, mask)
    truth = picture.view(2, 3, 8, 8, 8, 8).mean((3, 5)) * 2 - 1
    error = (output - truth).abs()
    parts = numbers(task.losses((picture, mask))["network"])
    assert parts["hole"] == pytest.approx(
        3 * float(error[:, :, 2:5].sum()) / error.numel(), rel=1e-4
    )
    assert parts["valid"] == pytest.approx(
        float(error[:, :, [0, 1, 5, 6, 7]].sum()) / error.numel(), rel=1e-4
    )
    assert parts["variance"] == pytest.approx(0.5 * float(losses.total_variation(output)), rel=1e-4)
