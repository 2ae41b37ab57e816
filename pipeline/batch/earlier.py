"""The entries of earlier runs, as a later report of the same output folder tells of them."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from ..images.suffixes import result_names
from ..report.entry_metrics import EARLIER
from ..storage.stamp import is_unchanged
from ..types import Status
from .names import possible_masks

if TYPE_CHECKING:
    from ..report.schema import Entry
    from .journal import Journal, JournalRow
    from .output.protocol import Standing


def earlier_entries(journal: Journal, standing: Standing, told: Container[str]) -> list[Entry]:
    """Return the entries of earlier runs whose results stand in the folder.

    Failures whose photos still wait are among them.

    Args:
        journal: the folder's journal.
        standing: what stands in the folder.
        told: the photos that the report tells of already, which are left out.
    """
    entries = []
    for name, row in journal.rows.items():
        output = row["entry"]["output"]
        if name in told:
            continue
        if output is not None and is_result_of(name, output):
            if standing.is_unchanged(PurePosixPath(output), row.get("written")):
                entries.append(as_earlier(with_present_mask(row["entry"], standing)))
        elif output is None and _still_waits(row):
            entries.append(as_earlier(row["entry"]))
    return entries


def as_earlier(entry: Entry) -> Entry:
    """Return an entry as a later run reports it."""
    status = entry["status"]
    if status in (Status.SKIPPED.value, Status.FAILED.value):
        return entry.copy()
    earlier = {
        "status": Status.SKIPPED.value,
        "earlier_status": status,
        "reason": f"{EARLIER}{status}: {entry['reason']}",
    }
    return cast("Entry", {**entry, **earlier})


def with_present_mask(entry: Entry, standing: Standing) -> Entry:
    """Return an entry that names its mask only if that exists and is the photo's own."""
    mask = entry["mask"]
    if mask is None:
        return entry.copy()
    own = [str(name) for name in possible_masks(entry["input"])]
    if mask in own and standing.exists(PurePosixPath(mask)):
        return entry.copy()
    return cast("Entry", {**entry, "mask": None})


def is_result_of(name: str, output: str) -> bool:
    """Whether a row's result is its photo's: a damaged or forged row may name any other file."""
    return output in result_names(name)


def _still_waits(row: JournalRow) -> bool:
    """Whether the photo of a row without a result still is what it was."""
    source = row.get("source")
    return source is not None and is_unchanged(Path(source), row.get("source_mark"))
