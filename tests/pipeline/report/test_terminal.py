"""The table of a run and the line for each photo; nothing in them controls a terminal."""

from __future__ import annotations

import re
from typing import Any

from remove_objects.pipeline.report.ranking import LOOK_FIRST, look_first
from remove_objects.pipeline.report.terminal import photo_line, run_summary


def photo(name: str, status: str = "ok", seconds: float = 2.0, **changes: Any) -> dict[str, Any]:
    """What the terminal reads of an entry."""
    return {
        "input": name,
        "status": status,
        "reason": f"why {name}",
        "seconds": seconds,
        "stages": {"segment": 0.5, "inpaint": 1.5},
        "score": None,
        "hole_share": 0.1,
        "holes": [{"route": "edge"}, {"route": "face"}, {"route": "edge"}],
        "error": None,
        **changes,
    }


RUN = {
    "seconds": 12.34,
    "weights": {"partial-conv": "7bbfa5c9" + "0" * 56, "compact-segmenter": "f2e2c144" + "0" * 56},
}


def test_the_table_counts_and_times() -> None:
    photos = [
        photo("a.jpg"),
        photo("b.jpg", seconds=4.0),
        photo("c.jpg", "unchanged", 0.5, stages={"segment": 0.5}, holes=[]),
    ]
    lines = run_summary(RUN, photos).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["ok", "2", "3.00"],
        ["unchanged", "1", "0.50"],
    ]
    assert (
        lines[3]
        == "time: 12.3 s, 2.17 s a photo, at most 4.00 (b.jpg); slowest stage: inpaint, 67%"
    )
    assert lines[4] == "weights: compact-segmenter f2e2c144, partial-conv 7bbfa5c9"
    assert len(lines) == 5  # nothing to look at


def test_photos_that_are_cleaned_at_once_explain_their_seconds() -> None:
    """Ten photos of 20 s each in 100 s would look like a mistake otherwise."""
    text = run_summary({"seconds": 100.0, "weights": {}}, [photo("a.jpg", seconds=20.0)] * 10)
    assert "time: 100.0 s, 20.00 s a photo with 2 at once, at most" in text


def test_a_second_run_says_that_decisions_are_kept() -> None:
    photos = [
        photo("a.jpg", "skipped", earlier_status="review", reviewed=True),
        photo("b.jpg", "skipped", earlier_status="ok"),
    ]
    said = "skipped: done in an earlier run, results untouched"
    assert f"{said}; 1 of them as you decided at the mask board" in run_summary(RUN, photos)
    assert run_summary(RUN, photos[1:]).splitlines()[3] == said
    assert said not in run_summary(RUN, [photo("c.jpg")])


def test_a_skipped_photo_has_no_time_of_this_run() -> None:
    text = run_summary(
        {"seconds": 0.5, "weights": {}},
        [photo("a.jpg", "skipped", 99.0, reason="finished in an earlier run as review: a seam")],
    )
    assert "99" not in text
    assert "no photo had to be filled" in text
    assert "weights: none were needed" in text
    assert re.split(r"\s{2,}", text.splitlines()[-1].strip()) == ["to check", "a.jpg", "a seam"]


def test_the_status_of_a_skipped_photo_has_a_key_of_its_own() -> None:
    skipped = photo("a.jpg", "skipped", earlier_status="review", reason="in other words: a seam")
    text = run_summary(RUN, [skipped])
    assert re.split(r"\s{2,}", text.splitlines()[-1].strip()) == [
        *("to check", "a.jpg", "in other words: a seam")
    ]
    unchanged = photo("a.jpg", "skipped", earlier_status="unchanged")
    assert look_first([unchanged]) == []


def test_the_worst_are_named_first() -> None:
    photos = [
        photo("ok.jpg"),
        photo("unscored.jpg", "review"),
        photo("large.jpg", "review", hole_share=0.5),
        photo("low.jpg", "review", score=0.2),
        photo("high.jpg", "review", score=0.9),
        photo("broken.jpg", "failed", error="no picture"),
        photo("zero.jpg", "review", score=0.0),
    ]
    assert [p["input"] for p in look_first(photos)] == [
        "broken.jpg",
        "high.jpg",
        "low.jpg",
        "zero.jpg",
        "large.jpg",
    ]
    assert len(look_first(photos)) == LOOK_FIRST
    lines = run_summary(RUN, photos).splitlines()
    first = lines.index("check these first:")
    # Failures take no place here: the command prints every one of them by itself.
    assert [line.split()[2] for line in lines[first + 1 :]] == [
        *("high.jpg", "low.jpg", "zero.jpg", "large.jpg", "unscored.jpg")
    ]
    assert re.split(r"\s{2,}", lines[first + 1].strip()) == ["to check", "high.jpg", "why high.jpg"]


def test_an_empty_run_has_a_table() -> None:
    assert "0.1 s" in run_summary({"seconds": 0.1, "weights": {}}, [])


def test_control_characters_of_names_and_reasons_are_escaped() -> None:
    evil = photo("a\x1b[31m\n.jpg", "review", reason="b\x07\udcff")
    for text in (run_summary(RUN, [evil]), photo_line(evil)):
        assert "a\\x1b[31m\\n.jpg" in text
        assert not {"\x1b", "\x07", "\udcff"} & set(text)


def test_a_photos_line_has_its_columns() -> None:
    scored, plain = (
        photo_line(photo("a.jpg", score=0.123)),
        photo_line(photo("b.jpg", "unchanged", 123.456, holes=[])),
    )
    assert scored == "ok           2.00 s   0.12  a.jpg edge,face  why a.jpg"
    assert plain == "unchanged  123.46 s         b.jpg -  why b.jpg"
    assert scored.index("a.jpg") == plain.index("b.jpg")
