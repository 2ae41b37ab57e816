"""What journal and report of a run say of one photo, and how a decision is written into them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..batch.journal import Journal
from ..batch.output.claims import CLAIMS, claim_name, claim_text, recover
from ..batch.output.replaced import keep_foreign_reports
from ..batch.sources import source_of_each
from ..errors import UnwritableError, UsageError
from ..report.files import write_reports
from ..storage.stamp import Stamp, mark
from ..system.atomic import Placement, atomic_write
from ..system.confined import remove
from ..system.text import printable
from .run_folder import current_entries, load_report
from .run_settings import settings_of_result

if TYPE_CHECKING:
    from ..batch.journal import JournalRow
    from ..report.schema import Report

log = logging.getLogger(__name__)


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
        entries = current_entries(self._folder, self._report, self._journal)
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
