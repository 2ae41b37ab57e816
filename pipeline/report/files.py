"""The three files of a report. They are always written together, so that they agree."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..storage.layout import REPORT, REPORT_PAGE, REPORT_TABLE
from ..system.atomic import ANYWHERE, Placement, atomic_write
from ..system.rights import shared_rights
from . import previews
from .next_steps import own_networks
from .page import write_html
from .page_memory import PageMemory
from .page_view import Places
from .spreadsheet import write_csv

if TYPE_CHECKING:
    from .schema import Entry, Report, RunEntry

SCHEMA_VERSION = 1
#: Names of the report's files in the output folder.
REPORTS = (REPORT, REPORT_TABLE, REPORT_PAGE)


def write_reports(
    folder: Path,
    run: RunEntry,
    photos: list[Entry],
    sources: Mapping[str, str] | None = None,
    memory: PageMemory | None = None,
    *,
    stays: bool = True,
) -> Path:
    """Write ``report.json``, ``report.csv`` and ``report.html``, each atomically; the JSON first.

    They get at most the rights that the photos' previews share.

    Args:
        folder: the output folder, which holds the previews too.
        run: the report's ``run``.
        photos: its entries, in any order.
        sources: the file of each original by the photo's name, for the page: an absolute path, or
            an address without passwords; None if they are not known.
        memory: of the page that was written before, if there was one in this process.
        stays: whether the reports stay in ``folder``; else they are taken to another machine.

    Returns:
        The JSON file.

    Raises:
        UnwritableError: the disk's errors.
    """
    path, table, page = (folder / name for name in REPORTS)
    pictures = previews.find_all(folder, [entry["input"] for entry in photos])
    # The page holds the previews, and all three tell what is in the photos.
    rights = shared_rights(file for files in pictures.values() for file in files.values())
    placement = Placement(within=folder, rights=rights)
    write_json(path, run, photos, placement)
    write_csv(table, photos, placement)
    places = Places(folder.resolve() if stays else None, sources, _own_networks(run))
    write_html(page, run, photos, lambda entry: pictures[entry["input"]], placement, places, memory)
    return path


def write_json(
    path: Path, run: RunEntry, photos: list[Entry], placement: Placement = ANYWHERE
) -> None:
    """Write ``report.json`` atomically, with the photos in the order of their names.

    Raises:
        UnwritableError: the disk's errors.
    """
    import msgspec

    report: Report = {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "photos": sorted(photos, key=lambda p: p["input"]),
    }
    text = json.dumps(report, ensure_ascii=False, allow_nan=False)
    # The indentation of ``json`` is written in Python, which takes ten times as long.
    content = msgspec.json.format(text.encode("utf-8", "surrogateescape"), indent=1)
    with atomic_write(path, placement=placement) as file:
        file.write(content)


def read_report(path: Path) -> Any:
    """Read a ``report.json`` without validating it.

    Bytes of a name that are not UTF-8 come back as the surrogates that ``write_json`` was given.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON.
    """
    return json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))


def _own_networks(run: RunEntry) -> tuple[str, ...]:
    """The options of the user's own networks; from Python, the command may be any text."""
    try:
        arguments = shlex.split(run.get("command", ""))
    except ValueError:
        arguments = []
    return tuple(own_networks(run, arguments))
