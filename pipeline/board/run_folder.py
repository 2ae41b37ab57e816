"""The output folder of a ``remove-objects`` run: its photos for review, and where its inputs are.

A reviewed photo is saved as the run itself would have saved it: result, mask, the journal's row and
the report's entry agree. So a later run of the same command skips the photo and keeps the result.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, fields, replace
from io import StringIO
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..batch import kept_mask
from ..batch.earlier import earlier_entries
from ..batch.journal import Journal
from ..batch.names import mask_names, possible_masks
from ..batch.output.claims import CLAIMS, claim_name, claim_text, recover
from ..batch.output.local import LocalStanding
from ..batch.output.replaced import keep_foreign_reports
from ..batch.settings import SERIES
from ..batch.sources import is_another, source_of_each
from ..config import LARGEST_MAX_PIXELS, MAX_PIXELS, Settings, resolve_classes
from ..errors import UnwritableError, UsageError
from ..report.files import SCHEMA_VERSION, read_report, write_reports
from ..storage.layout import REPORT, is_plain
from ..storage.stamp import Stamp, is_unchanged, mark
from ..system import lock
from ..system.atomic import Placement, atomic_write, exists, is_file
from ..system.confined import remove
from ..system.text import printable
from .catalog import Item, Opened, is_inside, linked_away

if TYPE_CHECKING:
    from ..batch.journal import JournalRow
    from ..report.schema import Entry, Report, RunEntry

log = logging.getLogger(__name__)

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
    journal = _recovered_journal(folder)
    entries = sorted(
        (_as_first_reported(entry, journal) for entry in _current_entries(folder, report, journal)),
        key=_worst_first,
    )
    safe = [entry for entry in entries if is_plain(entry["input"])]
    candidates = [inputs] if inputs is not None else input_folders(folder, report)
    if inputs is not None and not inputs.is_dir():
        raise UsageError(f"{inputs}: no such folder; --input names the folder that was cleaned")
    items = _items(folder, safe, _Sources(folder, candidates, journal, given=inputs is not None))
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
        max_pixels=_max_pixels_of(report["run"]),
        classes=classes_of(report["run"].get("settings")),
        series=series_of(report["run"].get("settings")),
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
    return _settings(run.get("settings"))


def settings_of_result(journal: Journal, name: str) -> Settings | None:
    """Return the settings that a photo's result was made with; None if no run knows them.

    Several runs may have written into one folder, each with its own settings.

    Args:
        journal: the journal of the output folder.
        name: the photo's name in it.
    """
    recorded = recorded_settings(journal, name)
    return None if recorded is None else _settings(recorded)


def recorded_settings(journal: Journal, name: str) -> Mapping[str, Any] | None:
    """Return the settings of a photo's result as the journal holds them (``batch.made_with``)."""
    row = journal.rows.get(name)
    return None if row is None else journal.settings.get(row.get("made_with", ""))


def combined(run: Settings, given: Settings) -> Settings:
    """Return a run's settings, changed by those of the command line."""
    keeps_all = not given.strip_metadata and "all" in (run.keep_metadata, given.keep_metadata)
    return replace(
        run,
        device=given.device,
        lossless=run.lossless or given.lossless,
        offline=run.offline or given.offline,
        strip_metadata=run.strip_metadata or given.strip_metadata,
        keep_metadata="all" if keeps_all else "known",
    )


def _settings(recorded: object) -> Settings:
    """Return recorded settings, see ``settings_of``."""
    if not isinstance(recorded, dict):
        return Settings()
    # JSON has no tuples.
    known: dict[str, Any] = {
        f.name: tuple(value) if isinstance(value := recorded[f.name], list) else value
        for f in fields(Settings)
        if f.name in recorded and f.name not in _NOT_INHERITED
    }
    try:
        return Settings(**known)
    except (UsageError, TypeError):
        return Settings()


def _max_pixels_of(run: RunEntry) -> int:
    """Return a run's limit on pixels if it was raised, else the default one."""
    recorded = run.get("settings")
    given = recorded.get("max_pixels") if isinstance(recorded, dict) else None
    if not isinstance(given, int) or isinstance(given, bool):
        return MAX_PIXELS
    return min(max(given, MAX_PIXELS), LARGEST_MAX_PIXELS)


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


