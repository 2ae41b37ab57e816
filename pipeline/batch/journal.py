"""The journal of an output folder: the finished photos and their settings, so that a run resumes.

The file is hidden, beside the report. It has one JSON line per finished photo, a ``JournalRow``,
appended and flushed. A last line ``{"complete": true}`` says that the run ended by itself.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypeAlias, TypedDict, cast

from ..errors import OutputError, UnwritableError
from ..storage.layout import JOURNAL_NAME
from ..storage.stamp import Stamp, is_unchanged, stamp
from ..system.atomic import append_alone, unwritable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..report.schema import Entry


class WorkerFacts(TypedDict):
    """What the report says about the worker of a photo: ``weights`` are hashes by name."""

    weights: dict[str, str]
    warnings: list[str]
    device: str


class JournalRow(TypedDict):
    """One finished photo.

    ``input`` is the photo's name, and ``entry`` its row of the report. ``source`` is its file
    (``sources.source_key``), ``source_mark`` the file's mark, ``taken`` a hash of when it was
    taken (``images.taken``), and ``given_marks`` the marks of its own mask and its ground
    truth. ``picks`` names what a person decided about its objects before the run
    (``report.picks``), if anything. ``borrowed`` holds the photos of its series that its result
    was filled from: by their names, the file (``source_key``), its mark, and that of its own
    mask; ``neighbours`` names all of its series that it could have been filled from.
    ``made_with`` names the settings, which ``settings`` holds in the first row of a run that has
    them. ``written``, ``mask_written`` and
    ``layers_written`` are the marks of its result, its mask and the mask's layers, which no
    version before 0.2.0 wrote. ``mended`` says that the result continues one that a person
    mended. ``facts`` are about the worker; they are there if they differ from the facts of the
    rows before. Version 0.1.0 wrote no ``source`` and no ``made_with`` but ``identity``, a hash
    of the photo's files and settings.

    When a row is read, ``input`` and ``entry`` must be right; anything else of another shape is
    ignored.
    """

    input: str
    entry: Entry
    source: NotRequired[str]
    source_mark: NotRequired[Stamp | None]
    taken: NotRequired[str]
    given_marks: NotRequired[list[Stamp | None]]
    picks: NotRequired[str]
    neighbours: NotRequired[list[str]]
    borrowed: NotRequired[dict[str, list[Any]]]
    made_with: NotRequired[str]
    settings: NotRequired[dict[str, Any]]
    identity: NotRequired[str | None]
    written: NotRequired[Stamp | None]
    mask_written: NotRequired[Stamp | None]
    layers_written: NotRequired[Stamp | None]
    mended: NotRequired[bool]
    facts: NotRequired[WorkerFacts]


def row_line(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line of the file."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


def _is_writable(row: Mapping[str, Any], line: str) -> bool:
    """Whether ``row_line`` can write a row that was read from ``line``.

    An escape in the line may hold a surrogate that cannot be encoded.
    """
    try:
        return "\\u" not in line or bool(row_line(row))
    except UnicodeEncodeError:
        return False


#: Of a photo that a result was filled from: the file, its mark, and the mark of its own mask.
Borrowed: TypeAlias = tuple[str, Stamp | None, Stamp | None]

#: The types of a row's keys besides ``input`` and ``entry``.
_TYPES: dict[str, Any] = {
    "source": str,
    "source_mark": list[Any] | None,
    "taken": str,
    "given_marks": list[list[Any] | None],
    "picks": str,
    "neighbours": list[str],
    "borrowed": dict[str, Borrowed],
    "made_with": str,
    "settings": dict[str, Any],
    "identity": str | None,
    "written": list[Any] | None,
    "mask_written": list[Any] | None,
    "layers_written": list[Any] | None,
    "mended": bool,
    "facts": WorkerFacts,
}


def sound(row: dict[str, Any]) -> JournalRow:
    """Return a row without the keys that are of another shape."""
    return _without(row, _unsound_keys(row))


def _unsound_keys(row: dict[str, Any]) -> list[str]:
    """Return the keys of a row that are of another shape."""
    import msgspec

    def is_sound(key: str) -> bool:
        try:
            msgspec.convert(row[key], _TYPES[key])
        except msgspec.ValidationError:
            return False
        return True

    return [key for key in _TYPES if key in row and not is_sound(key)]


def _without(row: dict[str, Any], keys: list[str]) -> JournalRow:
    return cast(JournalRow, {k: v for k, v in row.items() if k not in keys} if keys else row)


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether a row about a result has what every version writes; 0.1.0 wrote ``identity``."""
    needed = ("source_mark", "made_with", "written")
    is_about_a_result = row["entry"]["output"] is not None
    return not is_about_a_result or "identity" in row or all(key in row for key in needed)


