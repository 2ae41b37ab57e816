"""The order of photos on the page, and the photos that the terminal names first."""

from __future__ import annotations

from remove_objects.pipeline.report.ranking import LOOK_FIRST, look_first, worst_first
from tests.support.pages import entry


def test_the_list_shows_the_worst_first() -> None:
    photos = [
        entry("skipped", "skipped"),
        entry("ok, high", score=0.4),
        entry("ok, none"),
        entry("unchanged", "unchanged"),
        entry("review, a tenth seen", "review", residue=0.1),
        entry("review, half seen", "review", residue=0.5),
        entry("review, score 0.2", "review", score=0.2),
        entry("review, reviewed", "review", score=0.9, reviewed=True),
        entry("review, score 0.5", "review", score=0.5),
        entry("failed b", "failed"),
        entry("failed a", "failed"),
    ]
    assert [p["input"] for p in worst_first(photos)] == [
        "failed a",
        "failed b",
        "review, score 0.5",
        "review, score 0.2",
        "review, half seen",
        "review, a tenth seen",
        "ok, high",
        "ok, none",
        "unchanged",
        "skipped",
        "review, reviewed",
    ]


def test_at_most_five_photos_are_named() -> None:
    photos = [entry(f"{i}.jpg", "review", score=i / 10) for i in range(7)]
    assert [p["input"] for p in look_first(photos)] == [f"{i}.jpg" for i in (6, 5, 4, 3, 2)]
    assert LOOK_FIRST == 5


def test_a_skipped_photo_ranks_by_its_earlier_status() -> None:
    photos = [
        entry("ok", "skipped", earlier_status="ok", score=0.9),
        entry("review", "skipped", earlier_status="review", score=0.1),
        entry("unknown", "skipped", reason="somebody else's words"),
    ]
    assert [p["input"] for p in look_first(photos)] == ["review"]
    assert [p["input"] for p in worst_first(photos)] == ["review", "ok", "unknown"]
