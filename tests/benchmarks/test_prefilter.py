"""The benchmark of the prefilter counts objects of both sizes, and photos without the class."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.prefilter import judged


def test_small_and_clear_objects_are_counted_apart() -> None:
    share = np.array([[0.2, 0.0], [0.005, 0.0], [0.0004, 0.0003], [0.01, 0.5]])
    trace = np.array([[0.9, 0.1], [0.001, 0.4], [0.5, 0.0], [0.001, 0.9]])
    found = judged({"trace": trace, "share": share}, 0.2, slice(None))
    assert (found["clear"], found["missed"], found["recall"]) == (3, 1, 2 / 3)
    assert (found["small"], found["missed_small"]) == (2, 1)
    assert (found["empty"], found["skipped"]) == (2, 0.5)
