"""Segmentation at several scales: two passes over the photo, and a crop around every object."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from remove_objects.pipeline.detect import multi_scale, segmenters
from remove_objects.pipeline.detect.mask import removed_probability
from remove_objects.pipeline.segmenter_names import SegmenterNames
from tests.support.scenes import scene


class Shortsighted(segmenters.Segmenter):
    """Sees red as a person, at 64 pixels along the longer side: smaller objects fade."""

    name, quick = "shortsighted", True

    def __init__(self) -> None:
        self.passes = 0

    def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        """21hw."""
        self.passes += 1
        small = segmenters.resize_longest(rgb, 64).astype(np.float32)
        red = np.clip((small[..., 0] - small[..., 1]) / 255, 0, 1)
        probabilities = np.zeros((21, *red.shape), np.float32)
        probabilities[15], probabilities[0] = red, 1 - red
        return probabilities


def seen_by(probabilities: np.ndarray) -> multi_scale.Looks:
    """Looks without a detector."""
    return multi_scale.Looks(probabilities, multi_scale.NO_BOXES, probabilities)


def refined(picture: np.ndarray, *, quick: bool = True) -> tuple[np.ndarray, np.ndarray, int]:
    """(probability of the whole photo, refined probability, number of passes)."""
    segmenter = Shortsighted()
    segmenter.quick = quick
    probabilities = segmenter.probabilities(picture)
    seen = multi_scale.refine_objects(segmenter, picture, seen_by(probabilities), ["person"], 0.5)
    assert seen.removed.shape == seen.background.shape
    return removed_probability(probabilities, ["person"]), seen.removed, segmenter.passes


def at_photo_size(probability: np.ndarray) -> np.ndarray:
    return cv2.resize(probability, (640, 480), interpolation=cv2.INTER_LINEAR) >= 0.5


def test_crops_find_the_ends_of_small_objects() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[100:120, 200:207] = (255, 0, 0)
    picture[300:306, 500:507] = (255, 0, 0)
    truth = picture[..., 1] == 0
    removed, probability, passes = refined(picture)
    assert passes == 3
    far, near = at_photo_size(removed), at_photo_size(probability)
    assert (far & truth).sum() < 0.4 * truth.sum()
    assert (near & truth).sum() > 0.6 * truth.sum()
    assert (near & ~truth).sum() < 0.5 * truth.sum()


def test_a_crop_sees_the_thin_end_of_a_large_object() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[200:300, 250:330] = (255, 0, 0)
    picture[300:400, 287:293] = (255, 0, 0)
    removed, probability, _ = refined(picture)
    far, near = (
        cv2.resize(p, (640, 480), interpolation=cv2.INTER_LINEAR)[310:390, 287:293].mean()
        for p in (removed, probability)
    )
    assert far < 0.35
    assert near > far + 0.1


def test_an_object_as_large_as_the_photo_gets_no_crop_and_a_slow_segmenter_gives_none() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[20:460, 150:500] = (255, 0, 0)
    removed, probability, passes = refined(picture)
    assert passes == 1
    assert np.array_equal(probability, removed)
    picture[130:] = picture[:, 220:] = 120
    assert refined(picture)[2] == 2
    assert refined(picture, quick=False)[2] == 1


def test_an_object_that_the_frame_cuts_counts_up_to_the_frame() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[440:, 300:308] = (255, 0, 0)
    assert at_photo_size(refined(picture)[1])[470:, 302:306].all()


def test_neighbours_share_a_crop_and_crowds_have_a_bound() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[200:230, 300:320] = (255, 0, 0)
    picture[200:230, 323:343] = (255, 0, 0)
    assert refined(picture)[2] == 2
    for y in range(20, 460, 60):
        for x in range(20, 620, 60):
            picture[y : y + 20, x : x + 20] = (255, 0, 0)
    assert refined(picture)[2] == 1 + multi_scale.MOST_CROPS


def test_a_quick_segmenter_refines_what_a_slow_one_found() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[100:120, 200:207] = (255, 0, 0)
    slow = np.zeros((21, 48, 64), np.float32)
    slow[15, 10:12, 20:21] = 0.9
    slow[0] = 1 - slow[15]
    slow[15, 30:40, 40:50], slow[0, 30:40, 40:50] = 0.9, 0.1
    segmenter = Shortsighted()
    seen = multi_scale.refine_objects(segmenter, picture, seen_by(slow), ["person"], 0.5)
    assert segmenter.passes == 2
    assert at_photo_size(seen.removed)[102:118, 201:206].mean() > 0.9
    assert at_photo_size(seen.removed)[310:390, 410:490].all()  # only the slow one sees it
    assert not (at_photo_size(seen.removed) & at_photo_size(seen.background)).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 2), (5, 5), (7, 200)])
def test_no_crop_of_a_tiny_photo_is_empty(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 120, np.uint8)
    grid = segmenters.resize_longest(picture, 64).shape[:2]
    for y, x in np.ndindex(*(max(1, n // 5) for n in grid)):
        probabilities = np.zeros((21, *grid), np.float32)
        probabilities[15, 5 * y : 5 * y + 4, 5 * x : 5 * x + 4] = 0.9
        segmenter = Shortsighted()
        seen = multi_scale.refine_objects(
            segmenter, picture, seen_by(probabilities), ["person"], 0.5
        )
        assert seen.removed.shape in (size, grid)


class OneSided(segmenters.Segmenter):
    """Sees a person in the left half of every picture, at the requested size."""

    name, quick = "one-sided", True

    def __init__(self) -> None:
        self.inputs: list[tuple[np.ndarray, int | None]] = []

    def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        """21hw."""
        self.inputs.append((rgb, longest))
        h, w = segmenters.resize_longest(rgb, longest or 64).shape[:2]
        probabilities = np.zeros((21, h, w), np.float32)
        probabilities[15, :, : w // 2] = 0.8
        probabilities[0] = 1 - probabilities[15]
        return probabilities


def test_the_second_pass_is_larger_and_mirrored_and_the_mean_counts() -> None:
    segmenter = OneSided()
    picture = scene(120, 160)
    mean = multi_scale.two_scale(segmenter, picture)
    (first, first_size), (second, second_size) = segmenter.inputs
    assert first is picture
    assert first_size is None
    assert second_size == segmenters.NEARER_SIZE
    assert np.array_equal(
        second, segmenters.resize_longest(picture, segmenters.NEARER_SIZE)[:, ::-1]
    )
    assert mean.shape == (21, *second.shape[:2])
    assert np.allclose(mean.sum(0), 1, atol=1e-5)
    # On the left of the photo, then on the left of its mirror image: half the probability.
    inside = np.ones(mean.shape[2], bool)
    inside[mean.shape[2] // 2 - 10 : mean.shape[2] // 2 + 10] = False
    assert np.allclose(mean[15][:, inside], 0.4)


def test_a_slow_segmenter_runs_once() -> None:
    segmenter = OneSided()
    segmenter.quick = False
    assert multi_scale.two_scale(segmenter, scene(120, 160)).shape == (21, 48, 64)
    assert len(segmenter.inputs) == 1


def test_two_scales_of_the_compact_segmenter_come_at_the_larger_one(tiny: Path) -> None:
    chosen = segmenters.choose_segmenter(
        SegmenterNames("compact"), torch.device("cpu"), offline=True
    )
    mean = multi_scale.two_scale(chosen.segmenter, scene(120, 160))
    assert mean.shape == (21, 577, 769)


@pytest.mark.parametrize("size", [(768, 1), (2000, 3), (1, 768), (20000, 30)])
def test_a_photo_that_is_one_pixel_wide_at_the_network_is_segmented(
    tiny: Path, size: tuple[int, int]
) -> None:
    chosen = segmenters.choose_segmenter(
        SegmenterNames("compact"), torch.device("cpu"), offline=True
    )
    mean = multi_scale.two_scale(chosen.segmenter, np.full((*size, 3), 90, np.uint8))
    assert mean.shape[0] == 21
    assert max(mean.shape[1:]) == segmenters.NEARER_SIZE


def detected(*boxes: tuple[float, float, float, float, float, int]) -> np.ndarray:
    return np.array(boxes, np.float32).reshape(-1, 6)


def seen_with(boxes: np.ndarray, strength: float = 0.0) -> tuple[np.ndarray, int]:
    """(refined probability at the photo's size, passes) of a faint person and these boxes."""
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[200:260, 300:330] = (120 + 90, 120, 120)  # probability 0.35, wherever it is seen
    segmenter, silent = Shortsighted(), np.zeros((21, 48, 64), np.float32)
    silent[0], silent[15, 20:26, 30:33] = 1, strength
    looks = multi_scale.Looks(silent, boxes, silent)
    seen = multi_scale.refine_objects(segmenter, picture, looks, ["person"], 0.5)
    return cv2.resize(seen.removed, (640, 480), interpolation=cv2.INTER_LINEAR), segmenter.passes


PERSON_BOX = (300 / 640, 200 / 480, 330 / 640, 260 / 480)


def test_a_detected_person_is_looked_at_closely_and_believed() -> None:
    without, passes = seen_with(detected())
    assert (without.max(), passes) == (0, 0)
    found, passes = seen_with(detected((*PERSON_BOX, 0.8, 15)))
    assert passes == 1
    inside = np.zeros((480, 640), bool)
    inside[205:255, 305:325] = True
    assert found[inside].min() > 0.4
    far = cv2.dilate(inside.astype(np.uint8), np.ones((41, 41), np.uint8)) == 0
    assert found[far].max() < 0.05


@pytest.mark.parametrize(
    "box",
    [(*PERSON_BOX, 0.8, 12), (*PERSON_BOX, 0.05, 15)],
    ids=["another class", "hardly a person"],
)
def test_other_boxes_change_nothing(box: tuple[float, float, float, float, float, int]) -> None:
    found, passes = seen_with(detected(box))
    assert (found.max(), passes) == (0, 0)


def test_a_box_of_what_the_photo_shows_anyway_gets_no_crop_of_its_own() -> None:
    _, without = seen_with(detected(), strength=0.9)
    _, passes = seen_with(detected((*PERSON_BOX, 0.8, 15)), strength=0.9)
    assert passes == without == 1


def test_boxes_far_apart_cost_a_limited_number_of_crops() -> None:
    places = [(x / 6, y / 5) for x in range(6) for y in range(5)]
    boxes = [(x, y, x + 0.02, y + 0.04, 0.5, 15) for x, y in places]
    _, passes = seen_with(detected(*boxes))
    assert passes == multi_scale.MOST_DETECTED


def test_a_crowd_shares_the_crops_that_show_it() -> None:
    boxes = [(x / 30, 0.4, (x + 0.8) / 30, 0.6, 0.5, 15) for x in range(30)]
    _, passes = seen_with(detected(*boxes))
    assert 1 <= passes <= 4


@pytest.mark.parametrize(("x", "passes"), [(0.3, 1), (0.44, 2), (0.7, 2)])
def test_a_crop_that_shows_another_object_with_a_margin_is_enough(x: float, passes: int) -> None:
    first = (0.3, 0.4, 0.4, 0.6, 0.5, 15)
    assert seen_with(detected(first, (x + 0.01, 0.42, x + 0.1, 0.6, 0.5, 15)))[1] == passes


def test_a_small_person_in_the_crop_of_a_large_one_is_looked_at_more_closely() -> None:
    large, small = (0.2, 0.2, 0.5, 0.8, 0.5, 15), (0.3, 0.3, 0.32, 0.35, 0.5, 15)
    assert seen_with(detected(large))[1] == 1
    assert seen_with(detected(large, small))[1] == 2


def test_a_box_of_a_pixel_is_no_mistake() -> None:
    found, passes = seen_with(detected((0.9999, 0.9999, 1, 1, 0.9, 15), (0, 0, 0, 0, 0.9, 15)))
    assert passes == 2
    assert np.isfinite(found).all()
