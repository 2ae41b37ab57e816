"""The three files of a report, always written together, so that they say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..system.atomic import atomic_write
from . import previews
from .page import write_html
from .spreadsheet import write_csv

SCHEMA_VERSION = 1


def write_report(path: Path, run: dict[str, Any], photos: list[dict[str, Any]]) -> None:
    """Write ``report.json`` atomically; photos in the order of their names."""
    report = {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "photos": sorted(photos, key=lambda p: p["input"]),
    }
    with atomic_write(path) as file:
        file.write(
            json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False).encode(
                "utf-8", "surrogateescape"
            )
        )


def read_report(path: Path) -> Any:
    """What stands in a ``report.json``: names with bytes that are no UTF-8 come back as ``write_report`` was given them.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no JSON.
    """
    return json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))


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
    write_html(
        folder / "report.html", run, photos, lambda entry: previews.find(folder, entry["input"])
    )
    return path
