"""The journal of an output folder: which photos are done, with which settings, so that a broken run goes on where it stopped.

One JSON line a finished photo, appended and flushed, in a hidden file beside the report. A last line ``{"complete": true}`` says that the
run ended by itself. A row may carry ``facts`` of who did the work, where these differ from what the rows before it said.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..storage.layout import JOURNAL_NAME
from ..storage.stamp import stamp
from ..system.atomic import unwritable


def row_line(row: dict[str, Any]) -> bytes:
    """A row as it stands in the file."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


def _is_writable(row: dict[str, Any], line: str) -> bool:
    """Whether ``row_line`` can write the row again: an escape may hold a surrogate that it cannot."""
    try:
        return "\\u" not in line or bool(row_line(row))
    except UnicodeEncodeError:
        return False


class Journal:
    """Rows by the photo's name. Safe to append from several threads.

    ``complete`` says whether the run that wrote the last rows ended by itself, ``earlier`` whose rows are of runs that did, and ``facts``
    what was noted of the work since.
    """

    def __init__(self, folder: Path | None) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.complete = False
        self.earlier: set[str] = set()
        self.facts: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        if folder is not None:
            self.path = folder / JOURNAL_NAME
            try:
                self.load_rows(self.path.read_bytes())
            except OSError:
                return

    def load_rows(self, content: bytes) -> None:
        """Read rows, the later ones of a photo in the place of the earlier. A damaged row is none: its photo is done again."""
        # The schema loads NumPy: --help must not wait for it.
        from ..report.schema import is_entry

        for line in content.decode("utf-8", "surrogateescape").split("\n"):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue  # the line that a crash cut short
            if not isinstance(row, dict):
                continue
            if row.get("complete") is True:
                self.complete, self.earlier, self.facts = True, set(self.rows), []
            entry, name = row.get("entry"), str(row.get("input"))
            # The same row twice: a store's piece holds it too, because whoever made one file of the pieces died before they were gone.
            if (
                is_entry(entry)
                and entry["input"] == row.get("input")
                and _is_writable(row, line)
                and self.rows.get(name) != row
            ):
                self._note(name, row)

    def _note(self, name: str, row: dict[str, Any]) -> None:
        self.rows[name] = row
        self.complete = False
        self.earlier.discard(name)
        if isinstance(facts := row.get("facts"), dict):
            self.facts.append(facts)

    def owns(self, name: str, target: Path) -> bool:
        """Whether ``target`` is the very file that an earlier run wrote for the photo ``name``."""
        row = self.rows.get(name)
        return (
            row is not None and row.get("written") is not None and row["written"] == stamp(target)
        )

    def add(self, row: dict[str, Any]) -> list[str]:
        """Append one finished photo. Gives the names of the photos that are now safe: on the disk, this one is.

        Raises:
            OutputError: it cannot be kept.
        """
        with self._lock:
            self._append(row)
            self._note(row["input"], row)
            return [row["input"]]

    def flush(self) -> list[str]:
        """Make all that was added safe; gives the names that were not before."""
        return []

    def finish(self) -> list[str]:
        """Say that the run ended by itself. As ``flush``."""
        with self._lock:
            self._append({"complete": True})
            return []

    def _append(self, row: dict[str, Any]) -> None:
        """A line, whole: what a full disk took of it is taken back."""
        line = row_line(row)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab+", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                # A crash may have cut the last line: what comes now begins a new one.
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
        except OSError as error:
            raise OutputError(str(unwritable(self.path, error))) from error
