"""Missed against hole, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.train.edge_curve import curve, hole_at


def test_the_curve_by_hand() -> None:
    whole, known = np.zeros((40, 40), bool), np.ones((40, 40), bool)
    whole[10:30, 10:30] = True  # 400 pixels
    known[:, 35:] = False
    found = np.zeros((40, 40), np.float32)
    found[10:30, 10:28] = 0.8  # 360 of them
    found[:, 36:] = 0.9  # where nothing is known
    points = curve([found], [whole], [known], (0.5, 0.95), (0, 2))
    assert [p.name for p in points] == ["0.5 +0", "0.5 +2", "0.95 +0", "0.95 +2"]
    assert (points[0].missed, points[0].hole) == pytest.approx((0.1, 0.9))
    assert points[1].missed == 0
    assert points[1].hole > 1.1
    assert (points[2].missed, points[3].missed, points[3].hole) == (1, 1, 0)
    assert hole_at(points, 0.1) == pytest.approx(0.9)
    assert hole_at(points, 0.05) == points[1].hole
    assert hole_at(points[2:], 0.5) == 9.99


def test_medians_and_the_mean_are_over_objects() -> None:
    objects = [np.ones((10, 10), bool)] * 3
    found = [np.full((10, 10), value, np.float32) for value in (1, 1, 0)]
    (point,) = curve(found, objects, objects, (0.5,), (0,))
    assert (point.missed, point.missed_mean, point.hole) == (0, pytest.approx(1 / 3), 1)
