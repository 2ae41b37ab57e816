"""From probabilities to holes, against arrays written by hand."""

import numpy as np
import pytest

from remove_objects.pipeline.detect.mask import class_mask, dilate, drop_specks, find_holes
from remove_objects.pipeline.types import Box


def picture(rows: str) -> np.ndarray:
    return np.array([[c == "#" for c in row] for row in rows.split()])


def test_dilation_by_one_is_a_plus() -> None:
    assert (
        dilate(picture("..... ..... ..#.. ..... ....."), 1)
        == picture("..... ..#.. .###. ..#.. .....")
    ).all()


def test_dilation_is_euclidean_and_reaches_the_border() -> None:
    grown = dilate(picture("#..... ...... ...... ......"), 2)
    assert (grown == picture("###... ##.... #..... ......")).all()


@pytest.mark.parametrize("radius", [0, 1, 3, 9])
def test_dilation_is_monotone_and_leaves_its_input_alone(radius: int) -> None:
    rng = np.random.default_rng(radius)
    small = rng.random((40, 50)) > 0.99
    large = small | (rng.random((40, 50)) > 0.99)
    before = small.copy()
    assert not (dilate(small, radius) & ~dilate(large, radius)).any()
    assert not (small & ~dilate(small, radius)).any()
    assert (small == before).all()


def test_specks_go_and_objects_stay() -> None:
    mask = np.zeros((100, 100), bool)
    mask[5, 5] = mask[90, 90:93] = True
    mask[40:60, 40:60] = True
    kept = drop_specks(mask)
    assert kept[40:60, 40:60].all()
    assert kept.sum() == 400


def test_threshold_decides_at_the_photos_size() -> None:
    probability = np.zeros((4, 4), np.float32)
    probability[:, 2:] = 0.6
    assert not class_mask(probability, 40, 40, 0.7).any()
    found = class_mask(probability, 40, 40, 0.3)
    assert found.shape == (40, 40)
    assert found[:, 25:].all()
    assert not found[:, :12].any()


def test_far_holes_are_two_and_partition_the_mask() -> None:
    mask = np.zeros((200, 300), bool)
    mask[20:60, 20:70] = True
    mask[150:180, 200:260] = True
    holes = find_holes(mask)
    assert [h.box for h in holes] == [Box(20, 20, 50, 40), Box(200, 150, 60, 30)]
    total = np.zeros(mask.shape, int)
    for hole in holes:
        total[hole.box.slices] += hole.mask
    assert (total == mask).all()
    assert sum(h.share for h in holes) == pytest.approx(mask.mean())


def test_near_holes_are_one() -> None:
    mask = np.zeros((100, 100), bool)
    mask[20:40, 20:40] = mask[20:40, 45:60] = True
    (hole,) = find_holes(mask)
    assert hole.box == Box(20, 20, 40, 20)
    assert not hole.mask[:, 22].any()
