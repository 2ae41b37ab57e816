"""Where a probe is placed."""

from __future__ import annotations

import numpy as np

from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.quality.probe import probe_hole
from remove_objects.pipeline.types import Route


def test_the_probe_moves_to_known_pixels() -> None:
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
    # The hole covers the left border, so the probe is mirrored to the opposite one.
    assert moved.box.x == 240


def test_without_a_known_place_there_is_no_probe() -> None:
    mask = np.zeros((100, 100), bool)
    mask[10:90, 10:90] = True
    (hole,) = find_holes(mask)
    assert probe_hole(hole, mask, Route.FREE_FORM) is None


def test_an_edge_probe_is_mirrored_at_the_opposite_border() -> None:
    mask = np.zeros((200, 300), bool)
    mask[:, :20] = mask[90:110, 20:60] = True  # a bar to the right of the left border
    (hole,) = find_holes(mask)
    moved = probe_hole(hole, mask, Route.EDGE)
    assert moved is not None
    assert moved.box.right == 300
    assert np.array_equal(moved.mask, hole.mask[:, ::-1])


def test_the_probe_is_the_nearest_known_place() -> None:
    mask = np.zeros((200, 300), bool)
    mask[90:110, 140:160] = True
    (hole,) = find_holes(mask)
    moved = probe_hole(hole, mask, Route.FREE_FORM)
    assert moved is not None
    distance = np.hypot(moved.box.x - hole.box.x, moved.box.y - hole.box.y)
    assert 20 < distance < 2 * 20
