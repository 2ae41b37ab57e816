"""Crops for the networks: the edge window, masking, resizing over known pixels, padding."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.inpaint.windows import (
    edge_window,
    enlarge,
    masked_window,
    pad,
    resize_known,
    shrink_known,
)
from remove_objects.pipeline.types import Box, Hole


def rectangle(box: Box) -> Hole:
    """A hole that fills its box."""
    return Hole(box, np.ones((box.h, box.w), bool), 0.1)


def test_resizing_takes_nothing_from_the_hole() -> None:
    picture = np.full((40, 40, 3), 0.5, np.float32)
    known_mask = np.ones((40, 40), bool)
    known_mask[10:23, 10:23] = False
    picture[~known_mask] = 0
    small, small_known = resize_known(picture, known_mask, 10, 10)
    assert np.allclose(small[small_known], 0.5, atol=1e-4)
    assert not small_known[3:5, 3:5].any()


@pytest.mark.parametrize(
    "box",
    [Box(0, 300, 90, 200), Box(810, 300, 90, 200), Box(300, 0, 200, 90), Box(300, 610, 200, 90)],
)
def test_the_edge_window_gives_the_hole_its_share(box: Box) -> None:
    window = edge_window(rectangle(box), 700, 900)
    depth, across = (box.w, window.w) if box.w < box.h else (box.h, window.h)
    assert depth / across == pytest.approx(0.3, abs=0.01)
    assert Box(max(window.x, box.x), max(window.y, box.y), box.w, box.h) == box


def test_a_hole_away_from_the_border_uses_the_nearest_one() -> None:
    window = edge_window(rectangle(Box(400, 600, 60, 50)), 700, 900)
    assert window.bottom == 700
    assert window.union(Box(400, 600, 60, 50)) == window


def test_a_masked_window_is_a_blanked_copy() -> None:
    rgb = np.random.default_rng(0).integers(1, 255, (30, 40, 3)).astype(np.uint8)
    before, hole_mask = rgb.copy(), np.zeros((30, 40), bool)
    hole_mask[10:15, 20:30] = True
    window = Box(15, 5, 20, 12)
    picture, known_mask = masked_window(rgb, hole_mask, window)
    assert np.array_equal(known_mask, ~hole_mask[window.slices])
    assert (picture[~known_mask] == 0).all()
    assert np.array_equal(picture[known_mask], rgb[window.slices][known_mask])
    assert np.array_equal(rgb, before)


def test_shrinking_by_a_factor_never_enlarges() -> None:
    picture, known_mask = np.full((20, 30, 3), 51, np.uint8), np.ones((20, 30), bool)
    small, small_known = shrink_known(picture, known_mask, 0.5)
    assert small.shape == (10, 15, 3)
    assert small_known.all()
    assert np.allclose(small, 0.2)
    same, same_known = shrink_known(picture, known_mask, 2.0)
    assert same.shape == picture.shape
    assert same_known is known_mask


def test_a_prediction_is_enlarged_to_its_window_within_range() -> None:
    prediction = np.random.default_rng(0).integers(0, 2, (8, 8, 3)).astype(np.float32)
    large = enlarge(prediction, Box(3, 4, 50, 40))
    assert large.shape == (40, 50, 3)
    assert large.min() >= 0
    assert large.max() <= 1
    assert enlarge(prediction, Box(0, 0, 8, 8)) is prediction


def test_padding_is_unknown() -> None:
    picture, known_mask = np.ones((5, 6, 3), np.float32), np.ones((5, 6), bool)
    padded, padded_known = pad(picture, known_mask, 8, 8)
    assert padded.shape == (8, 8, 3)
    assert padded_known[:5, :6].all()
    assert padded_known.sum() == 30
    assert (padded[~padded_known] == 0).all()
