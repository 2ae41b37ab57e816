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
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from ..errors import OutputError, UnwritableError
from ..storage.layout import JOURNAL_NAME
from ..storage.stamp import Stamp, stamp
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

    ``input`` is the photo's name, ``identity`` a hash of its files and settings, ``written`` and
    ``mask_written`` are the stamps of its result and its mask, and ``entry`` is its row of the
    report. ``facts`` are about the worker; they are there if they differ from the facts of the
    rows before. When a row is read, ``input`` and ``entry`` must be right; ``facts`` of another
    shape are ignored.
    """

    input: str
    identity: str | None
    written: NotRequired[Stamp | None]
    mask_written: NotRequired[Stamp | None]
    entry: Entry
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


def _with_sound_facts(row: dict[str, Any]) -> JournalRow:
    """Return a row without facts of another shape: they say nothing about the photo."""
    if "facts" not in row:  # nearly every row of a long journal
        return cast(JournalRow, row)
    import msgspec

    try:
        msgspec.convert(row["facts"], WorkerFacts)
    except msgspec.ValidationError:
        row = {key: value for key, value in row.items() if key != "facts"}
    return cast(JournalRow, row)


class Journal:
    """The rows of an output folder, by the photo's name. Threads may append concurrently.

    Attributes:
        rows: the last row of every photo.
        complete: whether the run that wrote the last rows ended by itself.
        earlier: the photos whose rows are of completed runs.
        facts: facts about the workers since the last completed run.
    """

    def __init__(self, folder: Path | None) -> None:
        self.rows: dict[str, JournalRow] = {}
        self.complete = False
        self.earlier: set[str] = set()
        self.facts: list[WorkerFacts] = []
        self._lock = threading.Lock()
        if folder is not None:
            self.path = folder / JOURNAL_NAME
            try:
                self.load_rows(self.path.read_bytes())
            except OSError:
                return

    def load_rows(self, content: bytes) -> None:
        """Load rows; a later row replaces an earlier one for the same photo.

        Damaged rows are ignored, so those photos are processed again.
        """
        # Imported here because the schema loads NumPy, which --help does not need.
        from ..report.schema import is_entry

        for line in content.decode("utf-8", "surrogateescape").split("\n"):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue  # a line that a crash cut short
            if not isinstance(row, dict):
                continue
            if row.get("complete") is True:
                self.complete, self.earlier, self.facts = True, set(self.rows), []
            entry, name = row.get("entry"), str(row.get("input"))
            # A repeated row is not a new one: a store's piece holds it too if the process died
            # between merging the pieces and deleting them.
            if (
                is_entry(entry)
                and entry["input"] == row.get("input")
                and _is_writable(row, line)
                and self.rows.get(name) != row
            ):
                self._note(name, _with_sound_facts(row))

    def owns(self, name: str, target: Path) -> bool:
        """Whether ``target`` is the very file that an earlier run wrote for the photo ``name``."""
        row = self.rows.get(name)
        return (
            row is not None and row.get("written") is not None and row["written"] == stamp(target)
        )

    def add(self, row: JournalRow) -> list[str]:
        """Append one finished photo.

        Returns:
            The names of the photos that are durable now; on a disk, this one.

        Raises:
            OutputError: the journal cannot be written.
        """
        with self._lock:
            self._append(row)
            self._note(row["input"], row)
            return [row["input"]]

    def flush(self) -> list[str]:
        """Make all added rows durable, and return the names of those that were not before."""
        return []

    def finish(self) -> list[str]:
        """Record that the run ended by itself; returns names like ``flush``."""
        with self._lock:
            self._append({"complete": True})
            return []

    def _note(self, name: str, row: JournalRow) -> None:
        self.rows[name] = row
        self.complete = False
        self.earlier.discard(name)
        if (facts := row.get("facts")) is not None:
            self.facts.append(facts)

    def _append(self, row: Mapping[str, Any]) -> None:
        """Append a complete line, or, on a full disk, nothing of it."""
        line = row_line(row)
        try:
            with append_alone(self.path, self.path.parent) as file:
                end = file.seek(0, os.SEEK_END)
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
        except UnwritableError as error:
            raise OutputError(str(error)) from error
        except OSError as error:
            raise OutputError(str(unwritable(self.path, error))) from error
