"""When a mask is doubted: only if clearly more edges lie along it at its other place."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.images.mask_turn import fits_better
from remove_objects.pipeline.types import Photo

LEFT, RIGHT = np.s_[40:80, 30:70], np.s_[40:80, 130:170]


@pytest.mark.parametrize(
    ("left", "right", "doubted"),
    [
        (120, 240, True),
        (240, 120, False),
        (240, 240, False),  # either may be the object
        (230, 240, False),  # a little more says nothing
        (120, 120, False),
    ],
)
def test_a_mask_is_doubted_if_the_other_place_has_clearly_more_edges(
    left: int, right: int, doubted: bool
) -> None:
    rgb = np.random.default_rng(0).integers(116, 125, (120, 200, 3)).astype(np.uint8)
    rgb[LEFT], rgb[RIGHT] = left, right
    here, there = np.zeros((2, 120, 200), bool)
    here[LEFT] = there[RIGHT] = True
    assert fits_better(Photo(rgb), there, here) is doubted


def test_a_mask_without_a_rim_is_not_doubted() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    some, nothing = np.zeros((2, 60, 80), bool)
    some[10:20, 10:20] = True
    assert not fits_better(Photo(rgb), some, nothing)
    assert not fits_better(Photo(rgb), nothing, some)
