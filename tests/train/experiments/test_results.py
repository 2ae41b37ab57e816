"""Means, intervals, verdicts and files of a table, on numbers small enough to check by hand."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from remove_objects.train.experiments import results
from remove_objects.train.experiments.results import Claim, Interval


def rows(*values: float) -> list[results.Row]:
    return [{"picture": f"{i}.png", "group": "a", "lpips": v} for i, v in enumerate(values)]


def test_means_leave_out_missing_metrics() -> None:
    assert results.means(rows(1.0, 3.0, math.nan)) == {"lpips": 2.0}
    assert math.isnan(results.means(rows(math.nan))["lpips"])


def test_seeds_are_averaged_picture_by_picture() -> None:
    averaged = results.over_seeds([rows(1.0, 2.0), rows(3.0, 6.0)])
    assert [r["lpips"] for r in averaged] == [2.0, 4.0]
    assert [r["picture"] for r in averaged] == ["0.png", "1.png"]


def test_a_difference_that_is_the_same_everywhere_has_no_width() -> None:
    interval = results.difference(rows(1.0, 5.0, 9.0), rows(3.0, 7.0, 11.0), "lpips")
    assert (interval.mean, interval.low, interval.high, interval.n) == (-2.0, -2.0, -2.0, 3)


def test_pictures_are_compared_only_with_themselves() -> None:
    with pytest.raises(ValueError, match="same pictures"):
        results.difference(rows(1.0, 2.0), rows(1.0), "lpips")


def test_an_interval_holds_the_mean_and_narrows_with_the_number() -> None:
    rng = np.random.default_rng(1)
    few, many = (results.interval(rng.normal(1.0, 1.0, n)) for n in (20, 2000))
    assert few.low < few.mean < few.high
    assert many.high - many.low < 0.3 * (few.high - few.low)
    assert many.low < 1.0 < many.high


def test_two_groups_of_different_pictures() -> None:
    interval = results.between(np.array([5.0, 5.0]), np.array([3.0, 3.0, 3.0]))
    assert (interval.mean, interval.low, interval.high, interval.n) == (2.0, 2.0, 2.0, 5)
    assert math.isnan(results.between(np.array([1.0]), np.array([math.nan])).mean)


def test_the_chance_of_training_widens_an_interval() -> None:
    interval = results.widened(Interval(-2.0, -3.0, -1.0, 9), 0.6, 0.8)
    assert (interval.mean, interval.low, interval.high) == (-2.0, -4.0, 0.0)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-2, -1, "held"),
        (1, 2, "not held"),
        (-1, 1, "not decided"),
        (math.nan, math.nan, "not decided"),
    ],
)
def test_a_claim_of_a_lower_metric(low: float, high: float, verdict: str) -> None:
    assert results.below("c", Interval(0, low, high, 9), "e").verdict == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.5, 0.5, "held"),
        (1.5, 2, "not held"),
        (-2, -1.5, "not held"),
        (0.5, 1.5, "not decided"),
        (math.nan, math.nan, "not decided"),
    ],
)
def test_a_claim_that_two_are_equal(low: float, high: float, verdict: str) -> None:
    assert results.within("c", Interval(0, low, high, 9), 1.0, "e").verdict == verdict


def test_the_files_hold_every_row_and_no_nan(tmp_path: Path) -> None:
    results.write(
        tmp_path,
        table="t",
        command="evaluate-inpainter t",
        config={"seeds": (0, 1), "minutes": math.inf},
        arms={"a": {"figures": {"lpips": math.nan}}},
        rows={"a": rows(1.0, math.nan), "b": [{"picture": "x", "psnr": 3.0}]},
        claims=[Claim("c", "held", "e")],
    )
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert written["config"] == {"seeds": [0, 1], "minutes": None}
    assert written["arms"]["a"]["figures"]["lpips"] is None
    assert written["claims"] == [{"claim": "c", "verdict": "held", "evidence": "e"}]
    with open(tmp_path / "pictures.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(r["arm"], r["picture"], r["psnr"]) for r in table] == [
        ("a", "0.png", ""),
        ("a", "1.png", ""),
        ("b", "x", "3.0"),
    ]


def test_the_printed_table_has_every_arm_and_verdict() -> None:
    text = results.render(
        {"one": {"psnr": 20.123}, "two": {}}, ("psnr",), [Claim("Claim.", "not held", "Evidence.")]
    )
    assert "20.12" in text
    assert text.splitlines()[2].split() == ["two", "-"]
    assert "NOT HELD: Claim.\n    Evidence." in text
