"""Whether another photo shows the very thing that a person drew over."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.inpaint.series.matching import match, view_of
from remove_objects.pipeline.inpaint.series.unmarked import shows_what_goes
from tests.support.places import SIZE, box_mask, only_hole, other_light, place, taken

HOLE = box_mask(130, 80, 50, 70)
OPEN = np.ones(SIZE, bool)


def with_thing(rgb: np.ndarray, right: int = 0, down: int = 0) -> np.ndarray:
    """A photo with a thing inside the hole, or moved by some pixels."""
    rgb = rgb.copy()
    rng = np.random.default_rng(4)
    thing = rng.integers(0, 255, (10, 7, 3), np.uint8).repeat(6, 0).repeat(6, 1)
    rgb[85 + down : 145 + down, 134 + right : 176 + right] = thing
    return rgb


def is_shown(photo: np.ndarray, other: np.ndarray, is_open: np.ndarray = OPEN) -> bool:
    view = view_of(photo, HOLE, only_hole(HOLE))
    one = match(view, "b", other, is_open, np.eye(3))
    assert one is not None
    return shows_what_goes(photo, view, one)


@pytest.fixture(scope="module")
def empty() -> np.ndarray:
    return taken(place())


def test_a_thing_that_is_gone_is_not_shown(empty: np.ndarray) -> None:
    assert not is_shown(with_thing(empty), empty)


def test_a_thing_that_still_stands_there_is(empty: np.ndarray) -> None:
    assert is_shown(with_thing(empty), with_thing(empty))


def test_whatever_the_light(empty: np.ndarray) -> None:
    assert is_shown(with_thing(empty), other_light(with_thing(empty)))


def test_and_shifted_because_it_stands_before_the_ground(empty: np.ndarray) -> None:
    assert is_shown(with_thing(empty), with_thing(empty, 4, 1))


def test_another_thing_is_not_it(empty: np.ndarray) -> None:
    other = with_thing(empty)
    other[85:145, 134:176] = other[85:145, 134:176][::-1, ::-1]
    assert not is_shown(with_thing(empty), other)


def test_of_a_thing_without_detail_its_colour_counts(empty: np.ndarray) -> None:
    red, blue = empty.copy(), empty.copy()
    red[HOLE], blue[HOLE] = (200, 20, 20), (20, 20, 200)
    assert is_shown(red, red)
    assert not is_shown(red, blue)


def test_what_is_covered_is_not_compared(empty: np.ndarray) -> None:
    """The upper half is the thing, and covered; below, the other photo shows the place."""
    covered = OPEN.copy()
    covered[80:115, 130:180] = False
    half = with_thing(empty)
    half[115:150] = empty[115:150]
    assert not is_shown(with_thing(empty), half, covered)


def test_sixteen_bits(empty: np.ndarray) -> None:
    deep = with_thing(empty).astype(np.uint16) * 257
    assert is_shown(deep, deep)
    assert not is_shown(deep, empty.astype(np.uint16) * 257)
