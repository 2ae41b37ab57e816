"""The classical methods fill a hole from its surroundings alone."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.inpaint.classical import METHODS, fill_classically
from tests.support.scenes import scene


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_fill_continues_the_photo_and_reads_no_hole(method: str, dtype: type) -> None:
    photo = scene(person=None).astype(dtype) * (257 if dtype is np.uint16 else 1)
    hole_mask = np.zeros(photo.shape[:2], bool)
    hole_mask[40:60, 50:70] = hole_mask[40:60, 100:110] = True
    hole = find_holes(hole_mask)[0]
    window, fill = fill_classically(photo, hole_mask, hole, method)
    assert window.union(hole.box) == window
    assert fill.shape == (window.h, window.w, 3)
    truth = photo[window.slices] / np.iinfo(dtype).max
    inside = hole_mask[window.slices]
    assert np.abs(fill - truth)[inside].mean() < 0.02
    photo[hole_mask] = 0
    assert np.array_equal(fill_classically(photo, hole_mask, hole, method)[1], fill)
