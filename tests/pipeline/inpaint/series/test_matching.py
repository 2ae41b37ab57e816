"""What another photo shows of a hole: its light, its fit beside the hole, and refusals."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.series import matching
from remove_objects.pipeline.inpaint.series.matching import Match, View, match, view_of
from remove_objects.pipeline.types import Box
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


def faint(rgb: np.ndarray, share: float, grey: float = 120.0) -> np.ndarray:
    """A photo with this share of its contrast."""
    return (grey + share * (rgb - rgb.mean((0, 1)))).round().clip(0, 255).astype(np.uint8)


def fits(photo: np.ndarray, other: np.ndarray) -> bool:
    """Whether a photo of an unmoved camera fits beside the hole of another one."""
    view = view_of(photo, HOLE, only_hole(HOLE))
    return match(view, "b", other, OPEN, np.eye(3), exact=True) is not None


def test_a_photo_of_quite_another_brightness_is_refused() -> None:
    """On flat ground light alone decides, and this is no light of the same place."""
    flat = np.full((*SIZE, 3), 200, np.uint8)
    assert fits(flat, flat - 70)
    assert not fits(flat, flat - 110)


def test_a_photo_with_little_of_the_texture_is_refused(whole: np.ndarray) -> None:
    """What is faint is near anyway, and a blurred copy is like the sharp one."""
    photo = faint(taken(whole), 0.4)
    assert fits(photo, faint(taken(whole), 0.26))
    assert not fits(photo, faint(taken(whole), 0.06))


def test_a_photo_that_is_like_it_and_far_off_is_refused(whole: np.ndarray) -> None:
    """A reflection of something else lies over the place."""
    photo, something = (faint(taken(one), 0.5) for one in (whole, place(1)))
    for share, expected in ((0.3, True), (1.5, False)):
        both = photo + share * (something - something.mean((0, 1)))
        assert fits(photo, both.round().clip(0, 255).astype(np.uint8)) == expected


def test_a_faint_photo_of_something_else_is_refused(whole: np.ndarray) -> None:
    """It is sharp and near: nothing but its texture is another one."""
    photo = faint(taken(whole), 0.3)
    rng = np.random.default_rng(0)
    noisy = photo + rng.normal(0, 1.5, photo.shape)
    assert fits(photo, noisy.round().clip(0, 255).astype(np.uint8))
    assert not fits(photo, faint(taken(place(1)), 0.3))


def test_a_move_of_the_small_window_is_one_of_the_photo(
    whole: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pixel's middle is at a half: the window's corner stays where the small one's does."""
    large = np.ones((3 * SIZE[0], 3 * SIZE[1]), bool)
    hole = np.zeros_like(large)
    hole[160:560, 300:700] = True
    rgb = cv2.resize(taken(whole), large.shape[::-1])
    view = view_of(rgb, hole, only_hole(hole))
    reduced = view.window.h / view.small_known.shape[0]
    assert reduced > 1.2
    # Enlarged from the middle of the first pixel of the small window.
    zoom = np.diag([1.02, 1.02, 1.0])
    monkeypatch.setattr(cv2, "findTransformECC", lambda *_: (1.0, zoom.astype(np.float32)))
    look = matching._look(view, rgb, large, np.eye(3))
    assert look is not None
    move = matching._second_move(view, look)
    assert move is not None
    # Its place in the photo is the middle of the pixels that it is made of.
    first = np.array([view.window.x, view.window.y]) + reduced / 2 - 0.5
    assert np.allclose(cv2.perspectiveTransform(first[None, None], move)[0, 0], first, atol=1e-6)


def test_the_light_of_the_small_window_is_enlarged_around_the_middles_of_pixels() -> None:
    x = np.broadcast_to(np.arange(30, dtype=np.float32)[None, :, None], (20, 30, 3))
    y = np.broadcast_to(np.arange(20, dtype=np.float32)[:, None, None], (20, 30, 3))
    part = Box(7, 5, 60, 40)
    columns, rows = np.arange(7, 67), np.arange(5, 45)
    found_x, found_y = (matching._enlarged(one, part, (60, 90)) for one in (x, y))
    assert np.allclose(found_x, ((columns - 1) / 3)[None, :, None], atol=0.02)
    assert np.allclose(found_y, ((rows - 1) / 3)[:, None, None], atol=0.02)


THING = box_mask(140, 100, 16, 30)
WIDE_THING = box_mask(110, 100, 60, 30)


def with_thing(rgb: np.ndarray, where: np.ndarray) -> np.ndarray:
    changed = rgb.copy()
    changed[where] = (230, 220, 20)
    return changed


def open_in(view: View, one: Match, where: np.ndarray) -> float:
    """Share of the hole's part of a mask that a match shows."""
    part = (where & HOLE)[view.box.slices]
    return float(one.is_open[part].mean())


def test_a_thing_that_the_photo_does_not_show_is_not_taken_into_it(
    whole: np.ndarray, view: View
) -> None:
    for thing, fits in ((THING, True), (WIDE_THING, False)):
        moved = cv2.warpPerspective(thing.astype(np.uint8), hand(), SIZE[::-1]) > 0
        other = with_thing(taken(whole, hand()), moved)
        believed = match(view, "b", other, OPEN, hand())
        assert (believed is not None) == fits
        assert believed is None or open_in(view, believed, thing) == 1
        one = match(view, "b", other, OPEN, hand(), things=moved.astype(np.uint16))
        assert one is not None
        assert open_in(view, one, thing) < 0.05
        beside = cv2.dilate(thing.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
        assert open_in(view, one, beside) == 1


def test_a_thing_that_goes_on_beside_the_hole_is_the_photos_own(whole: np.ndarray) -> None:
    photo = with_thing(taken(whole), WIDE_THING)
    photo[HOLE] = (255, 0, 0)
    view = view_of(photo, HOLE, only_hole(HOLE))
    moved = cv2.warpPerspective(WIDE_THING.astype(np.uint8), hand(), SIZE[::-1]) > 0
    other = other_light(with_thing(taken(whole, hand()), moved))
    one = match(view, "b", other, OPEN, hand(), things=moved.astype(np.uint16))
    assert one is not None
    assert open_in(view, one, WIDE_THING) == 1


def test_of_two_things_each_is_judged_by_itself(whole: np.ndarray) -> None:
    photo = with_thing(taken(whole), WIDE_THING)
    photo[HOLE] = (255, 0, 0)
    view = view_of(photo, HOLE, only_hole(HOLE))
    alone = box_mask(140, 135, 16, 12)
    both = with_thing(taken(whole), WIDE_THING | alone)
    things = WIDE_THING.astype(np.uint16) + 2 * alone.astype(np.uint16)
    one = match(view, "b", both, OPEN, np.eye(3), exact=True, things=things)
    assert one is not None
    assert open_in(view, one, WIDE_THING) == 1
    assert open_in(view, one, alone) == 0
