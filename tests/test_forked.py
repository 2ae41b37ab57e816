"""Work in a forked child may use OpenCV's threads, whatever the parent did with them before."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tools.faults.points import ended, start


def _many_threads() -> int:
    """Do parallel work, change the number of threads, do parallel work again."""
    picture = np.zeros((2000, 2000, 3), np.uint8)
    for threads in (2, 1, 3):
        cv2.setNumThreads(threads)
        cv2.GaussianBlur(picture, (31, 31), 5)
    return 7


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_child_changes_the_number_of_threads(threads: int) -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(threads)
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 5)  # threads start
        assert [ended(start(_many_threads), 20) for _ in range(5)] == [7] * 5
        assert cv2.getNumThreads() == threads, "the parent keeps its number"
    finally:
        cv2.setNumThreads(before)
