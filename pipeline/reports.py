"""The three files of a report, always written together, so that they say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import previews
from pipeline.report import write_report
from pipeline.report_csv import write_csv
from pipeline.report_html import write_html


def write_reports(folder: Path, run: dict[str, Any], photos: list[dict[str, Any]]) -> Path:
    """Write ``report.json``, ``report.csv`` and ``report.html`` into an output folder, each atomically; the JSON first.

    Args:
        folder: where the previews lie too.
        run: the report's ``run``.
        photos: its entries.

    Returns:
        The JSON file.

    Raises:
        UnwritableError: the disk's errors.
    """
    path = folder / "report.json"
    write_report(path, run, photos)
    write_csv(folder / "report.csv", photos)
    write_html(folder / "report.html", run, photos, lambda entry: previews.find(folder, entry["input"]))
    return path
