"""The output folder of a ``remove-objects`` run: its photos for review, and where its inputs are.

A reviewed photo is saved as the run itself would have saved it: result, mask, the journal's row and
the report's entry agree. So a later run of the same command skips the photo and keeps the result.
"""

from __future__ import annotations

import shlex
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import fields
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..batch.journal import Journal
from ..batch.names import mask_names
from ..config import Settings, resolve_classes
from ..errors import UsageError
from ..report.files import SCHEMA_VERSION, read_report, write_reports
from ..storage.layout import is_plain
from ..storage.stamp import mark as stamp_of
from ..system.atomic import exists, is_file
from .catalog import Item, Opened, is_inside

if TYPE_CHECKING:
    from ..batch.journal import JournalRow
    from ..report.schema import Entry, Report, RunEntry

REPORT = "report.json"
#: The run's settings that do not apply here: a person chooses them for every photo, or they
#: have no effect on a mask that is given.
_NOT_INHERITED = ("compare", "dilate", "route", "device")


def is_run(path: Path) -> bool:
    """Whether ``path`` is the output folder of a run."""
    return (path / REPORT).is_file()


def open_run(folder: Path, inputs: Path | None = None) -> Opened:
    """Open a run's photos: those for review first, worst first, then the others.

    Photos for review without a score follow those with one, by name.

    Args:
        folder: the run's output folder.
        inputs: the folder of its inputs; None to find it, see ``input_folders``.

    Raises:
        UsageError: the report cannot be read, ``inputs`` is not a folder, or no input exists.
    """
    report = load_report(folder)
    journal = Journal(folder)
    entries = sorted(
        (_as_first_reported(entry, journal) for entry in report["photos"]), key=_worst_first
    )
    safe = [entry for entry in entries if is_plain(entry["input"])]
    candidates = [inputs] if inputs is not None else input_folders(folder, report)
    if inputs is not None and not inputs.is_dir():
        raise UsageError(f"{inputs}: no such folder; --input names the folder that was cleaned")
    items = _items(folder, safe, candidates)
    if items and all(item.missing for item in items):
        raise UsageError(
            f"none of the {len(items)} inputs of {folder / REPORT} exists; {items[0].missing}"
        )
    return Opened(
        mode="run",
        title=folder.resolve().name,
        items=items,
        output=folder,
        settings=settings_of(report["run"]),
        classes=_classes_of(report["run"]),
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
            isinstance(p["input"], str) and isinstance(p["status"], str) for p in report["photos"]
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


def settings_of(run: RunEntry) -> Settings:
    """Return a run's settings, without those that a person chooses at the board.

    Unknown and invalid settings are left out.

    Args:
        run: the report's ``run``.
    """
    recorded = run.get("settings")
    if not isinstance(recorded, dict):
        return Settings()
    known = {
        f.name: recorded[f.name]
        for f in fields(Settings)
        if f.name in recorded and f.name not in _NOT_INHERITED
    }
    try:
        return Settings(**known)
    except (UsageError, TypeError):
        return Settings()


def input_folders(folder: Path, report: Report) -> list[Path]:
    """Return the folders and files that may hold a run's inputs, most likely first.

    These are the inputs that the report records, relative to the working directory, to the output
    folder's parent and to the output folder. If none of them exists: the folder beside the output
    that holds most of the photos' names, or the output's own parent (for single photos).

    Args:
        folder: the run's output folder.
        report: its report.

    Raises:
        UsageError: the report records no existing input, and two folders hold equally many names.
    """
    recorded = [
        path
        for name in _recorded_inputs(report["run"])
        for base in (Path(), folder.parent, folder)
        if exists(path := base / name)
    ]
    if recorded:
        return list(dict.fromkeys(path.resolve() for path in recorded))
    names = [p["input"] for p in report["photos"] if is_plain(p["input"])]
    best = _folders_with_most(names, folder.resolve())
    if len(best) > 1:
        raise UsageError(
            f"{' and '.join(str(path) for path in best)} hold photos of the report's names: "
            "say which one was cleaned with --input DIR"
        )
    return best


def update_run(folder: Path, name: str, entry: Entry, written: Path) -> None:
    """Write a reviewed photo into the journal and the report (JSON, CSV and HTML), each atomically.

    The journal's row keeps what the run knew of the photo and its settings, so a later run of the
    same command takes it for finished. No run replaces a reviewed result unless the user says so.

    Args:
        folder: the run's output folder.
        name: the photo's name in the report.
        entry: its new entry.
        written: the file of the result, in its final place.

    Raises:
        UnwritableError: the report or the journal cannot be written.
        UsageError: the report is gone, or unreadable by now.
    """
    journal = Journal(folder)
    was_complete = journal.complete
    row = journal.rows.get(name)
    known: JournalRow = {"input": name, "entry": entry} if row is None else row
    journal.add({**known, "written": stamp_of(written), "entry": entry})
    if was_complete:
        journal.finish()  # otherwise a later run would take this one for interrupted
    report = load_report(folder)
    photos = [entry if p["input"] == name else p for p in report["photos"]]
    write_reports(folder, report["run"], photos)


def owns(folder: Path, name: str, path: Path) -> bool:
    """Whether ``path`` is unchanged since the run or the board wrote it for the photo ``name``."""
    return Journal(folder).owns(name, path)


def _items(folder: Path, entries: list[Entry], candidates: list[Path]) -> tuple[Item, ...]:
    masks = mask_names([PurePosixPath(entry["input"]) for entry in entries])
    items = []
    for i, (entry, mask) in enumerate(zip(entries, masks, strict=True)):
        source, missing = _locate(entry["input"], candidates, folder)
        items.append(
            Item(
                key=f"p{i}",
                name=entry["input"],
                source=source,
                target=folder / entry["input"],
                mask_target=folder / mask,
                mask=_saved_mask(folder, entry),
                entry=entry,
                missing=missing,
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
        entry["status"] != "review" or bool(entry.get("reviewed")),
        error is None,
        -(error or 0.0),
        entry["input"],
    )


def _locate(name: str, candidates: list[Path], output: Path) -> tuple[Path, str | None]:
    """Find an input's file.

    Returns:
        (the file, None), or (where it should be, why it is not opened).
    """
    for base in candidates:
        path = base / name if base.is_dir() else base
        if not is_file(path) or (base.is_file() and base.name != name):
            continue
        if not is_inside(path, (base if base.is_dir() else base.parent).resolve()):
            return path, f"{path} is a link to a file outside the folder: it is not opened"
        if is_inside(path, output.resolve()):
            continue
        return path, None
    searched = ", ".join(str(path) for path in candidates) or f"the folders beside {output}"
    return Path(name), (
        f"the photo {name} was not found in {searched}; say where the photos are with --input DIR"
    )


def _saved_mask(folder: Path, entry: Entry) -> Path | None:
    name = entry.get("mask")
    if not isinstance(name, str) or not is_plain(name):
        return None
    path = folder / name
    return path if is_file(path) and is_inside(path, folder.resolve()) else None


def _classes_of(run: RunEntry) -> tuple[str, ...]:
    with suppress(UsageError, TypeError, AttributeError):
        return resolve_classes(list((run.get("settings") or {}).get("classes") or []))
    return ()


def _recorded_inputs(run: RunEntry) -> list[str]:
    """Return the paths that the run was given; reports of version 0.1.0 hold only its command."""
    inputs = run.get("inputs")
    if isinstance(inputs, list):
        return [name for name in inputs if isinstance(name, str) and "\0" not in name]
    return _command_inputs(str(run.get("command") or ""))


def _command_inputs(command: str) -> list[str]:
    """Return the PATH arguments of a recorded ``remove-objects`` command, if it still parses."""
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    if words[:1] != ["remove-objects"]:
        return []
    from ..cli import parser  # only old reports need it

    # Another version's command may not parse any more: neither exit nor print because of it.
    quiet = StringIO()
    with redirect_stdout(quiet), redirect_stderr(quiet), suppress(SystemExit):
        return [str(path) for path in parser().parse_args(words[1:]).paths]
    return []


def _folders_with_most(names: list[str], output: Path) -> list[Path]:
    """Return the folders near ``output`` that hold the most of ``names``: its parent or siblings.

    Several folders are returned if they hold equally many, none if none of them holds any.
    """
    parent = output.parent
    try:
        siblings = [
            path
            for path in sorted(parent.iterdir())
            if path.is_dir() and not path.name.startswith(".") and path != output
        ]
    except OSError:
        siblings = []
    counts = {path: sum(is_file(path / name) for name in names) for path in (parent, *siblings)}
    most = max(counts.values())
    return [path for path, count in counts.items() if count and count == most]
