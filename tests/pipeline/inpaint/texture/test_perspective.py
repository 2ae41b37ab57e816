"""Planes in perspective: they are found, filled from their front, and nothing else is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import patch as texture
from remove_objects.pipeline.inpaint.texture import perspective
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


def test_few_lines_make_no_plane() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    cv2.line(picture, (20, 20), (300, 60), (0, 0, 0), 2)
    cv2.line(picture, (20, 220), (300, 190), (0, 0, 0), 2)
    assert perspective.planes(picture, HOLE) == []
