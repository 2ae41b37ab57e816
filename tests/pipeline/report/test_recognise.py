"""Reports are told from other files of the same names by what every version writes in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remove_objects.pipeline.report.files import REPORTS, write_reports
from remove_objects.pipeline.report.recognise import HEAD_BYTES, is_report
from remove_objects.pipeline.report.spreadsheet import COLUMNS
from tests.support.pages import RUN, entry, hole

STORED = Path(__file__).parents[1] / "batch" / "stored_run_0_1_0" / "finished"


@pytest.mark.parametrize("name", REPORTS)
def test_reports_of_this_version_and_of_the_first_are_recognised(name: str, tmp_path: Path) -> None:
    compared = {"telea": {"seam": 1.0, "probe": None}}
    for photos in ([], [entry("a.jpg", holes=[hole(compare=compared)])]):
        write_reports(tmp_path, RUN, photos)
        assert is_report(name, (tmp_path / name).read_bytes()[:HEAD_BYTES])
    assert is_report(name, (STORED / name).read_bytes()[:HEAD_BYTES])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, b"") for name in REPORTS),
        *((name, b"the user's own") for name in REPORTS),
        ("report.csv", ",".join(COLUMNS).encode()),  # cut off, or written by another program
        ("report.csv", ",".join(COLUMNS).encode() + b"\n"),
        ("report.json", b'{"schema_version": 1, "photos": []}'),
        ("report.json", json.dumps({"run": {"version": "1"}, "photos": []}).encode()),
        ("report.csv", b"input,output,amount\r\n1,2,3\r\n"),
        ("report.csv", b"input,output,mask,status,reason,classes,hole_share,my notes\r\n"),
        ("report.html", b"<!doctype html>\n<title>Removal report, our van</title>"),
    ],
)
def test_other_files_are_not(name: str, content: bytes) -> None:
    assert not is_report(name, content)
