"""What another photo shows of a hole: its light, its fit beside the hole, and refusals."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.series.matching import Match, View, match, view_of
from tests.support.places import SIZE, box_mask, hand, only_hole, other_light, place, taken

HOLE = box_mask(130, 80, 50, 70)
OPEN = np.ones(SIZE, bool)


@pytest.fixture(scope="module")
def whole() -> np.ndarray:
    return place()


@pytest.fixture(scope="module")
def photo(whole: np.ndarray) -> np.ndarray:
    rgb = taken(whole)
    rgb[HOLE] = (255, 0, 0)
    return rgb


@pytest.fixture(scope="module")
def view(photo: np.ndarray) -> View:
    return view_of(photo, HOLE, only_hole(HOLE))


def levels(whole: np.ndarray, view: View, one: Match) -> float:
    """Mean error of the hole's content, in grey levels."""
    truth = taken(whole)[view.box.slices] / 255.0
    inside = HOLE[view.box.slices] & one.is_open
    assert inside.sum() > 0.9 * HOLE.sum()
    return float(255 * np.abs(one.content - truth)[inside].mean())


def test_a_view_knows_the_hole_and_its_ring(view: View, photo: np.ndarray) -> None:
    assert np.array_equal(view.inner, HOLE[view.window.slices])
    assert view.small.shape == (*view.small_known.shape, 3)
    assert not (view.small_known & view.small_inner).any()
    assert not (view.ring & ~view.small_known).any()
    assert (view.small[~view.small_known] == 0).all()
    assert HOLE[view.box.slices].sum() == HOLE.sum()
    assert view.box.intersection(view.window) == view.box


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("move", [np.eye(3), hand()])
def test_exposure_and_white_balance_come_back(
    whole: np.ndarray, view: View, move: np.ndarray, dtype: type
) -> None:
    dark = other_light(taken(whole, move))
    assert np.abs(dark.astype(int) - taken(whole, move))[100:140, 100:200].mean() > 12
    dark = dark.astype(dtype) * (1 if dtype is np.uint8 else 257)
    one = match(view, "b", dark, OPEN, move)
    assert one is not None
    assert one.name == "b"
    assert levels(whole, view, one) < 5
    assert one.misfit < 0.02


def test_a_plane_that_is_off_by_some_pixels_is_mended(whole: np.ndarray, view: View) -> None:
    """Beside the hole the scene may follow another plane than most of the photo."""
    other, wrong = taken(whole, hand()), hand(2.0, 1.03, 12.0, -4.0)
    one = match(view, "b", other, OPEN, wrong)
    assert one is not None
    assert levels(whole, view, one) < 5
    # A camera on a tripod is believed.
    assert match(view, "b", other, OPEN, wrong, exact=True) is None


def test_a_photo_of_another_place_is_refused(whole: np.ndarray, view: View) -> None:
    assert match(view, "b", taken(whole), OPEN, np.eye(3)) is not None
    for seed in (1, 2, 3):
        assert match(view, "b", taken(place(seed)), OPEN, np.eye(3)) is None


def test_a_much_blurrier_photo_is_refused(whole: np.ndarray, view: View) -> None:
    sharp = taken(whole)
    softer, blurred = (cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (0.7, 7.0))
    assert match(view, "b", softer, OPEN, np.eye(3)) is not None
    assert match(view, "b", blurred, OPEN, np.eye(3)) is None


def test_a_photo_that_differs_beside_the_hole_is_refused(whole: np.ndarray, view: View) -> None:
    """Something that no class names stands there now."""
    other = taken(whole)
    beside = box_mask(110, 60, 90, 110) & ~HOLE
    other[beside] = taken(place(5))[beside]
    assert match(view, "b", other, OPEN, np.eye(3)) is None


def test_a_photo_that_shows_nothing_of_the_hole_is_refused(whole: np.ndarray, view: View) -> None:
    other = taken(whole)
    assert match(view, "b", other, ~HOLE, np.eye(3)) is None
    far = hand(0, 1, 400, 0)
    assert match(view, "b", taken(whole, far), OPEN, far) is None
    half = box_mask(130, 80, 25, 70)
    one = match(view, "b", other, ~half, np.eye(3))
    assert one is not None
    assert not one.is_open[half[view.box.slices]].any()
    assert one.is_open[(HOLE & ~half)[view.box.slices]].mean() > 0.9


def test_a_photo_that_shows_nothing_beside_the_hole_is_refused(
    whole: np.ndarray, view: View
) -> None:
    """Nobody knows whether it fits."""
    assert match(view, "b", taken(whole), HOLE, np.eye(3)) is None


def test_on_flat_ground_light_decides() -> None:
    """Without texture, photos that differ by light alone fit; an edge in the hole comes along."""
    rgb = np.full((*SIZE, 3), 120, np.uint8)
    truth = rgb.copy()
    truth[110:114, 140:170] = 40
    flat = view_of(rgb, HOLE, only_hole(HOLE))
    one = match(flat, "b", (truth * 0.9).astype(np.uint8), OPEN, np.eye(3))
    assert one is not None
    shown = one.content[112 - flat.box.y, 155 - flat.box.x]
    beside = one.content[90 - flat.box.y, 155 - flat.box.x]
    assert np.abs(255 * beside - 120).max() < 2
    assert (255 * shown < 60).all()
    textured = taken(place())
    assert match(flat, "b", textured, OPEN, np.eye(3)) is None


def test_nothing_covered_and_nothing_under_the_hole_is_read(
    whole: np.ndarray, photo: np.ndarray
) -> None:
    rng = np.random.default_rng(0)
    other, covered = taken(whole, hand()), box_mask(165, 60, 60, 90)
    other_photo, other_covered = photo.copy(), other.copy()
    other_photo[HOLE] = rng.integers(0, 255, (int(HOLE.sum()), 3))
    other_covered[covered] = rng.integers(0, 255, (int(covered.sum()), 3))
    matches = []
    for rgb, shown in ((photo, other), (other_photo, other_covered)):
        one = match(view_of(rgb, HOLE, only_hole(HOLE)), "b", shown, ~covered, hand())
        assert one is not None
        assert not one.is_open.all()
        matches.append(one)
    first, second = matches
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b)
