"""EDSR's loss and output."""

from __future__ import annotations

import pytest
import torch

from remove_objects.train.tasks.edsr import EDSRTask
from tests.support.training import (
    batch,
    common,
    numbers,
)


def test_edsr_enlarges_the_eighth_of_the_picture() -> None:
    task = EDSRTask(width=2, blocks=1, **common(64))
    picture, mask = batch(64)
    with torch.no_grad():
        output = task.fill(task.network, picture, mask)
    assert output.shape == picture.shape
    terms = numbers(task.losses((picture, mask))["network"])
    assert terms == pytest.approx({"l1": 2 * float((output - picture).abs().mean())}, rel=1e-4)
