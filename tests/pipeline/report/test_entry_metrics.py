"""Metrics of an entry, whole or reduced to what a baseline keeps."""

from __future__ import annotations

from typing import Any

import pytest

from remove_objects.pipeline.report.entry_metrics import (
    overlap,
    reported_status,
    verdict_basis,
    worst_metrics,
)
from remove_objects.pipeline.types import Status
from tests.support.pages import entry, hole


def test_the_overlap_of_boxes() -> None:
    square = (0.0, 0.0, 2.0, 2.0)
    assert overlap([square], [square]) == 1
    assert overlap([square], [(1.0, 0.0, 2.0, 2.0)]) == pytest.approx(2 / 6)
    assert overlap([square], [(5.0, 5.0, 1.0, 1.0)]) == 0
    # The common pixel counts once.
    two = [square, (1.0, 1.0, 2.0, 2.0)]
    assert overlap(two, [(0.0, 0.0, 3.0, 3.0)]) == pytest.approx(7 / 9)
    assert overlap([], []) == 1
    assert overlap([square], []) == 0


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "review"}, Status.REVIEW),
        ({"status": "skipped", "earlier_status": "ok", "reason": "in other words"}, Status.OK),
        ({"status": "skipped", "reason": "finished in an earlier run as ok: why"}, Status.OK),
        ({"status": "skipped", "reason": "somebody else's words"}, None),
        ({"status": "skipped", "earlier_status": "skipped"}, None),
    ],
)
def test_the_status_of_a_skipped_photo_is_its_earlier_one(
    changes: dict[str, Any], status: Status | None
) -> None:
    assert reported_status(entry("a.jpg", **changes)) is status


def test_a_metric_of_holes_is_that_of_the_worst() -> None:
    holes = [hole(1.5, 0.1), hole(0.5, 0.3), hole(None, None)]
    metrics = worst_metrics(entry("a.jpg", holes=holes))
    assert (metrics["seam"], metrics["probe.lpips"], metrics["holes"]) == (1.5, 0.3, 3.0)
    assert metrics["fidelity.psnr_outside"] == 99.0
    reduced = worst_metrics({"input": "a.jpg", "status": "ok"})
    assert {name for name, value in reduced.items() if value is not None} == {"holes"}


def test_the_basis_of_a_verdict_is_what_was_known() -> None:
    full, without_probe = (verdict_basis(entry("a", holes=[hole(1.0, p)])) for p in (0.1, None))
    assert full - without_probe == {"probe.psnr", "probe.lpips"}
    assert "signs.variety" not in full
    assert "signs.depth" in full