class Records:
    """A run's journal and report, read anew, for one photo. The folder's lock is held meanwhile.

    Attributes:
        row: the journal's row of the photo; None if it has none.
        made_with: the settings of the last run, by their name in the journal, if it knows them.
        settings: those of the photo's result; None if they are unknown.
    """

    def __init__(
        self, folder: Path, name: str, journal: Journal, *, needs_report: bool = True
    ) -> None:
        """Read the report, and finish saves that a crash cut short.

        Args:
            folder: the run's output folder.
            name: the photo's name in the report.
            journal: the folder's journal, just read.
            needs_report: refuse a folder without a report; else only the journal is written there.

        Raises:
            UsageError: the report is needed, and is gone or cannot be read.
            UnwritableError: the journal cannot be written.
        """
        self._folder, self._name = folder, name
        self._report: Report | None = None
        with nullcontext() if needs_report else suppress(UsageError):
            self._report = load_report(folder)
        self._journal = journal
        recover(folder, journal)
        rows = journal.rows
        self.row = rows.get(name)
        known = [row["made_with"] for row in rows.values() if "made_with" in row]
        self.made_with = known[-1] if known else None
        self.settings = settings_of_result(journal, name)

    def claim(
        self, row: JournalRow, replaced: Stamp | None, dropped: Iterable[PurePosixPath] = ()
    ) -> None:
        """Leave a claim with the row that ``add`` will append.

        Args:
            row: the row.
            replaced: the stamp of the standing result if the board or a run wrote it.
            dropped: the names of the standing mask and layers that go.
        """
        name = PurePosixPath(str(row["entry"]["output"]))
        marked = [(gone, mark(self._folder / gone)) for gone in dropped]
        text = claim_text(self._name, name, row.get("written"), replaced, row, marked)
        placement = Placement(within=self._folder)
        with atomic_write(self._claim_file(), placement=placement) as file:
            file.write(text)

    def drop_claim(self) -> None:
        """Remove the claim."""
        with suppress(OSError, UnwritableError):
            remove(self._claim_file(), self._folder)

    def add(self, row: JournalRow) -> None:
        """Append the photo's row, and remove the claim.

        Raises:
            OutputError: the journal cannot be written.
        """
        was_complete = self._journal.complete
        self._journal.add(row)
        if was_complete:
            self._journal.finish()  # otherwise a later run would take this one for interrupted
        self.drop_claim()

    def write_report(self) -> None:
        """Write the report, if there is one, with what the journal knows: JSON, CSV and HTML.

        Raises:
            UnwritableError: it cannot be written.
        """
        if self._report is None:
            return
        entries = _current_entries(self._folder, self._report, self._journal)
        entry = self._journal.rows[self._name]["entry"]
        others = [other for other in entries if other["input"] != self._name]
        for note in keep_foreign_reports(self._folder):
            log.warning("%s", printable(note))
            known = self._report["run"].get("warnings")
            self._report["run"]["warnings"] = [*(known if isinstance(known, list) else []), note]
        sources = source_of_each(self._journal.rows)
        write_reports(self._folder, self._report["run"], [*others, entry], sources)

    def _claim_file(self) -> Path:
        return self._folder / CLAIMS / claim_name(self._name)


def _recovered_journal(folder: Path) -> Journal:
    """Return the journal; first finish saves that a crash cut short, if nobody writes there."""
    if (folder / CLAIMS).is_dir():
        with suppress(UsageError, UnwritableError), lock.folder_lock(folder):
            recover(folder, Journal(folder))
    return Journal(folder)


def _current_entries(folder: Path, report: Report, journal: Journal) -> list[Entry]:
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


def _items(folder: Path, entries: list[Entry], sources: _Sources) -> tuple[Item, ...]:
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
        entry["status"] != "review" or bool(entry.get("reviewed")),
        error is None,
        -(error or 0.0),
        entry["input"],
    )


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where the inputs of a run may be.

    Attributes:
        folder: the run's output folder.
        candidates: folders and files that may hold them, most likely first.
        journal: knows the file of each photo, except that of version 0.1.0.
        given: whether the user named the candidate.
    """

    folder: Path
    candidates: list[Path]
    journal: Journal
    given: bool

    def locate(self, name: str) -> tuple[Path, Path, str | None]:
        """Find an input's file.

        Returns:
            (the file, the folder that it must not leave by a link, None), or (where it should be,
            that folder, why it is not opened).
        """
        row = self.journal.rows.get(name)
        recorded = None if row is None or self.given else row.get("source_mark")
        edited = None
        for path, base in self._places(name, row):
            if not is_file(path) or is_inside(path, self.folder.resolve()):
                continue
            root = base.resolve()
            if not is_inside(path, root):
                return path, root, linked_away(path)
            if not recorded or is_unchanged(path, recorded):
                return path, root, None
            if row is not None and row.get("source") == str(path) and not is_another(path, row):
                edited = path, root
        if edited is not None:
            return *edited, None
        searched = ", ".join(str(path) for path in self.candidates)
        return (
            Path(name),
            Path(),
            f"the photo {name} was not found in {searched or f'the folders beside {self.folder}'}; "
            "say where the photos are with --input DIR",
        )

    def _places(self, name: str, row: JournalRow | None) -> Iterator[tuple[Path, Path]]:
        """Yield the files that may be the photo, with the folders that they must not leave."""
        source = None if row is None else row.get("source")
        if isinstance(source, str) and not self.given and "\0" not in source:
            path = Path(source)
            # Of the parts that file and name have in common, the base has none.
            pairs = zip(reversed(path.parts), reversed(PurePosixPath(name).parts), strict=False)
            common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            yield path, path.parents[max(0, common - 1)]
        for base in self.candidates:
            if base.is_dir():
                yield base / name, base
            elif base.name == name:
                yield base, base.parent


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


def classes_of(recorded: Any) -> tuple[str, ...]:
    """Return the classes of recorded settings; none if they are unknown."""
    with suppress(UsageError, TypeError, AttributeError):
        return resolve_classes(list((recorded or {}).get("classes") or []))
    return ()


def series_of(recorded: Any) -> str:
    """Return how recorded settings find photos of one place; ``auto`` if that is unknown."""
    series = recorded.get("series") if isinstance(recorded, dict) else None
    return series if series in SERIES else "auto"


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
