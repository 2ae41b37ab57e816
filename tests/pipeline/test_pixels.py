"""Arrays of samples: from one type to another, and from known pixels to unknown ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.pixels import as_float, eight_bits, nearest_values


def test_eight_bits_of_any_samples_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert eight_bits(levels) is levels
    assert np.array_equal(eight_bits(levels.astype(np.uint16) * 257), levels)
    assert np.array_equal(eight_bits(as_float(levels)), levels)
    assert eight_bits(np.array([-0.5, 0.5, 1.5], np.float32)).tolist() == [0, 128, 255]


def test_unknown_pixels_take_the_nearest_known_values_of_every_channel() -> None:
    picture = np.random.default_rng(0).random((20, 30, 3)).astype(np.float32)
    known = np.zeros((20, 30), bool)
    known[:, :10] = known[:, 25:] = True
    filled = nearest_values(np.where(known[..., None], picture, np.nan), known)
    assert np.array_equal(filled[known], picture[known])
    assert np.array_equal(filled[5, 10], picture[5, 9])
    assert np.array_equal(filled[5, 24], picture[5, 25])
    for channel in range(3):
        assert np.array_equal(nearest_values(picture[..., channel], known), filled[..., channel])
    assert not nearest_values(picture, np.zeros_like(known)).any()


@pytest.mark.parametrize("precision", [cv2.DIST_MASK_3, cv2.DIST_MASK_5])
@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 1), (40, 60, 3)])
def test_nearest_values_are_those_that_a_table_of_values_gives(
    shape: tuple[int, ...], precision: int
) -> None:
    random = np.random.default_rng(1)
    for share in (0.001, 0.1, 0.9, 1.0):
        values = random.integers(0, 60000, shape).astype(np.uint16)
        known = random.random(shape[:2]) < share
        known[3, 5] = True
        before = values.copy()
        labels = cv2.distanceTransformWithLabels(
            (~known).astype(np.uint8), cv2.DIST_L2, precision, labelType=cv2.DIST_LABEL_PIXEL
        )[1]
        table = np.zeros((int(labels.max()) + 1, *shape[2:]), values.dtype)
        table[labels[known]] = values[known]
        assert np.array_equal(nearest_values(values, known, precision), table[labels])
        assert np.array_equal(values, before)


@pytest.mark.parametrize("precision", [cv2.DIST_MASK_3, cv2.DIST_MASK_5])
@pytest.mark.parametrize(("y", "x"), [(0, 0), (30, 50), (70, 105)])
def test_pixels_far_from_a_hole_do_not_change_what_is_nearest(
    y: int, x: int, precision: int
) -> None:
    random = np.random.default_rng(2)
    values = random.integers(0, 255, (100, 130, 3)).astype(np.uint8)
    known = np.ones((100, 130), bool)
    # Some known pixels lie within the hole.
    known[y : y + 30, x : x + 25] = random.random((30, 25)) < 0.02
    labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, precision, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    table = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    table[labels[known]] = values[known]
    assert np.array_equal(nearest_values(values, known, precision), table[labels])


def test_pixels_too_far_from_everything_known_are_zero() -> None:
    # OpenCV counts no further than some eight thousand pixels.
    values = np.full((1, 9000), 7, np.uint8)
    known = np.zeros((1, 9000), bool)
    known[0, 0] = True
    filled = nearest_values(values, known)
    assert filled[0, 8000] == 7
    assert filled[0, 8999] in (0, 7)
