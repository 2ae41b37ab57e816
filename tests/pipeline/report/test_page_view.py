"""What the page shows: links, totals, marks and histograms."""

from __future__ import annotations

from pathlib import Path

import pytest

from remove_objects.pipeline.config import REVIEW_SCORE
from remove_objects.pipeline.report.page_view import (
    Places,
    address,
    how_sure,
    make_histogram,
    photo_view,
    stage_seconds,
    totals,
)
from remove_objects.pipeline.types import LAYER_COLOURS, Layer
from tests.support.pages import entry, hole


def test_an_address_stays_in_the_folder_and_is_only_a_name() -> None:
    assert address("deep/ü #1?.jpg") == "deep/%C3%BC%20%231%3F.jpg"
    assert address("javascript:alert(1).jpg") == "javascript%3Aalert%281%29.jpg"
    assert address("b\udcff\n.jpg") == "b%FF%0A.jpg"
    for outside in ("/etc/passwd", "../a.jpg", "a/../../b.jpg", "\\\\server\\a.jpg", "", None):
        assert address(outside) is None


def test_totals_and_stages_count_this_run_alone() -> None:
    photos = [entry("a"), entry("b", "skipped"), entry("c", "failed", stages={}), entry("d")]
    assert totals(photos) == [("failed", 1), ("ok", 2), ("skipped", 1)]
    stages = stage_seconds(photos)
    assert [stage for stage, _ in stages] == ["read", "segment", "inpaint", "write"]
    assert [seconds for _, seconds in stages] == pytest.approx([0.2, 1.2, 1.4, 0.2])


def test_the_last_bar_of_a_histogram_holds_the_outliers() -> None:
    histogram = make_histogram("Seam", "note", [0.0, 0.5, None, 1.0, 2.5], threshold=2.0)
    assert histogram is not None
    assert (histogram.total, histogram.top, histogram.over, histogram.median, histogram.beyond) == (
        4,
        3.0,
        1,
        0.75,
        False,
    )
    assert [i for i, n in enumerate(histogram.counts) if n] == [0, 4, 8, 20]
    far = make_histogram("Seam", "note", [1.0] * 99 + [1000.0])
    assert far is not None
    assert (far.top, far.beyond, far.counts[-1]) == (1.0, True, 100)
    zero = make_histogram("Still seen", "note", [0.0, 0.0], threshold=0.2)
    assert zero is not None
    assert zero.counts[0] == 2
    assert make_histogram("Probe", "note", [None]) is None


def test_metrics_past_their_thresholds_are_marked() -> None:
    view = photo_view(entry("a", holes=[hole(2.5, 0.1)], residue=0.3, score=9.0), {}, None)
    assert view["past"] == {
        "share": False,
        "residue": True,
        "left_outside": False,
        "leftovers": False,
        "score": True,
    }
    assert photo_view(entry("a", left_outside=0.3), {}, None)["past"]["left_outside"]


def test_the_legend_has_the_previews_colours_where_more_than_objects_went() -> None:
    layers = {"shadow": 0.02, "object": 0.1}
    assert photo_view(entry("a", layers=layers), {}, None)["layers"] == [
        ("object", 0.1, "#" + bytes(LAYER_COLOURS[Layer.OBJECT]).hex()),
        ("shadow", 0.02, "#" + bytes(LAYER_COLOURS[Layer.SHADOW]).hex()),
    ]
    for alone in ({"object": 0.1}, {}):
        assert photo_view(entry("a", layers=alone), {}, None)["layers"] == []
    assert photo_view(entry("a"), {}, None)["layers"] == []


def test_an_original_is_linked_by_a_relative_path_or_named() -> None:
    folder = Path("/photos/cleaned")
    sources = {
        "a.jpg": "/photos/javascript:x/ü?.jpg",
        "b.jpg": "s3://bucket/b.jpg",
        "c.jpg": "/elsewhere/c\udcff.jpg",
    }
    places = Places(folder, sources)
    assert places.original("a.jpg") == "../javascript%3Ax/%C3%BC%3F.jpg"
    assert places.original("c.jpg") == "../../elsewhere/c%FF.jpg"
    assert places.original("b.jpg") is None
    assert places.elsewhere("b.jpg") == "s3://bucket/b.jpg"
    assert places.elsewhere("a.jpg") is None
    assert places.original("unknown") is None
    assert places.elsewhere("unknown") is None
    away = Places(None, sources)
    assert away.original("a.jpg") is None
    assert away.elsewhere("a.jpg") == sources["a.jpg"]
    assert away.mending() is None
    assert Places(Path("/a\nb c")).mending().endswith(r" $'/a\x0ab\x20c'")


def test_the_bar_agrees_with_the_verdict() -> None:
    def sure(status: str, score: float | None, **changes: object) -> tuple[float, str] | None:
        return how_sure(entry("a", status, score=score, **changes))

    assert sure("ok", 0.0) == (1.0, "sure")
    half = sure("ok", REVIEW_SCORE)
    assert half == (0.5, "fairly sure")
    above = sure("review", REVIEW_SCORE * 1.01)
    assert above is not None
    assert above[0] < 0.5
    # For review by something else: the bar says so too.
    low = sure("review", 0.0)
    assert low == (0.4, "not sure")
    assert sure("review", 9.0) == (0.0, "a guess")
    assert sure("skipped", 0.0, earlier_status="review") == low
    assert sure("ok", None) is None
    assert sure("ok", 0.1, reviewed=True) is None
    assert sure("failed", 0.1) is None


@pytest.mark.parametrize(
    ("decision", "says"),
    [
        ({"decision": "accepted"}, "Accepted as it is"),
        ({"decision": "mended"}, "Mended by hand"),
        ({}, "Reviewed"),  # by a board before version 0.2.0
    ],
)
def test_what_a_person_decided_about_needs_no_check(decision: dict[str, str], says: str) -> None:
    decided = entry("a.jpg", "review", reviewed=True, **decision)
    shown = photo_view(decided, {}, None)
    assert (shown["says"], shown["status"]) == (says, "decided")
    assert totals([decided, entry("b.jpg", "review")]) == [("review", 1), ("decided", 1)]
    again = {**decided, "status": "skipped", "earlier_status": "review"}
    assert photo_view(again, {}, None)["says"] == says


@pytest.mark.parametrize("status", ["ok", "review", "unchanged"])
def test_a_second_run_hides_no_verdict(status: str) -> None:
    first = entry("a.jpg", status, reason="in words")
    reason = f"finished in an earlier run as {status}: in words"
    second = entry("a.jpg", "skipped", earlier_status=status, reason=reason)
    assert totals([second]) == totals([first]) == [(status, 1)]
    for key in ("says", "status", "reason"):
        assert photo_view(second, {}, None)[key] == photo_view(first, {}, None)[key]
