"""The output folder of a ``remove-objects`` run: which of its photos want a look, where their inputs are, and a better result put in.

What is put in leaves the folder as the run itself would have: photo, mask, the journal's line and the report's entry agree, so a later
run of the same command takes the photo for done and keeps what a person made of it.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from .. import cli
from ..batch.journal import Journal
from ..batch.names import mask_names
from ..config import Settings, resolve_classes
from ..errors import UsageError
from ..report import files as files_module
from ..report.files import write_reports
from ..storage.stamp import stamp
from ..system.atomic import exists, is_file
from .catalog import Item, Opened, is_inside, is_plain

REPORT = "report.json"
#: Settings that a person at the board has in mind anew for every photo, or that a given mask makes meaningless.
_NOT_TAKEN_OVER = ("compare", "dilate", "route", "device")


def is_run(path: Path) -> bool:
    """Whether this is the output folder of a run."""
    return (path / REPORT).is_file()


def open_run(folder: Path, inputs: Path | None = None) -> Opened:
    """The photos of a run: those for review first, worst first (those without a score after them, by name), then the others.

    Args:
        folder: the run's output folder.
        inputs: where its inputs are; None to find out, see ``input_folders``.

    Raises:
        UsageError: a report that cannot be read, or no input of it can be found.
    """
    written = read_report(folder)
    journal = Journal(folder)
    rows = sorted((_as_first_judged(row, journal) for row in written["photos"]), key=_worst_first)
    sound = [row for row in rows if is_plain(row["input"])]
    candidates = [inputs] if inputs is not None else input_folders(folder, written)
    if inputs is not None and not inputs.is_dir():
        raise UsageError(f"{inputs}: no such folder; --input names the folder that was cleaned")
    masks = dict(
        zip(
            (r["input"] for r in sound),
            mask_names([PurePosixPath(r["input"]) for r in sound]),
            strict=True,
        )
    )
    items = []
    for i, row in enumerate(sound):
        source, missing = _find(row["input"], candidates, folder)
        items.append(
            Item(
                key=f"p{i}",
                name=row["input"],
                source=source,
                target=folder / row["input"],
                mask_target=folder / masks[row["input"]],
                mask=_saved_mask(folder, row),
                entry=row,
                missing=missing,
            )
        )
    if items and all(item.missing for item in items):
        raise UsageError(
            f"none of the {len(items)} inputs of {folder / REPORT} was found; {items[0].missing}"
        )
    notes = tuple(
        f"{row['input']!r} is no name that a run writes: left out"
        for row in rows
        if not is_plain(row["input"])
    )
    run = written["run"]
    return Opened(
        "run",
        folder.resolve().name,
        tuple(items),
        folder,
        settings_of(run),
        _classes_of(run),
        notes,
    )


def read_report(folder: Path) -> dict[str, Any]:
    """``report.json`` as it stands. Raises ``UsageError`` where it is none that this version can continue."""
    path = folder / REPORT
    try:
        found = files_module.read_report(path)
        version = found["schema_version"]
        sound = all(
            isinstance(p["input"], str) and isinstance(p["status"], str) for p in found["photos"]
        ) and isinstance(found["run"], dict)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: cannot be read as a report ({error}); run remove-objects again to write it anew"
        ) from error
    if version != files_module.SCHEMA_VERSION or not sound:
        raise UsageError(
            f"{path}: a report of version {version}, this program knows version {files_module.SCHEMA_VERSION}; run it again"
        )
    return found  # type: ignore[no-any-return]


def settings_of(run: dict[str, Any]) -> Settings:
    """The picture's settings as the run had them, without those that a person chooses at the board. What is unknown is left out."""
    recorded = run.get("settings")
    if not isinstance(recorded, dict):
        return Settings()
    known = {
        f.name: recorded[f.name]
        for f in fields(Settings)
        if f.name in recorded and f.name not in _NOT_TAKEN_OVER
    }
    try:
        return Settings(**known)
    except (UsageError, TypeError):
        return Settings()


