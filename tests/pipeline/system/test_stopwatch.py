"""Seconds by stage: nested and repeated blocks, failed ones, and sums over photos."""

from __future__ import annotations

import time

import pytest

from remove_objects.pipeline.system.stopwatch import Stopwatch, sum_stages


def test_a_repeated_stage_adds_up_in_the_pipelines_order() -> None:
    watch = Stopwatch()
    for stage in ("write", "inpaint", "write"):
        with watch(stage):
            time.sleep(0.01)
    assert list(watch.stages) == ["inpaint", "write"]
    assert watch.stages["write"] >= 0.02
    assert watch.elapsed >= sum(watch.stages.values())


def test_a_failed_stage_counts() -> None:
    watch = Stopwatch()
    with pytest.raises(ZeroDivisionError), watch("read"):
        raise ZeroDivisionError
    assert list(watch.stages) == ["read"]


def test_sums_have_the_stages_that_any_photo_has() -> None:
    assert sum_stages([{"write": 1.0, "read": 2.0}, {"read": 0.5}]) == {"read": 2.5, "write": 1.0}
    assert sum_stages([]) == {}
