"""The output folder of a ``remove-objects`` run: its photos, those to check first."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..batch import kept_mask
from ..batch.earlier import earlier_entries
from ..batch.journal import Journal
from ..batch.names import mask_names, possible_masks
from ..batch.output.claims import CLAIMS, recover
from ..batch.output.local import LocalStanding
from ..errors import UnwritableError, UsageError
from ..report.files import SCHEMA_VERSION, read_report
from ..report.ranking import waits
from ..storage.layout import REPORT, is_plain
from ..storage.stamp import is_unchanged
from ..system import lock
from ..system.atomic import is_file
from ..types import Status
from .catalog import Item, Opened, is_inside
from .run_inputs import Sources, input_folders
from .run_settings import classes_of, max_pixels_of, series_of, settings_of

if TYPE_CHECKING:
    from ..report.schema import Entry, Report


def is_run(path: Path) -> bool:
    """Whether ``path`` is the output folder of a run."""
    return (path / REPORT).is_file()


def open_run(folder: Path, inputs: Path | None = None, segmenter: str = "auto") -> Opened:
    """Open a run's photos: those to check first, worst first, then the others.

    Photos to check without a score follow those with one, by name.

    Args:
        folder: the run's output folder.
        inputs: the folder of its inputs; None to find it, see ``run_inputs.input_folders``.
        segmenter: of the command line; its classes are known.

    Raises:
        UsageError: the report cannot be read, ``inputs`` is not a folder, or no input exists.
    """
    report = load_report(folder)
    journal = _recovered_journal(folder)
    current = current_entries(folder, report, journal)
    entries = sorted((_as_first_reported(entry, journal) for entry in current), key=_worst_first)
    safe = [entry for entry in entries if is_plain(entry["input"])]
    candidates = [inputs] if inputs is not None else input_folders(folder, report)
    if inputs is not None and not inputs.is_dir():
        raise UsageError(f"{inputs}: no such folder; --input names the folder that was cleaned")
    items = _items(folder, safe, Sources(folder, candidates, journal, given=inputs is not None))
    if items and all(item.missing for item in items):
        raise UsageError(
            f"none of the {len(items)} inputs of {folder / REPORT} exists; {items[0].missing}"
        )
    return Opened(
        mode="run",
        title=folder.resolve().name,
        items=items,
        output=folder,
        inputs=inputs,
        settings=settings_of(report["run"]),
        max_pixels=max_pixels_of(report["run"]),
        classes=classes_of(report["run"].get("settings"), segmenter),
        series=series_of(report["run"].get("settings")),
        is_behind=current != report["photos"],
        notes=tuple(
            f"{entry['input']!r} is not a name that a run writes: left out"
            for entry in entries
            if not is_plain(entry["input"])
        ),
    )


def load_report(folder: Path) -> Report:
    """Read a run's ``report.json``.

    Raises:
        UsageError: it is not a report, or this program does not know its version.
    """
    path = folder / REPORT
    try:
        report: Report = read_report(path)
        version = report["schema_version"]
        is_valid = all(
            isinstance(p["input"], str) and p["status"] in list(Status) for p in report["photos"]
        ) and isinstance(report["run"], dict)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: cannot be read as a report ({error}); run remove-objects again to rewrite it"
        ) from error
    if version != SCHEMA_VERSION or not is_valid:
        raise UsageError(
            f"{path}: a report of version {version}, this program knows version {SCHEMA_VERSION}; "
            "run remove-objects again"
        )
    return report


def _recovered_journal(folder: Path) -> Journal:
    """Return the journal; first finish saves that a crash cut short, if nobody writes there."""
    if (folder / CLAIMS).is_dir():
        with suppress(UsageError, UnwritableError), lock.folder_lock(folder):
            recover(folder, Journal(folder))
    return Journal(folder)


def current_entries(folder: Path, report: Report, journal: Journal) -> list[Entry]:
    """Return the report's entries, with the journal's where those are newer or more.

    A crash may come between the journal and the report: after a person's decision, or in a run.
    """

    def current(entry: Entry) -> Entry:
        row = journal.rows.get(entry["input"])
        if row is None or not (row["entry"].get("reviewed") or entry.get("reviewed")):
            return entry
        first, output = _as_first_reported(entry, journal), row["entry"]["output"]
        # The journal answers for a skipped photo, so only its mark tells whether it is newer.
        is_known = first == row["entry"] and entry.get("reviewed") == first.get("reviewed")
        if is_known or output is None or not is_plain(output):
            return entry
        return row["entry"] if is_unchanged(folder / output, row.get("written")) else entry

    told = {entry["input"] for entry in report["photos"]}
    others = earlier_entries(journal, LocalStanding(folder), told)
    return [*(current(entry) for entry in report["photos"]), *others]


def _items(folder: Path, entries: list[Entry], sources: Sources) -> tuple[Item, ...]:
    saved = {entry["input"]: _own_mask(entry) for entry in entries}
    masks = mask_names([PurePosixPath(name) for name in saved], saved)
    items = []
    for i, (entry, mask) in enumerate(zip(entries, masks, strict=True)):
        source, root, missing = sources.locate(entry["input"])
        items.append(
            Item(
                key=f"p{i}",
                name=entry["input"],
                source=source,
                target=folder / entry["input"],
                mask_target=folder / mask,
                mask=_saved_mask(folder, entry),
                kept_mask=kept_mask.place(folder, entry["input"]),
                entry=entry,
                missing=missing,
                root=root,
                output=folder,
            )
        )
    return tuple(items)


def _as_first_reported(entry: Entry, journal: Journal) -> Entry:
    """Return a photo's entry as the run that processed the photo reported it.

    A second run reports finished photos as ``skipped``; the journal holds the first run's entry.
    """
    if entry["status"] != "skipped":
        return entry
    row = journal.rows.get(entry["input"])
    first: Entry = entry if row is None else row["entry"]
    return first.copy()


def _worst_first(entry: Entry) -> tuple[bool, bool, float, str]:
    """Sort key, see ``open_run``. The score is an expected error: higher is worse."""
    score = entry.get("score")
    error = float(score) if isinstance(score, int | float) else None
    return (
        not waits(entry),
        error is None,
        -(error or 0.0),
        entry["input"],
    )


def _own_mask(entry: Entry) -> PurePosixPath | None:
    """Return the name of a photo's saved mask, unless a damaged report names another file."""
    mask = entry.get("mask")
    name = PurePosixPath(mask if isinstance(mask, str) else "")
    return name if name in possible_masks(entry["input"]) else None


def _saved_mask(folder: Path, entry: Entry) -> Path | None:
    name = entry.get("mask")
    if not isinstance(name, str) or not is_plain(name):
        return None
    path = folder / name
    return path if is_file(path) and is_inside(path, folder.resolve()) else None
