"""The three files of a report. They are always written together, so that they agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..system.atomic import atomic_write
from . import previews
from .page import write_html
from .spreadsheet import write_csv

if TYPE_CHECKING:
    from .schema import Entry, Report, RunEntry

SCHEMA_VERSION = 1


def write_reports(folder: Path, run: RunEntry, photos: list[Entry]) -> Path:
    """Write ``report.json``, ``report.csv`` and ``report.html``, each atomically; the JSON first.

    Args:
        folder: the output folder, which holds the previews too.
        run: the report's ``run``.
        photos: its entries, in any order.

    Returns:
        The JSON file.

    Raises:
        UnwritableError: the disk's errors.
    """
    path = folder / "report.json"
    write_json(path, run, photos)
    write_csv(folder / "report.csv", photos)
    write_html(
        folder / "report.html", run, photos, lambda entry: previews.find(folder, entry["input"])
    )
    return path


def write_json(path: Path, run: RunEntry, photos: list[Entry]) -> None:
    """Write ``report.json`` atomically, with the photos in the order of their names.

    Raises:
        UnwritableError: the disk's errors.
    """
    report: Report = {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "photos": sorted(photos, key=lambda p: p["input"]),
    }
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def read_report(path: Path) -> Any:
    """Read a ``report.json`` without validating it.

    Bytes of a name that are not UTF-8 come back as the surrogates that ``write_json`` was given.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON.
    """
    return json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
