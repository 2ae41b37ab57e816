"""The metrics of removal masks, on a mask with known errors."""

from typing import Any

import numpy as np
import pytest

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.removal.selection import Selection
from remove_objects.pipeline.types import Photo
from remove_objects.train.evaluation.segmentation import mask_metrics


class Fixed:
    """A remover that always selects the same mask."""

    settings = Settings()

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask

    def select(self, photo: Photo, removal: Removal) -> Selection:
        assert removal.classes == ("dog",)
        return Selection(self.mask, [])


def figures(mask: np.ndarray) -> tuple[float, float, float]:
    label = np.zeros((10, 10), np.uint8)
    label[2:6, 2:7] = 12  # 20 pixels of dog
    label[9] = 255
    remover: Any = Fixed(mask)
    return mask_metrics(remover, np.zeros((10, 10, 3), np.uint8), label, 12)


def test_void_pixels_do_not_count() -> None:
    mask = np.zeros((10, 10), bool)
    mask[2:6, 2:6] = True  # 16 of the 20
    mask[0, :4] = True  # 4 outside
    mask[9] = True  # void
    assert figures(mask) == pytest.approx((0.8, 0.2, 16 / 24))


def test_an_empty_mask_has_no_recall() -> None:
    assert figures(np.zeros((10, 10), bool)) == (0.0, 0.0, 0.0)
