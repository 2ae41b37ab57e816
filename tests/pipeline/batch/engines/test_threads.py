"""Cores are divided among the concurrent photos, and restored afterwards."""

from __future__ import annotations

import cv2
import pytest
import torch

from remove_objects.pipeline.batch.engines.threads import shared_cores


@pytest.fixture(autouse=True)
def _four_threads() -> object:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.mark.parametrize(("concurrent", "share"), [(0, 4), (1, 4), (2, 2), (3, 1), (9, 1)])
def test_every_photo_has_its_share(concurrent: int, share: int) -> None:
    with shared_cores(concurrent):
        assert torch.get_num_threads() == share
        assert cv2.getNumThreads() == share
    assert torch.get_num_threads() == 4


def test_they_are_restored_after_an_error() -> None:
    with pytest.raises(RuntimeError), shared_cores(4):
        raise RuntimeError
    assert torch.get_num_threads() == 4
