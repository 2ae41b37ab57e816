"""The figures of removal masks, on a mask whose errors are known."""

from typing import Any

import numpy as np
import pytest

from remove_objects.pipeline.types import Outcome, Photo, Status
from remove_objects.train.evaluation.segmentation import mask_figures


class Fixed:
    """A remover that always finds the same mask."""

    def __init__(self, mask: np.ndarray | None) -> None:
        self.mask = mask

    def clean(self, photo: Photo, classes: list[str], *, dry_run: bool) -> Outcome:
        assert classes == ["dog"]
        assert dry_run
        return Outcome(Status.OK, "", mask=self.mask)


def figures(mask: np.ndarray | None) -> tuple[float, float, float]:
    label = np.zeros((10, 10), np.uint8)
    label[2:6, 2:7] = 12  # 20 pixels of dog
    label[9] = 255
    remover: Any = Fixed(mask)
    return mask_figures(remover, np.zeros((10, 10, 3), np.uint8), label, 12)


def test_a_mask_is_judged_where_the_label_says_something() -> None:
    mask = np.zeros((10, 10), bool)
    mask[2:6, 2:6] = True  # 16 of the 20
    mask[0, :4] = True  # 4 outside
    mask[9] = True  # not judged
    assert figures(mask) == pytest.approx((0.8, 0.2, 16 / 24))


def test_nothing_found_is_no_recall() -> None:
    assert figures(None) == (0.0, 0.0, 0.0)
