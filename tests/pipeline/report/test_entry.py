"""Entries are JSON for every name and number."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remove_objects.pipeline.report.entry import photo_entry, with_earlier
from remove_objects.pipeline.report.files import write_json
from remove_objects.pipeline.report.schema import is_entry
from remove_objects.pipeline.report.spreadsheet import write_csv
from remove_objects.pipeline.types import (
    Box,
    HoleOutcome,
    Layer,
    Outcome,
    Probe,
    Route,
    Routing,
    Status,
)
from tests.support.pages import entry


def hole(seam: float | None = 1.0, psnr: float = 25.0, lpips: float | None = 0.1) -> HoleOutcome:
    """A hole's outcome."""
    return HoleOutcome(
        Box(1, 2, 3, 4), 0.1, Routing(Route.EDGE, "why"), seam, Probe(0.1, psnr, 0.9, lpips)
    )


def test_the_report_is_json_with_odd_names_and_numbers(tmp_path: Path) -> None:
    outcome = Outcome(Status.OK, "fine", holes=(hole(seam=float("nan")),), residue=None)
    names = ["b\udcff.jpg", "a\nb.jpg", "ü🙂.jpg"]
    write_json(
        tmp_path / "report.json",
        {"version": "1"},
        [photo_entry(n, outcome, output=None, mask=None) for n in names],
    )
    report = json.loads((tmp_path / "report.json").read_bytes().decode("utf-8", "surrogateescape"))
    assert [p["input"] for p in report["photos"]] == sorted(names)
    assert report["photos"][0]["holes"][0]["seam"] is None
    assert report["photos"][0]["holes"][0]["box"] == [1, 2, 3, 4]


def test_an_entry_has_the_share_of_each_layer_with_pixels() -> None:
    layers = np.zeros((100, 200), np.uint8)
    layers[:10], layers[10:12, :100] = Layer.OBJECT, Layer.REFLECTION
    outcome = Outcome(Status.OK, "fine", mask=layers > 0, layers=layers, hole_share=0.11)
    assert photo_entry("a", outcome, output=None, mask=None).get("layers") == {
        "object": 0.1,
        "reflection": 0.01,
    }
    # A mask alone, such as one that was drawn at the board, is of objects.
    alone = Outcome(Status.OK, "fine", mask=layers > 0)
    assert photo_entry("a", alone, output=None, mask=None).get("layers") == {"object": 0.11}
    for nothing in (Outcome(Status.FAILED, "no"), Outcome(Status.UNCHANGED, "", mask=layers > 9)):
        assert photo_entry("a", nothing, output=None, mask=None).get("layers") == {}


def test_a_hole_says_whose_pixels_it_has_most_first() -> None:
    borrowed = {"a.jpg": 0.18044, "b\udcff.jpg": 0.81956, "c.jpg": 0.18044}
    outcome = Outcome(Status.OK, "fine", holes=(replace(hole(), borrowed=borrowed), hole()))
    row = photo_entry("x", outcome, output=None, mask=None)
    first, second = row["holes"]
    assert list(first["borrowed"].items()) == [
        ("b\udcff.jpg", 0.81956),
        ("a.jpg", 0.18044),
        ("c.jpg", 0.18044),
    ]
    assert "borrowed" not in second
    # As the journal and the report are read.
    assert is_entry(json.loads(json.dumps(row)))


EARLIER = {"object": 0.1, "shadow": 0.02}


@pytest.mark.parametrize(
    ("earlier", "now", "whole"),
    [
        (EARLIER, {"object": 0.05, "reflection": 0.01}, (0.15, 0.02, 0.01)),
        (EARLIER, {}, (0.1, 0.02, None)),
        (EARLIER, {"object": 0.95}, (1.0, 0.02, None)),
        (None, {"shadow": 0.01}, (0.03, 0.01, None)),  # 0.03 is the earlier holes' share
    ],
)
def test_added_classes_add_to_the_layers(
    earlier: dict[str, float] | None, now: dict[str, float], whole: tuple[float | None, ...]
) -> None:
    before: Any = entry("a") if earlier is None else entry("a", layers=earlier)
    after: Any = entry("a", layers=now)
    names = ("object", "shadow", "reflection")
    expected = {name: share for name, share in zip(names, whole, strict=True) if share is not None}
    assert with_earlier(after, before, ["dog"]).get("layers") == pytest.approx(expected)


def test_the_figures_behind_a_reason_are_told_apart_from_its_words(tmp_path: Path) -> None:
    one = photo_entry(
        "a.jpg", Outcome(Status.REVIEW, "an edge shows", figures="seam 2"), output=None, mask=None
    )
    other = photo_entry("a.jpg", Outcome(Status.OK, "fine"), output=None, mask=None)
    assert (one["reason"], one["figures"], other["figures"]) == ("an edge shows", "seam 2", "")
    assert with_earlier(one, other, ["dog"]).get("figures") == "seam 2"
    assert with_earlier(one, one, ["dog"]).get("figures") == "seam 2; seam 2"
    # Version 0.1.0 had none.
    before = other.copy()
    before.pop("figures")
    assert with_earlier(one, before, ["dog"]).get("figures") == "seam 2"
    write_csv(tmp_path / "report.csv", [one, before])
    rows = csv.DictReader((tmp_path / "report.csv").read_text().splitlines())
    assert [row["figures"] for row in rows] == ["seam 2", ""]
