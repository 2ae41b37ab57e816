"""From probabilities to holes, against arrays written by hand."""

import itertools
import time

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.detect.mask import (
    CONNECTED,
    WAVERING,
    class_mask,
    class_shares,
    dilate,
    drop_specks,
    find_holes,
    removed_probability,
    whole_objects,
)
from remove_objects.pipeline.geometry import near_box
from remove_objects.pipeline.types import Box


def picture(rows: str) -> np.ndarray:
    """A mask from rows of ``.`` and ``#`` (True), separated by spaces."""
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
    mask = class_mask(probability, 40, 40, 0.3)
    assert mask.shape == (40, 40)
    assert mask[:, 25:].all()
    assert not mask[:, :12].any()


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


def test_holes_are_joined_until_none_is_near_another() -> None:
    """Against the definition: every pair of boxes, again and again."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        height, width = rng.integers(1, 150, 2).tolist()
        mask = np.zeros((height, width), bool)
        for y, x, h, w in rng.integers((0, 0, 1, 1), (height, width, 12, 12), (20, 4)):
            mask[y : y + h, x : x + w] = True
        boxes = [h.box for h in find_holes(mask)]
        expected = joined(components(mask), height, width)
        assert sorted(boxes, key=Box.as_list) == sorted(expected, key=Box.as_list)


def components(mask: np.ndarray) -> list[Box]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return [Box(*row) for row in stats[1:, :4].tolist()]


def joined(boxes: list[Box], height: int, width: int) -> list[Box]:
    for one, other in itertools.permutations(boxes, 2):
        if near_box(one, height, width).intersects(other):
            rest = [box for box in boxes if box not in (one, other)]
            return joined([*rest, one.union(other)], height, width)
    return boxes


@pytest.mark.parametrize("spacing", [30, 3])
def test_a_mask_of_very_many_specks_takes_seconds(spacing: int) -> None:
    mask = np.zeros((1200, 1200), bool)
    mask[10:-10:spacing, 10:-10:spacing] = True
    begun = time.process_time()
    assert len(find_holes(mask)) == (40 * 40 if spacing == 30 else 1)
    assert time.process_time() - begun < 15


def test_shares_by_class() -> None:
    probabilities = np.zeros((21, 10, 10), np.float32)
    probabilities[15, :5], probabilities[8, 5:7], probabilities[0, 7:] = 1, 1, 1
    assert class_shares(probabilities, ["person", "cat", "dog"], 0.5) == pytest.approx(
        {"person": 0.5, "cat": 0.2}
    )
    assert removed_probability(probabilities, ["person", "cat"]).mean() == pytest.approx(0.7)


def test_a_fainter_part_of_an_object_belongs_to_it() -> None:
    removed, ground = np.zeros((20, 60), np.float32), np.ones((20, 60), np.float32)
    removed[5:15, 5:15] = 0.9
    removed[5:15, 15:20] = CONNECTED * 0.5 + 0.01
    removed[5:15, 20:25] = CONNECTED * 0.5 - 0.01  # too faint where nothing is as likely
    removed[5:15, 40:50] = 0.49  # connected with no certain pixel
    whole = whole_objects(removed, ground, 0.5) >= 0.5
    assert whole[5:15, 5:20].all()
    assert whole.sum() == 10 * 15


def test_an_object_continues_where_its_class_wavers() -> None:
    removed, ground = np.zeros((20, 40), np.float32), np.ones((20, 40), np.float32)
    removed[5:15, 5:15], ground[5:15, 5:25] = 0.9, 0.1
    removed[5:15, 15:25] = WAVERING * 0.5 + 0.01  # certainly an object, perhaps this one
    whole = whole_objects(removed, ground, 0.5) >= 0.5
    assert whole[5:15, 5:25].all()
    assert whole.sum() == 10 * 20


@pytest.mark.parametrize(
    ("probability", "background"), [(WAVERING * 0.5 - 0.01, 0.1), (CONNECTED * 0.5 - 0.01, 0.7)]
)
def test_another_object_and_the_background_are_left(probability: float, background: float) -> None:
    removed, ground = np.zeros((20, 40), np.float32), np.ones((20, 40), np.float32)
    removed[5:15, 5:15], ground[5:15, 5:15] = 0.9, 0.1
    removed[5:15, 15:25], ground[5:15, 15:25] = probability, background
    assert (whole_objects(removed, ground, 0.5) >= 0.5).sum() == 100


def test_an_object_that_touches_no_certain_pixel_is_left() -> None:
    removed, ground = np.full((20, 40), 0.2, np.float32), np.full((20, 40), 0.1, np.float32)
    removed[:, 15:20] = 0.0
    removed[5, 5] = 0.9
    whole = whole_objects(removed, ground, 0.5) >= 0.5
    assert whole[:, :15].all()
    assert not whole[:, 15:].any()


def test_the_background_may_be_of_another_size() -> None:
    removed, ground = np.zeros((40, 80), np.float32), np.zeros((20, 40), np.float32)
    removed[10, 10] = 0.9
    whole = whole_objects(removed, ground, 0.5)
    assert whole.shape == (40, 80)
    assert (whole >= 0.5).sum() == 1
