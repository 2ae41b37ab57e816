"""Planes in perspective: they are found, filled from their front, and nothing else is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import patch as texture
from remove_objects.pipeline.inpaint.texture import perspective
from remove_objects.pipeline.inpaint.texture.full_size import Patch
from remove_objects.pipeline.types import Box
from tests.support import textures
from tests.support.textures import known_outside, tiles

HEIGHT, WIDTH = 240, 320
#: From a wall seen from its front to the same wall seen at an angle.
AT_AN_ANGLE = cv2.getPerspectiveTransform(
    np.array([(0, 0), (900, 0), (900, 640), (0, 640)], np.float32),
    np.array([(-60, -40), (WIDTH + 10, 50), (WIDTH + 10, 190), (-60, 330)], np.float32),
).astype(np.float64)


def wall(seed: int = 0) -> np.ndarray:
    """Bricks with dark joints, each brick with its own grain, the same from brick to brick."""
    joints = np.ones((64, 100, 1), np.float32)
    joints[:10] = joints[:, :10] = 0.15
    brick = joints * (0.35 + 0.6 * tiles(64, 100, 50, seed))
    return cv2.GaussianBlur(np.tile(brick, (10, 9, 1)), (0, 0), 2.0)


def photo(front: np.ndarray) -> np.ndarray:
    return cv2.warpPerspective(front, AT_AN_ANGLE, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)


def blurred(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), 12)


def fill_window(picture: np.ndarray, known_mask: np.ndarray, guide: np.ndarray) -> np.ndarray:
    filled = textures.fill_window(picture, known_mask, guide, fine=False)
    assert filled is not None
    return filled


WALL = photo(wall())
HOLE = known_outside(WALL, 80, 130, 90, 60)


def error(picture: np.ndarray, filled: np.ndarray, known_mask: np.ndarray) -> float:
    assert np.array_equal(filled[known_mask], picture[known_mask])
    return float(np.abs(filled - picture)[~known_mask].mean())


def test_a_wall_seen_at_an_angle_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    from_front = error(WALL, fill_window(WALL, HOLE, blurred(WALL)), HOLE)
    monkeypatch.setattr(texture, "planes", lambda *_: [])
    from_camera = error(WALL, fill_window(WALL, HOLE, blurred(WALL)), HOLE)
    assert from_front < 0.5 * from_camera
    assert from_front < 0.05


def test_the_plane_that_is_found_is_the_walls() -> None:
    plane = perspective.planes(WALL, HOLE)[0]
    assert plane.share > 0.8
    # Joints that meet in the photo are parallel from the front, along and across.
    for along in ((1.0, 0.0), (0.0, 1.0)):
        ends = np.array(
            [
                [(x, y), (x + 200 * along[0], y + 200 * along[1])]
                for x in (200, 500)
                for y in (150, 350)
            ]
        )
        seen = cv2.perspectiveTransform(ends.reshape(1, -1, 2), AT_AN_ANGLE)
        straight = cv2.perspectiveTransform(seen, plane.view).reshape(-1, 2, 2)
        step = straight[:, 1] - straight[:, 0]
        angles = np.degrees(np.arctan2(step[:, 1], step[:, 0]))
        assert np.abs(angles - np.degrees(np.arctan2(along[1], along[0]))).max() < 2.0
    # In the middle of the hole the scale stays.
    middle = np.array([[(159, 124), (160, 124), (159, 125)]], np.float64)
    a, b, c = cv2.perspectiveTransform(middle, plane.view)[0]
    assert abs(np.linalg.det(np.stack([b - a, c - a]))) == pytest.approx(1.0, abs=0.1)


def test_what_is_seen_from_its_front_or_has_no_lines_is_filled_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    front = wall()[:HEIGHT, :WIDTH]
    noise = np.random.default_rng(1).random((HEIGHT, WIDTH, 3)).astype(np.float32)
    for picture in (front, noise):
        as_it_is = fill_window(picture, HOLE, blurred(picture))
        with monkeypatch.context() as patched:
            patched.setattr(texture, "planes", lambda *_: [])
            assert np.array_equal(as_it_is, fill_window(picture, HOLE, blurred(picture)))


@pytest.mark.parametrize("better", [False, True])
def test_a_plane_is_used_only_if_its_pattern_repeats_better(
    monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    asked = []

    def unexplained(*_: object) -> float:
        asked.append(0.1 * 0.7 ** (better * len(asked)))
        return asked[-1]

    monkeypatch.setattr(texture, "unexplained", unexplained)
    filled = fill_window(WALL, HOLE, blurred(WALL))
    assert len(asked) >= 2
    monkeypatch.setattr(texture, "planes", lambda *_: [])
    assert np.array_equal(filled, fill_window(WALL, HOLE, blurred(WALL))) == (not better)


@pytest.mark.parametrize("under", [0.0, 1.0, np.nan])
def test_the_hole_is_never_read(under: float) -> None:
    expected = fill_window(WALL, HOLE, blurred(WALL))
    picture = np.where(HOLE[..., None], WALL, np.float32(under))
    filled = fill_window(picture, HOLE, blurred(WALL))
    assert np.array_equal(filled, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_give_as_good_a_wall(dtype: type) -> None:
    peak = np.iinfo(dtype).max
    whole = np.round(np.clip(WALL, 0, 1) * peak).astype(dtype)
    patch = texture.texture_patch(whole, HOLE, blurred(WALL), fine=False)
    assert patch is not None
    difference = np.abs(patch.content - WALL[patch.box.slices])
    assert difference[~HOLE[patch.box.slices]].mean() < 0.05


def test_the_other_side_of_the_horizon_is_no_source() -> None:
    """A floor up to its horizon: from above, the sky would lie mirrored behind the camera."""
    floor = cv2.getPerspectiveTransform(
        np.array([(0, 0), (900, 0), (900, 640), (0, 640)], np.float32),
        np.array([(130, 90), (190, 90), (420, 240), (-100, 240)], np.float32),
    )
    picture = cv2.warpPerspective(wall(), floor, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    picture[:60] = (1.0, 0.0, 1.0)
    known_mask = known_outside(picture, 150, 130, 50, 50)
    view = np.linalg.inv(floor)
    plane = perspective.Plane(view / (view[2] @ np.array([155.0, 175.0, 1.0])), 1.0, 2.0)
    shown = plane.from_front(picture, known_mask, blurred(picture))
    sky = (shown.picture == (1.0, 0.0, 1.0)).all(2) & shown.known_mask
    assert shown.known_mask.any()
    assert not sky.any()


def steep_plane(known_mask: np.ndarray) -> perspective.Plane:
    """As steep as planes may be: 0.45 to 1.55 times as far as the window's middle."""
    height, width = known_mask.shape
    view = np.eye(3)
    view[2, 0] = 1.1 / width
    to_middle = np.array([[1.0, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    return perspective.Plane(view @ to_middle, 1.0, 3.5)


def test_a_view_from_the_front_is_not_much_larger_than_its_window() -> None:
    picture = np.zeros((600, 800, 3), np.uint8)
    known_mask = known_outside(picture, 75, 100, 450, 600)
    guide = np.zeros((9, 12, 3), np.float32)
    shown = steep_plane(known_mask).from_front(picture, known_mask, guide)
    times = shown.known_mask.size / known_mask.size
    assert 0.95 * perspective.MOST_AREA < times < 1.01 * perspective.MOST_AREA
    assert max(shown.guide.shape) <= perspective.GUIDE_SIZE
    # All of the hole comes back.
    content = np.repeat(shown.hole_mask[..., None], 3, 2).astype(np.float32)
    patch = Patch(Box.full(shown.known_mask.shape), content)
    back = perspective.from_camera(patch, Box.full(known_mask.shape), shown.view)
    assert (back[~known_mask] > 0.4).all()


@pytest.mark.parametrize("hole", [(75, 0, 450, 300), (0, 200, 300, 300), (100, 500, 500, 300)])
def test_outside_the_window_lies_no_black(hole: tuple[int, int, int, int]) -> None:
    """What is read for a hole at the window's border lies partly beyond it."""
    picture = np.full((600, 800, 3), 200, np.uint8)
    known_mask = known_outside(picture, *hole)
    picture[~known_mask] = 0
    guide = np.full((60, 80, 3), 0.7, np.float32)
    shown = steep_plane(known_mask).from_front(picture, known_mask, guide)
    assert np.abs(shown.picture.astype(int) - 200).max() <= 1
    assert np.abs(shown.guide - 0.7).max() < 1e-5
    # Nor does an unfilled place beside the hole.
    content = np.repeat((shown.hole_mask | shown.known_mask)[..., None], 3, 2).astype(np.float32)
    patch = Patch(Box.full(shown.known_mask.shape), content)
    back = perspective.from_camera(patch, Box.full(known_mask.shape), shown.view)
    assert back[~known_mask].min() > 0.9


@pytest.mark.parametrize("size", [(40, 60), (600, 900)])
def test_the_guide_is_shown_where_the_picture_is(size: tuple[int, int]) -> None:
    """Whatever its size, whole coordinates are the middles of pixels."""
    y, x = np.mgrid[:600, :900].astype(np.float32)
    picture = np.stack([x / 900, y / 600, 0 * x], -1)
    known_mask = known_outside(picture, 200, 350, 200, 200)
    guide = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    shown = steep_plane(known_mask).from_front(picture, known_mask, guide)
    inside = cv2.erode(shown.known_mask.astype(np.uint8), np.ones((61, 61)), borderValue=0) > 0
    enlarged = cv2.resize(shown.guide, inside.shape[::-1], interpolation=cv2.INTER_LINEAR)
    assert inside.mean() > 0.1
    assert np.abs(enlarged - shown.picture)[inside].max() < 0.001


def test_of_very_many_lines_the_weightiest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perspective, "MOST_SEGMENTS", 100)
    counted = []
    vanishing_points = perspective._vanishing_points

    def counting(segments: np.ndarray, nearness: np.ndarray) -> object:
        counted.append(len(segments))
        return vanishing_points(segments, nearness)

    monkeypatch.setattr(perspective, "_vanishing_points", counting)
    assert perspective.planes(WALL, HOLE)[0].share > 0.8
    assert counted == [100]


def test_a_hole_between_the_pixels_of_the_front_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    known_mask = known_outside(WALL, 120, 161, 1, 1)
    coarse = perspective.Plane(np.diag([0.25, 0.25, 1.0]), 1.0, 2.0)
    assert not coarse.from_front(WALL, known_mask, WALL).hole_mask.any()
    monkeypatch.setattr(texture, "planes", lambda *_: [coarse])
    assert error(WALL, fill_window(WALL, known_mask, WALL), known_mask) < 0.3


@pytest.mark.parametrize("threads", [1, 2])
def test_no_choice_depends_on_the_number_of_threads(threads: int) -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(threads)
        filled = fill_window(WALL, HOLE, blurred(WALL))
        cv2.setNumThreads(4)
        assert np.array_equal(filled, fill_window(WALL, HOLE, blurred(WALL)))
    finally:
        cv2.setNumThreads(before)


def test_few_lines_make_no_plane() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    cv2.line(picture, (20, 20), (300, 60), (0, 0, 0), 2)
    cv2.line(picture, (20, 220), (300, 190), (0, 0, 0), 2)
    assert perspective.planes(picture, HOLE) == []
