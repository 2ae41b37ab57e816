"""Features of what nothing covers, and the planes that they confirm."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.series import alignment
from remove_objects.pipeline.inpaint.series.alignment import Features, features_of, planes
from tests.support.places import SIZE, box_mask, hand, place, taken

NOTHING = np.zeros(SIZE, bool)


def features(rgb: np.ndarray) -> Features:
    """Of a photo in which nothing is covered."""
    return features_of(rgb, np.zeros(rgb.shape[:2], bool))


def grid() -> np.ndarray:
    """1n2: points all over a photo."""
    y, x = np.mgrid[10 : SIZE[0] : 20, 10 : SIZE[1] : 20]
    return np.stack([x.ravel(), y.ravel()], 1)[None].astype(np.float64)


def error(plane: np.ndarray, truth: np.ndarray) -> float:
    """The greatest distance in pixels between where two planes put points."""
    put = [cv2.perspectiveTransform(grid(), matrix)[0] for matrix in (plane, truth)]
    return float(np.linalg.norm(put[0] - put[1], axis=1).max())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("move", [hand(), hand(-3, 0.95, -12, 7)])
def test_the_move_of_a_hand_is_found_within_a_pixel(move: np.ndarray, dtype: type) -> None:
    whole = place()
    photo, other = (
        one.astype(dtype) * (1 if dtype is np.uint8 else 257)
        for one in (taken(whole), taken(whole, move))
    )
    found = planes(features(photo), features(other))
    assert error(found[0], move) < 1
    assert error(found[0], np.eye(3)) > 8


def test_a_photo_of_another_size_is_aligned_in_its_own_pixels() -> None:
    """Points are in pixels of each photo; a pixel's middle is at a half."""
    small = taken(place())
    photo, large = (
        cv2.resize(small, (SIZE[1] * n, SIZE[0] * n), interpolation=cv2.INTER_CUBIC) for n in (4, 6)
    )
    assert photo.shape[1] > alignment.SIZE
    (plane, *_) = planes(features(photo), features(large))
    points = 4 * grid()
    put = cv2.perspectiveTransform(points, plane)
    assert np.abs(put - (1.5 * points + 0.25)).max() < 2


def test_another_place_is_refused() -> None:
    photo = features(taken(place()))
    for seed in (1, 2, 3):
        other = features(taken(place(seed)))
        assert min(len(photo.points), len(other.points)) > 100
        assert planes(photo, other) == []


def test_a_picture_without_features_is_refused() -> None:
    photo, plain = features(taken(place())), features(np.full((*SIZE, 3), 90, np.uint8))
    assert plain.points.shape == (0, 2)
    assert plain.described.shape == (0, 128)
    assert planes(photo, plain) == planes(plain, photo) == []


@pytest.mark.parametrize(
    ("move", "plausible"),
    [
        (np.eye(3), True),
        (hand(3, 1.05, 40, -20), True),
        (hand(90, 1.0, 0, 0), True),
        (hand(0, 2.3, 0, 0), False),
        (hand(0, 0.4, 0, 0), False),
        (np.diag([-1.0, 1, 1]), False),  # mirrored
        (np.diag([1.0, 0.45, 1]), False),  # flattened
        (np.array([[1, 0, 0], [0, 1, 0], [2.5e-3, 0, 1.0]]), False),  # leaning
        (np.array([[1, 0, 0], [0, 1, 0], [-1 / 160, 0, 1.0]]), False),  # through the horizon
    ],
)
def test_only_moves_of_a_hand_are_plausible(move: np.ndarray, plausible: bool) -> None:
    assert alignment._is_plausible(move, SIZE) == plausible


def test_a_plane_that_no_hand_could_make_is_refused() -> None:
    whole = place()
    photo, far = features(taken(whole)), features(taken(whole, hand(0, 2.3, -200, -160)))
    assert len(alignment._matched(photo, far)[0]) >= alignment.LEAST_FIRST
    assert planes(photo, far) == []


