"""The composite changes only the hole, and closes the seam from inside."""

import numpy as np
import pytest

from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.geometry import context_window
from remove_objects.pipeline.inpaint.composite import blend_into
from remove_objects.pipeline.quality.metrics import seam
from remove_objects.pipeline.types import Box, Hole
from tests.support.scenes import scene


def composite(
    photo: np.ndarray, fill: np.ndarray, window: Box, hole: Hole, hole_mask: np.ndarray
) -> np.ndarray:
    """``blend_into`` on a copy of the photo."""
    out = photo.copy()
    blend_into(out, fill, window, hole, hole_mask)
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_outside_the_hole_every_pixel_stays(dtype: type) -> None:
    rng = np.random.default_rng(0)
    for _ in range(25):
        height, width = (int(v) for v in rng.integers(20, 120, 2))
        photo = rng.integers(0, np.iinfo(dtype).max, (height, width, 3)).astype(dtype)
        mask = np.zeros((height, width), bool)
        x, y = int(rng.integers(0, width - 5)), int(rng.integers(0, height - 5))
        mask[y : y + int(rng.integers(1, 40)), x : x + int(rng.integers(1, 40))] = True
        (hole,) = find_holes(mask)
        window = context_window(hole.box, height, width, context=0.5, least=16)
        result = composite(
            photo, rng.random((window.h, window.w, 3)).astype(np.float32), window, hole, mask
        )
        assert np.array_equal(result[~mask], photo[~mask])
        assert result.dtype == dtype


def test_a_fill_of_a_wrong_shade_meets_the_photo_at_the_rim() -> None:
    photo = scene(person=None)
    mask = np.zeros(photo.shape[:2], bool)
    mask[40:80, 50:110] = True
    (hole,) = find_holes(mask)
    height, width = mask.shape
    window = context_window(hole.box, height, width, context=0.5, least=16)
    shade = photo[window.slices].astype(np.float32) / 255 + 0.1
    result = composite(photo, shade, window, hole, mask)
    plain = photo.copy()
    plain[mask] = np.clip(plain[mask].astype(int) + 25, 0, 255)
    closed, opened = seam(result, hole, mask), seam(plain, hole, mask)
    assert closed is not None
    assert opened is not None
    assert closed < 0.6 * opened
    # Deep inside, the fill is unchanged.
    assert np.abs(result[60, 80].astype(int) - plain[60, 80].astype(int)).max() <= 2


def test_pixels_under_another_hole_do_not_influence_the_colour() -> None:
    photo = scene(person=None)
    mask = np.zeros(photo.shape[:2], bool)
    mask[40:60, 50:70] = True
    (hole,) = find_holes(mask)
    both = mask.copy()
    both[40:60, 70:90] = True
    height, width = mask.shape
    window = context_window(hole.box, height, width, context=0.5, least=16)
    fill = np.full((window.h, window.w, 3), 0.4, np.float32)
    once = composite(photo, fill, window, hole, both)
    photo[40:60, 70:90] = 255
    again = composite(photo, fill, window, hole, both)
    assert np.array_equal(once[mask], again[mask])
