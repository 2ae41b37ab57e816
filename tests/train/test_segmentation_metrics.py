"""Confusion matrix and IoU by hand."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.train.segmentation_metrics import (
    confusion,
    intersection_over_union,
)


def test_confusion_leaves_void_out() -> None:
    truth, predicted = np.array([[0, 15, 15, 255]], np.uint8), np.array([[0, 15, 0, 15]], np.uint8)
    counts = confusion(predicted, truth)
    assert counts.shape == (21, 21)
    assert counts.sum() == 3
    assert (counts[0, 0], counts[15, 15], counts[15, 0], counts[0, 15]) == (1, 1, 1, 0)


def test_intersection_over_union_by_hand() -> None:
    counts = np.zeros((21, 21), np.int64)
    counts[0, 0], counts[0, 15], counts[15, 15], counts[15, 0], counts[0, 8] = 6, 1, 2, 1, 3
    figures = intersection_over_union(counts)
    assert set(figures) == {"background", "person", "mean"}  # cat was predicted but does not occur
    assert figures["background"] == pytest.approx(6 / 11)
    assert figures["person"] == pytest.approx(2 / 4)
    assert figures["mean"] == pytest.approx((6 / 11 + 0.5) / 2)