def input_folders(folder: Path, written: dict[str, Any]) -> list[Path]:
    """Where the inputs of a run may be, most likely first.

    As recorded in the report; the PATHs of its command, relative to here, to the output folder and to the folder that holds it; the
    folder beside the output that holds most of the names, and the output's own parent (for single photos).

    Raises:
        UsageError: two folders beside the output hold as many of the names, and nothing else says which was cleaned.
    """
    run = written["run"]
    inputs = run.get("inputs")
    recorded = [Path(p) for p in inputs if isinstance(p, str)] if isinstance(inputs, list) else []
    found = [p for p in recorded if exists(p)]
    for path in _command_paths(str(run.get("command") or "")):
        found += [p for base in (Path(), folder.parent, folder) if exists(p := base / path)]
    if found:
        return list(dict.fromkeys(p.resolve() for p in found))
    names = [p["input"] for p in written["photos"] if is_plain(p["input"])]
    parent = folder.resolve().parent
    try:
        beside = [
            p
            for p in sorted(parent.iterdir())
            if p.is_dir() and not p.name.startswith(".") and p != folder.resolve()
        ]
    except OSError:
        beside = []
    counted = sorted(
        ((sum(is_file(p / n) for n in names), p) for p in [parent, *beside]), key=lambda c: -c[0]
    )
    best = [p for count, p in counted if count and count == counted[0][0]]
    if len(best) > 1:
        raise UsageError(
            f"{' and '.join(str(p) for p in best)} hold photos of the report's names: say which one was cleaned with --input DIR"
        )
    return best


def update_run(folder: Path, name: str, entry: dict[str, Any], written: Path) -> None:
    """Make the journal and the report (JSON, CSV and page) say what now stands in the folder, each whole or as it was.

    The journal's line keeps the identity that the run gave the photo: to a later run of the same command it is done. Where the input
    has changed since, the identities differ, and it is cleaned again. The mask was mended by hand: no run takes it for its own.

    Args:
        folder: the run's output folder.
        name: of the photo in the report.
        entry: its new row.
        written: the result's file, already in its place.

    Raises:
        UnwritableError: the report or the journal cannot be written.
        UsageError: the report has gone since it was read.
    """
    journal = Journal(folder)
    ended = journal.complete
    identity = journal.rows.get(name, {}).get("identity")
    journal.add({"input": name, "identity": identity, "written": stamp(written), "entry": entry})
    if ended:
        journal.finish()  # or a later run would take this one for broken
    found = read_report(folder)
    photos = [entry if p["input"] == name else p for p in found["photos"]]
    write_reports(folder, found["run"], photos)


def owns(folder: Path, name: str, path: Path) -> bool:
    """Whether ``path`` is still what the run, or the board after it, wrote for the photo ``name``."""
    return Journal(folder).owns(name, path)


def _as_first_judged(row: dict[str, Any], journal: Journal) -> dict[str, Any]:
    """A second run calls finished photos ``skipped``; what the first said of them stands in the journal."""
    if row["status"] != "skipped":
        return row
    entry = journal.rows.get(row["input"], {}).get("entry")
    return (
        dict(entry)
        if isinstance(entry, dict)
        and isinstance(entry.get("status"), str)
        and entry.get("input") == row["input"]
        else row
    )


def _worst_first(row: dict[str, Any]) -> tuple[bool, bool, float, str]:
    score = row.get("score")
    height = float(score) if isinstance(score, int | float) else None
    return (
        row["status"] != "review" or bool(row.get("reviewed")),
        height is None,
        -(height or 0.0),
        row["input"],
    )


def _find(name: str, candidates: list[Path], output: Path) -> tuple[Path, str | None]:
    """(the input's file, None) or (where it should be, why it is not used)."""
    for base in candidates:
        path = base / name if base.is_dir() else base
        if not is_file(path) or (base.is_file() and base.name != name):
            continue
        if not is_inside(path, (base if base.is_dir() else base.parent).resolve()):
            return path, f"{path} is a link to a file outside the folder: it is not opened"
        if is_inside(path, output.resolve()):
            continue
        return path, None
    looked = ", ".join(str(p) for p in candidates) or f"the folders beside {output}"
    return Path(
        name
    ), f"the photo {name} was not found in {looked}; say where the photos are with --input DIR"


def _saved_mask(folder: Path, row: dict[str, Any]) -> Path | None:
    name = row.get("mask")
    if not isinstance(name, str) or not is_plain(name):
        return None
    path = folder / name
    return path if is_file(path) and is_inside(path, folder.resolve()) else None


def _classes_of(run: dict[str, Any]) -> tuple[str, ...]:
    with suppress(UsageError, TypeError, AttributeError):
        return resolve_classes(list((run.get("settings") or {}).get("classes") or []))
    return ()


def _command_paths(command: str) -> Iterator[Path]:
    """The PATHs that a recorded ``remove-objects`` command was given."""
    try:
        words = shlex.split(command)
    except ValueError:
        return
    if words[:1] != ["remove-objects"]:
        return
    quiet = cli.parser()
    quiet.error = _refuse  # type: ignore[method-assign]  # the command of another version is no reason to exit
    with suppress(argparse.ArgumentError, SystemExit):
        yield from quiet.parse_args(words[1:]).paths


def _refuse(message: str) -> NoReturn:
    raise argparse.ArgumentError(None, message)