class Journal:
    """The rows of an output folder, by the photo's name. Threads may append concurrently.

    Attributes:
        rows: the last row of every photo.
        complete: whether the run that wrote the last rows ended by itself.
        earlier: the photos whose rows are of completed runs.
        facts: facts about the workers since the last completed run.
        settings: the settings of results by their names, see ``JournalRow``.
        unread: how many lines are no rows; those that a crash cut short do not count.
        cut: how many lines are cut short.
        lacking: the photos whose last rows lack parts that have another shape.
    """

    def __init__(self, folder: Path | None) -> None:
        self.rows: dict[str, JournalRow] = {}
        self.complete = False
        self.earlier: set[str] = set()
        self.facts: list[WorkerFacts] = []
        self.settings: dict[str, dict[str, Any]] = {}
        self.unread = self.cut = 0
        self.lacking: set[str] = set()
        self._lock = threading.Lock()
        if folder is not None:
            self.path = folder / JOURNAL_NAME
            self._loaded = stamp(self.path)
            try:
                self.load_rows(self.path.read_bytes())
            except OSError:
                return

    def has_changed(self) -> bool:
        """Whether somebody else has written the journal since it was loaded."""
        return self._loaded != stamp(self.path)

    def load_rows(self, content: bytes) -> None:
        """Load rows; a later row replaces an earlier one for the same photo.

        Damaged rows are counted and ignored.
        """
        # Imported here because the schema loads NumPy, which --help does not need.
        from ..report.schema import is_entry

        for line in content.decode("utf-8", "surrogateescape").split("\n"):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
                if line and not line.endswith("}"):
                    self.cut += 1  # most likely by a crash
                    continue
            if isinstance(row, dict) and row.get("complete") is True:
                self._end()
                continue
            if not (
                isinstance(row, dict)
                and is_entry(entry := row.get("entry"))
                and entry["input"] == row.get("input")
                and _is_writable(row, line)
            ):
                self.unread += bool(line)
                continue
            # A repeated row is not a new one: a store's piece holds it too if the process died
            # between merging the pieces and deleting them.
            if self.rows.get(entry["input"]) != row:
                unsound = _unsound_keys(row)
                self._note(entry["input"], _without(row, unsound))
                if unsound or not _is_whole(row):
                    self.lacking.add(entry["input"])

    def owns(self, name: str, target: Path) -> bool:
        """Whether ``target`` is the very file that an earlier run wrote for the photo ``name``."""
        row = self.rows.get(name)
        return row is not None and is_unchanged(target, row.get("written"))

    def add(self, row: JournalRow) -> list[str]:
        """Append one finished photo.

        Returns:
            The names of the photos that are durable now; on a disk, this one.

        Raises:
            OutputError: the journal cannot be written.
        """
        with self._lock:
            row = self._with_settings(row)
            self._append(row)
            self._note(row["input"], row)
            return [row["input"]]

    def update(self, row: JournalRow) -> None:
        """Replace what the journal knows of a finished photo; it stays as finished as it was."""
        with self._lock:
            self.rows[row["input"]] = row
            self._append(row)

    def flush(self) -> list[str]:
        """Make all added rows durable, and return the names of those that were not before."""
        return []

    def finish(self) -> list[str]:
        """Record that the run ended by itself; returns names like ``flush``."""
        with self._lock:
            self._append({"complete": True})
            self._end()
            return []

    def _with_settings(self, row: JournalRow) -> JournalRow:
        """Return a row without settings that an earlier row holds already."""
        name = row.get("made_with")
        if name is None or "settings" not in row or self.settings.get(name) != row["settings"]:
            return row
        return cast(JournalRow, {key: value for key, value in row.items() if key != "settings"})

    def _note(self, name: str, row: JournalRow) -> None:
        if "settings" in row and "made_with" in row:
            self.settings[row["made_with"]] = row["settings"]
        self.rows[name] = row
        self.complete = False
        self.earlier.discard(name)
        self.lacking.discard(name)
        if (facts := row.get("facts")) is not None:
            self.facts.append(facts)

    def _end(self) -> None:
        """Take all rows for those of runs that ended by themselves."""
        self.complete, self.earlier, self.facts = True, set(self.rows), []

    def _first(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a row with its settings, for a journal that somebody removed meanwhile."""
        settings = self.settings.get(row.get("made_with", ""))
        return row if settings is None else {**row, "settings": settings}

    def _append(self, row: Mapping[str, Any]) -> None:
        """Append a complete line, or, on a full disk, nothing of it."""
        was_known = not self.has_changed()
        try:
            with append_alone(self.path, self.path.parent) as file:
                end = file.seek(0, os.SEEK_END)
                line = row_line(row if end else self._first(row))
                # A crash may have cut the last line; this row begins a new one.
                if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
                    line = b"\n" + line
                try:
                    rest = memoryview(line)
                    while rest:
                        rest = rest[file.write(rest) :]
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):
                        file.truncate(end)
                    raise
            if was_known:
                self._loaded = stamp(self.path)
        except UnwritableError as error:
            raise OutputError(str(error)) from error
        except OSError as error:
            raise OutputError(str(unwritable(self.path, error))) from error
