"""The algebra of boxes, by hand and against masks drawn pixel by pixel; windows around holes."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.geometry import (
    border_contact,
    context_window,
    hole_within,
    near_box,
)
from remove_objects.pipeline.types import Box, Hole

SHAPE = (30, 40)
CORNERS = [(0, 0, 40, 30), (3, 2, 9, 12), (5, 5, 6, 6), (9, 2, 20, 12), (30, 20, 40, 30)]
BOXES = [Box.from_corners(*corners) for corners in CORNERS]


def drawn(box: Box) -> np.ndarray:
    """The box's pixels, on a picture of ``SHAPE``."""
    picture = np.zeros(SHAPE, bool)
    picture[box.slices] = True
    return picture


@pytest.mark.parametrize("box", BOXES)
def test_a_box_is_its_slices_its_corners_and_its_pixels(box: Box) -> None:
    assert Box.from_slices(*box.slices) == box
    assert Box.from_corners(box.x, box.y, box.right, box.bottom) == box
    assert Box.bounding(drawn(box)) == box
    assert box.area == drawn(box).sum()
    assert box.as_list() == [box.x, box.y, box.w, box.h]


def test_the_full_box_covers_a_pictures_shape_whatever_its_channels() -> None:
    assert Box.full((30, 40)) == Box.full((30, 40, 3)) == Box(0, 0, 40, 30)


def test_the_bounding_box_holds_scattered_pixels() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[4, 30] = mask[20, 7] = True
    assert Box.bounding(mask) == Box(7, 4, 24, 17)


def test_a_box_moves_down_and_to_the_right() -> None:
    assert Box(1, 2, 3, 4).shifted(10, 20) == Box(21, 12, 3, 4)


@pytest.mark.parametrize("other", BOXES)
@pytest.mark.parametrize("box", BOXES)
def test_relative_coordinates_select_the_same_pixels(box: Box, other: Box) -> None:
    assert box.relative_to(other).shifted(other.y, other.x) == box
    inside = box.intersection(other)
    picture = np.random.default_rng(0).random(SHAPE)
    crop = picture[other.slices]
    assert np.array_equal(crop[inside.relative_to(other).slices], picture[inside.slices])


@pytest.mark.parametrize("other", BOXES)
@pytest.mark.parametrize("box", BOXES)
def test_intersection_and_union_are_those_of_the_pixels(box: Box, other: Box) -> None:
    both, either = drawn(box) & drawn(other), drawn(box) | drawn(other)
    assert box.intersects(other) == both.any()
    if both.any():
        assert box.intersection(other) == Box.bounding(both)
    assert box.intersection(other).area == both.sum()
    assert box.union(other) == Box.bounding(either)


def test_neighbours_share_no_pixel() -> None:
    assert Box(0, 0, 5, 5).intersects(Box(4, 4, 5, 5))
    assert not Box(0, 0, 5, 5).intersects(Box(5, 0, 5, 5))


def test_boxes_far_apart_have_an_empty_intersection() -> None:
    empty = Box(0, 0, 5, 5).intersection(Box(20, 2, 5, 5))
    assert empty.area == 0
    assert np.zeros(SHAPE)[empty.slices].size == 0


def test_a_grown_box_is_clipped_to_the_picture() -> None:
    assert Box(2, 3, 4, 5).grown(3, (20, 20)) == Box(0, 0, 9, 11)
    assert Box(10, 10, 5, 5).grown(2, (20, 20, 3)) == Box(8, 8, 9, 9)
    assert Box(10, 10, 10, 10).grown(100, (20, 20)) == Box(0, 0, 20, 20)


def test_windows_stay_in_the_photo_and_hold_the_hole() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        height, width = (int(v) for v in rng.integers(1, 400, 2))
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        box = Box(x, y, int(rng.integers(1, width - x + 1)), int(rng.integers(1, height - y + 1)))
        window = context_window(
            box, height, width, context=float(rng.uniform(0, 2)), least=int(rng.integers(1, 300))
        )
        assert window.x >= 0
        assert window.y >= 0
        assert window.right <= width
        assert window.bottom <= height
        assert window.union(box) == window


def test_a_window_at_the_border_reaches_the_other_way() -> None:
    assert context_window(Box(0, 0, 10, 10), 100, 100, context=1.0, least=1) == Box(0, 0, 30, 30)


def test_the_region_near_a_hole_depends_on_its_longer_side() -> None:
    assert near_box(Box(100, 100, 10, 10), 1000, 1000) == Box(92, 92, 26, 26)
    assert near_box(Box(200, 300, 50, 100), 1000, 1000) == Box(188, 288, 74, 124)


def test_a_hole_lies_in_a_window_as_it_lies_in_the_photo() -> None:
    mask = np.array([[True, False], [True, True]])
    inner = hole_within(Hole(Box(5, 7, 2, 2), mask, 0.1), Box(4, 5, 4, 5))
    expected = np.zeros((5, 4), bool)
    expected[2:4, 1:3] = mask
    assert np.array_equal(inner, expected)


def test_the_border_with_the_longest_contact_is_named() -> None:
    mask = np.ones((10, 6), bool)
    mask[-1, :3] = False
    assert border_contact(Hole(Box(0, 20, 6, 10), mask, 0.1), 30, 40) == (9, "left")
    assert border_contact(Hole(Box(10, 20, 6, 10), mask, 0.1), 30, 40) == (3, "bottom")
    assert border_contact(Hole(Box(10, 10, 6, 10), mask, 0.1), 30, 40)[0] == 0
