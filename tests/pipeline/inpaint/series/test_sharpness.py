"""A part of another photo is made as sharp as the photo, or refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.series.sharpness import as_sharp
from tests.support.places import SIZE, box_mask, place, taken

HOLE = box_mask(130, 80, 50, 70)
KNOWN, OPEN = ~HOLE, np.ones(SIZE, bool)


def smeared(rgb: np.ndarray, along: str, length: float) -> np.ndarray:
    """HWC float32 in [0, 1], as of a camera that moved in x or y while it exposed."""
    sigma = {"x": (length, 1e-3), "y": (1e-3, length)}[along]
    picture = rgb.astype(np.float32) / 255
    return cv2.GaussianBlur(picture, (0, 0), sigmaX=sigma[0], sigmaY=sigma[1])


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    return taken(place())


@pytest.fixture(scope="module")
def sharp(scene: np.ndarray) -> np.ndarray:
    return scene.astype(np.float32) / 255


def test_an_equally_sharp_part_stays_as_it_is(sharp: np.ndarray) -> None:
    assert as_sharp(sharp, OPEN, sharp, KNOWN) is sharp


@pytest.mark.parametrize("along", ["x", "y"])
@pytest.mark.parametrize("length", [1.6, 2.0, 2.5])
def test_a_sharper_part_is_blurred_along_the_way_of_the_camera(
    scene: np.ndarray, sharp: np.ndarray, along: str, length: float
) -> None:
    own = smeared(scene, along, length)
    result = as_sharp(sharp, OPEN, own, KNOWN)
    assert result is not None
    inside = cv2.erode(HOLE.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    before, after = (np.abs(one - own)[inside].mean() for one in (sharp, result))
    assert after < 0.5 * before


def test_a_part_that_is_much_blurrier_or_sharper_in_one_direction_is_refused(
    scene: np.ndarray, sharp: np.ndarray
) -> None:
    assert as_sharp(smeared(scene, "x", 0.6), OPEN, sharp, KNOWN) is not None
    for along in ("x", "y"):
        assert as_sharp(smeared(scene, along, 3.0), OPEN, sharp, KNOWN) is None
        assert as_sharp(sharp, OPEN, smeared(scene, along, 4.0), KNOWN) is None
    assert as_sharp(smeared(scene, "x", 6.0), OPEN, smeared(scene, "y", 4.0), KNOWN) is None


def test_a_duller_part_is_sharpened(sharp: np.ndarray) -> None:
    inside = cv2.erode(HOLE.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    for sigma in (0.8, 1.0):
        dull = cv2.GaussianBlur(sharp, (0, 0), sigma)
        result = as_sharp(dull, OPEN, sharp, KNOWN)
        assert result is not None
        before, after = (np.abs(one - sharp)[inside].mean() for one in (dull, result))
        assert after < 0.75 * before


def test_nothing_unknown_is_read(scene: np.ndarray, sharp: np.ndarray) -> None:
    covered = box_mask(60, 40, 90, 60)
    smear, dull = smeared(scene, "x", 2.0), cv2.GaussianBlur(sharp, (0, 0), 0.8)
    for lent, own in ((sharp, smear), (dull, sharp)):
        results = []
        for level in (0.0, 1.0):
            other, photo = lent.copy(), own.copy()
            other[covered], photo[HOLE] = level, level
            results.append(as_sharp(other, ~covered, photo, KNOWN))
        one, two = results
        assert one is not None
        assert two is not None
        assert not np.array_equal(one[~covered], lent[~covered])
        assert np.array_equal(one[~covered], two[~covered])


def test_flat_ground_or_too_little_of_it_says_nothing(sharp: np.ndarray) -> None:
    flat = np.full_like(sharp, 0.5)
    grain = np.random.default_rng(0).normal(0, 0.003, sharp.shape).astype(np.float32)
    assert as_sharp(flat, OPEN, flat + grain, KNOWN) is flat
    few = box_mask(0, 0, 12, 12)
    assert as_sharp(sharp, OPEN, flat, few) is sharp
