"""Entries are JSON for every name and number."""

import json
from pathlib import Path

from remove_objects.pipeline.report.entry import photo_entry
from remove_objects.pipeline.report.files import write_json
from remove_objects.pipeline.types import Box, HoleOutcome, Outcome, Probe, Route, Routing, Status


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