def test_a_second_plane_is_found() -> None:
    """The lower half of the place moves farther, as a street in front of houses does."""
    whole = place()
    far, near = hand(0, 1, 4, 0), hand(0, 1, 24, 0)
    other = np.vstack([taken(whole, far)[: SIZE[0] // 2], taken(whole, near)[SIZE[0] // 2 :]])
    found = planes(features(taken(whole)), features(other))
    top, bottom = np.array([[[160.0, 60]]]), np.array([[[160.0, 200]]])
    for at, truth in ((top, far), (bottom, near)):
        wanted = cv2.perspectiveTransform(at, truth)
        put = [np.abs(cv2.perspectiveTransform(at, one) - wanted).max() for one in found]
        assert min(put) < 1.5


def test_what_is_covered_has_no_features_and_is_not_read() -> None:
    rgb, covered = taken(place()), box_mask(100, 60, 120, 100)
    found = features_of(rgb, covered)
    x, y = found.points.round().astype(int).T
    assert len(x) > 100
    assert not covered[y, x].any()
    free = features(rgb)
    x, y = free.points.round().astype(int).T
    assert covered[y, x].any()
    changed = rgb.copy()
    changed[covered] = np.random.default_rng(0).integers(0, 255, (int(covered.sum()), 3))
    again = features_of(changed, covered)
    assert np.array_equal(found.points, again.points)
    assert np.array_equal(found.described, again.described)
    assert features_of(rgb, ~NOTHING).points.shape == (0, 2)


def test_somebody_who_moves_on_does_not_move_the_plane() -> None:
    """A large textured thing is elsewhere in both photos: their masks keep it out."""
    whole, thing = place(), place(9)[:140, :110]
    photo, other = taken(whole), taken(whole, hand())
    masks = box_mask(60, 70, 110, 140), box_mask(150, 70, 110, 140)
    photo[masks[0]], other[masks[1]] = thing.reshape(-1, 3), thing.reshape(-1, 3)
    found = planes(features_of(photo, masks[0]), features_of(other, masks[1]))
    assert error(found[0], hand()) < 1
    walked = hand(0, 1, 90, 0)
    assert all(error(plane, walked) > 20 for plane in found)


@pytest.mark.parametrize(("confirmed", "found"), [(0.5, True), (0.2, False)])
def test_matches_that_were_held_out_confirm_the_planes(confirmed: float, found: bool) -> None:
    """Those of which a plane is made fit it by themselves."""
    rng = np.random.default_rng(0)
    count = 200
    points = rng.uniform(0, SIZE[::-1], (count, 2)).astype(np.float32)
    moved = points + np.float32([9, -6])
    held_out = np.arange(0, count, alignment.HELD_OUT)
    wrong = held_out[round(confirmed * len(held_out)) :]
    moved[wrong] = rng.uniform(0, SIZE[::-1], (len(wrong), 2))
    described = np.eye(count, dtype=np.float32)
    photo, other = Features(SIZE, points, described), Features(SIZE, moved, described)
    assert bool(planes(photo, other)) == found


def test_points_of_a_reduced_photo_are_in_pixels_of_the_photo() -> None:
    """A pixel's middle is at a half: the middle of the first two pixels is at a half too."""
    small = cv2.resize(taken(place()), (alignment.SIZE, alignment.SIZE * 3 // 4))
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    one, other = features(small), features(large)
    assert len(one.points) > 100
    assert np.array_equal(one.described, other.described)
    assert np.allclose(other.points, 4 * one.points + 1.5, atol=1e-3)


def test_the_middle_of_the_first_pixel_is_at_zero() -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    spot = 60 + 120 * np.exp(-((x - 100) ** 2 + (y - 60) ** 2) / (2 * 6**2))
    found = features(np.repeat(spot.round().astype(np.uint8)[..., None], 3, axis=2))
    off = found.points - (100, 60)
    # OpenCV's SIFT doubles the picture first, which moves points by a quarter of a pixel.
    assert len(off)
    assert (off > 0).all()
    assert (off < 0.3).all()
