"""Signs of a bad result, on pictures whose answer can be worked out by hand."""

import numpy as np
import pytest

from pipeline import signs
from pipeline.types import Box, Hole


def square(x: int, y: int, side: int, height: int = 100, width: int = 100) -> tuple[Hole, np.ndarray]:
    unknown = np.zeros((height, width), bool)
    unknown[y : y + side, x : x + side] = True
    return Hole(Box(x, y, side, side), np.ones((side, side), bool), side * side / height / width), unknown


def test_depth_is_the_radius_over_the_photos_side() -> None:
    hole, _ = square(30, 30, 40)
    assert signs.depth(hole, 100, 100) == pytest.approx(0.2, abs=0.02)
    wide = Hole(Box(0, 0, 1200, 100), np.ones((100, 1200), bool), 0.1)
    assert signs.depth(wide, 1000, 1200) == pytest.approx(50 / np.sqrt(1.2e6), rel=0.1)


def test_busy_surroundings_have_more_gradient_and_the_hole_is_not_read() -> None:
    hole, unknown = square(40, 40, 20)
    rng = np.random.default_rng(0)
    calm = np.full((100, 100, 3), 90, np.uint8)
    busy = rng.integers(0, 255, (100, 100, 3), dtype=np.uint8)
    assert signs.busyness(calm, hole, unknown) == pytest.approx(0.0, abs=1e-6)
    assert signs.busyness(busy, hole, unknown) > 0.3
    other = busy.copy()
    other[unknown] = 255
    assert signs.busyness(other, hole, unknown) == signs.busyness(busy, hole, unknown)
    deep = busy.astype(np.uint16) * 257
    assert signs.busyness(deep, hole, unknown) == pytest.approx(signs.busyness(busy, hole, unknown), rel=0.02)


def test_nothing_known_around_has_no_busyness() -> None:
    hole = Hole(Box(0, 0, 50, 50), np.ones((50, 50), bool), 1.0)
    assert signs.busyness(np.zeros((50, 50, 3), np.uint8), hole, np.ones((50, 50), bool)) is None


def test_a_rim_is_unsure_where_the_segmenter_wavers() -> None:
    hole, _ = square(40, 40, 20)
    sure = np.zeros((50, 50), np.float32)
    sure[20:30, 20:30] = 1
    wavering = sure.copy()
    wavering[17:33, 17:25] = 0.5
    assert signs.unsure_rim(sure, hole, 100, 100) == 0
    assert 0.3 < signs.unsure_rim(wavering, hole, 100, 100) < 0.7


def test_what_remains_is_looked_for_in_the_hole_and_close_around_it() -> None:
    hole, _ = square(40, 40, 20)
    after = np.zeros((50, 50), np.float32)
    assert signs.remains(after, hole, 100, 100) == 0
    after[:, 31] = 1  # a leg beside the hole
    beside = signs.remains(after, hole, 100, 100)
    assert 0 < beside < 0.2
    after[:] = 0
    after[:, 45] = 1  # somebody else, far away
    assert signs.remains(after, hole, 100, 100) == 0
    assert signs.remains(np.ones((50, 50), np.float32), hole, 100, 100) == 1


def test_a_hole_smaller_than_a_cell_of_the_segmenter_is_still_seen() -> None:
    hole = Hole(Box(500, 700, 3, 3), np.ones((3, 3), bool), 1e-5)
    probability = np.zeros((10, 10), np.float32)
    probability[7, 5] = 1.0
    assert signs.remains(probability, hole, 1000, 1000) > 0
    assert 0 <= signs.unsure_rim(probability, hole, 1000, 1000) <= 1


def test_a_blurred_fill_is_smoother_than_its_surroundings() -> None:
    hole, unknown = square(30, 30, 40)
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (100, 100, 3), dtype=np.uint8)
    assert signs.smoothness(picture, hole, unknown) == pytest.approx(1.0, abs=0.15)
    picture[unknown] = 128
    assert signs.smoothness(picture, hole, unknown) < 0.1
