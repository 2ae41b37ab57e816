"""Figures against pictures whose answer is known."""

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.quality.lpips import Perceptual
from remove_objects.pipeline.quality.metrics import inside_errors, residue, seam
from remove_objects.pipeline.quality.probe import probe_hole
from remove_objects.pipeline.types import Route
from tests.support.scenes import scene


def with_hole(photo: np.ndarray, y: slice, x: slice) -> tuple[np.ndarray, object]:
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


def test_residue_is_the_share_of_the_hole() -> None:
    mask = np.zeros((100, 100), bool)
    mask[20:60, 20:60] = True
    probability = np.zeros((50, 50), np.float32)
    probability[10:20, 10:30] = 0.9  # the upper half of the hole
    assert residue(probability, mask, 0.5) == pytest.approx(0.5, abs=0.02)
    assert residue(np.zeros((50, 50), np.float32), mask, 0.5) == 0


def test_errors_by_hand() -> None:
    truth = np.full((20, 20, 3), 0.5, np.float32)
    found = truth.copy()
    mask = np.zeros((20, 20), bool)
    mask[5:10, 5:10] = True
    found[mask] += 0.1
    l1, psnr, ssim = inside_errors(found, truth, mask)
    assert l1 == pytest.approx(0.1, abs=1e-6)
    assert psnr == pytest.approx(20, abs=1e-3)
    assert ssim < 1
    assert inside_errors(truth, truth, mask) == (0, 99, 1)


def test_the_probe_moves_to_known_ground() -> None:
    mask = np.zeros((200, 300), bool)
    mask[50:90, 60:100] = True
    mask[40:120, 150:170] = True
    hole = find_holes(mask)[1]
    moved = probe_hole(hole, mask, Route.FREE_FORM)
    assert moved is not None
    assert (moved.box.w, moved.box.h) == (hole.box.w, hole.box.h)
    assert not mask[moved.box.slices].any()
    assert np.array_equal(moved.mask, hole.mask)


def test_an_edge_probe_stays_at_a_border() -> None:
    mask = np.zeros((200, 300), bool)
    mask[:, :60] = True
    (hole,) = find_holes(mask)
    moved = probe_hole(hole, mask, Route.EDGE)
    assert moved is not None
    assert moved.box.x == 240  # the left border is the hole itself: the opposite one, mirrored


def test_no_known_ground_gives_no_probe() -> None:
    mask = np.zeros((100, 100), bool)
    mask[10:90, 10:90] = True
    (hole,) = find_holes(mask)
    assert probe_hole(hole, mask, Route.FREE_FORM) is None


def test_variety_is_the_spread_of_deep_features_where_all_is_known() -> None:
    class Features:
        """Deepest features that differ between the left and the right half."""

        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            deepest = torch.zeros(1, 2, 4, 4)
            deepest[:, 0, :, :2], deepest[:, 1, :, 2:] = 3.0, 5.0
            return [torch.zeros(1, 1, 8, 8), deepest]

    perceptual: Any = Perceptual.__new__(Perceptual)
    perceptual.device, perceptual._lock = torch.device("cpu"), threading.Lock()
    perceptual._network = SimpleNamespace(net=Features(), scaling_layer=lambda x: x)
    picture, known = np.zeros((64, 64, 3), np.float32), np.ones((64, 64), bool)
    assert perceptual.context_diversity(picture, known) == pytest.approx(
        1.0
    )  # two channels that are 0 or 1, half and half
    left = known.copy()
    left[:, 32:] = False
    assert perceptual.context_diversity(picture, left) == pytest.approx(0.0)
    assert perceptual.context_diversity(picture, ~known) is None
    perceptual._network = None
    assert perceptual.context_diversity(picture, known) is None
