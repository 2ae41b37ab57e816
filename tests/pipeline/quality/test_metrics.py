"""Metrics of pictures whose answer is known."""

import numpy as np
import pytest

from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.quality.metrics import inside_errors, residue, seam
from remove_objects.pipeline.types import Hole
from tests.support.scenes import scene


def with_hole(photo: np.ndarray, y: slice, x: slice) -> tuple[np.ndarray, Hole]:
    """(mask with a rectangular hole, the hole)."""
    mask = np.zeros(photo.shape[:2], bool)
    mask[y, x] = True
    return mask, find_holes(mask)[0]


def test_an_invisible_hole_has_a_seam_of_about_one() -> None:
    photo = scene(person=None)
    mask, hole = with_hole(photo, slice(40, 80), slice(50, 90))
    assert seam(photo, hole, mask) == pytest.approx(1, abs=0.15)


def test_a_black_box_has_a_seam_far_above_one() -> None:
    photo = scene(person=None)
    mask, hole = with_hole(photo, slice(40, 80), slice(50, 90))
    photo[mask] = 0
    assert seam(photo, hole, mask) > 10


def test_a_hole_of_the_whole_photo_has_no_seam() -> None:
    photo = scene(person=None)
    mask, hole = with_hole(photo, slice(None), slice(None))
    assert seam(photo, hole, mask) is None


@pytest.mark.parametrize("side", [1, 2, 40])
def test_a_hole_of_any_size_in_a_large_photo_has_a_seam(side: int) -> None:
    photo = np.full((1500, 2000, 3), 120, np.uint8)
    mask, hole = with_hole(photo, slice(700, 700 + side), slice(900, 900 + side))
    assert seam(photo, hole, mask) == pytest.approx(0)
    photo[mask] = 255
    visible = seam(photo, hole, mask)
    assert visible is not None
    assert visible > 0.9


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 2)])
def test_a_photo_of_a_few_pixels_has_no_seam_or_one(shape: tuple[int, int]) -> None:
    photo = np.zeros((*shape, 3), np.uint8)
    mask, hole = with_hole(photo, slice(0, 1), slice(0, 1))
    assert seam(photo, hole, mask) in (None, 0)


def test_a_hole_beside_another_has_no_rim_there() -> None:
    photo = np.full((100, 100, 3), 120, np.uint8)
    mask, hole = with_hole(photo, slice(40, 60), slice(40, 60))
    photo[60:80, 40:60] = 255
    visible = seam(photo, hole, mask)
    assert visible is not None
    assert visible > 1
    mask[60:80, 40:60] = True
    assert seam(photo, hole, mask) == 0


def test_residue_is_the_share_of_the_hole() -> None:
    mask = np.zeros((100, 100), bool)
    mask[20:60, 20:60] = True
    probability = np.zeros((50, 50), np.float32)
    probability[10:20, 10:30] = 0.9  # the upper half of the hole
    assert residue(probability, mask, 0.5) == pytest.approx(0.5, abs=0.02)
    assert residue(np.zeros((50, 50), np.float32), mask, 0.5) == 0


def test_errors_by_hand() -> None:
    truth = np.full((20, 20, 3), 0.5, np.float32)
    picture = truth.copy()
    mask = np.zeros((20, 20), bool)
    mask[5:10, 5:10] = True
    picture[mask] += 0.1
    l1, psnr, ssim = inside_errors(picture, truth, mask)
    assert l1 == pytest.approx(0.1, abs=1e-6)
    assert psnr == pytest.approx(20, abs=1e-3)
    assert ssim < 1
    assert inside_errors(truth, truth, mask) == (0, 99, 1)


def test_a_residue_of_a_hole_smaller_than_a_cell_counts_every_cell_it_touches() -> None:
    mask = np.zeros((1000, 1000), bool)
    mask[502:504, 702:704] = True
    probability = np.zeros((10, 10), np.float32)
    probability[5, 7] = 0.9
    assert residue(probability, mask, 0.5) == 1
    assert residue(probability, np.zeros_like(mask), 0.5) == 0
