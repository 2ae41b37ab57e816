"""The verdict: each figure on its own, at both sides of its threshold; and a report that is JSON whatever happens."""

import json
from pathlib import Path

import pytest

from pipeline import config
from pipeline.report import photo_entry, verdict, write_report
from pipeline.types import Box, HoleOutcome, Outcome, Probe, Route, Routing, Status


def hole(seam: float | None = 1.0, psnr: float = 25.0, lpips: float | None = 0.1) -> HoleOutcome:
    return HoleOutcome(Box(1, 2, 3, 4), 0.1, Routing(Route.EDGE, "why"), seam, Probe(0.1, psnr, 0.9, lpips))


def test_all_well_is_ok() -> None:
    assert verdict(0.1, 0.0, (hole(),))[0] is Status.OK


@pytest.mark.parametrize(
    ("share", "residue", "outcome", "says"),
    [
        (config.REVIEW_HOLE_SHARE + 0.01, 0.0, hole(), "holes take"),
        (0.1, config.REVIEW_RESIDUE + 0.01, hole(), "still sees"),
        (0.1, 0.0, hole(seam=config.REVIEW_SEAM + 0.1), "seam"),
        (0.1, 0.0, hole(lpips=config.REVIEW_PROBE_LPIPS + 0.1), "LPIPS"),
        (0.1, 0.0, hole(lpips=None, psnr=config.REVIEW_PROBE_PSNR - 1), "PSNR"),
    ],
)
def test_each_figure_past_its_threshold_is_for_review(share: float, residue: float, outcome: HoleOutcome, says: str) -> None:
    status, reason = verdict(share, residue, (hole(), outcome))
    assert status is Status.REVIEW
    assert says in reason


def test_psnr_is_not_asked_where_lpips_is_known() -> None:
    assert verdict(0.1, 0.0, (hole(psnr=5.0),))[0] is Status.OK


def test_nothing_left_fails() -> None:
    assert verdict(0.95, None, ())[0] is Status.FAILED


def test_the_report_is_json_with_odd_names_and_numbers(tmp_path: Path) -> None:
    outcome = Outcome(Status.OK, "fine", holes=(hole(seam=float("nan")),), residue=None)
    names = ["b\udcff.jpg", "a\nb.jpg", "ü🙂.jpg"]
    write_report(tmp_path / "report.json", {"version": "1"}, [photo_entry(n, outcome, output=None, mask=None) for n in names])
    report = json.loads((tmp_path / "report.json").read_bytes().decode("utf-8", "surrogateescape"))
    assert [p["input"] for p in report["photos"]] == sorted(names)
    assert report["photos"][0]["holes"][0]["seam"] is None
    assert report["photos"][0]["holes"][0]["box"] == [1, 2, 3, 4]
