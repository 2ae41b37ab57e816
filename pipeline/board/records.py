"""What journal and report of a run say, and how a decision about one photo is written into them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from ..batch.journal import Journal
from ..batch.output.claims import CLAIMS, claim_name, claim_text, recover
from ..batch.output.replaced import keep_foreign_reports
from ..batch.sources import source_of_each
from ..errors import UnwritableError, UsageError
from ..report.files import write_reports
from ..report.page_memory import PageMemory
from ..storage.layout import REPORT
from ..storage.stamp import Stamp, mark, stamp
from ..system.atomic import Placement, atomic_write
from ..system.confined import remove
from ..system.text import printable
from .hold import Hold
from .late_report import AT_ONCE, LateReport
from .run_folder import current_entries, load_report
from .run_settings import settings_of_result

if TYPE_CHECKING:
    from ..batch.journal import JournalRow
    from ..report.schema import Entry, RunEntry

log = logging.getLogger(__name__)


class Books:
    """Journal and report of an output folder, for all decisions of one board.

    The journal is the truth, and is read again only if somebody else has written it. The report is
    written from it, of many photos some time later.

    Attributes:
        folder: the output folder.
        lock: held by whoever reads or changes ``journal``.
        hold: keeps other processes out of the folder.
    """

    def __init__(self, folder: Path, on_written: Callable[[], None]) -> None:
        """Begin without reading anything.

        Args:
            folder: the output folder; it need not exist.
            on_written: called whenever the report was written, while the folder is held.
        """
        self.folder, self._on_written = folder, on_written
        self.lock, self.hold = threading.Lock(), Hold(folder)
        self._writing = threading.Lock()
        self._journal: Journal | None = None
        self._sound: Stamp | None = None
        #: The photos of whose decisions the report does not tell yet.
        self._untold: set[str] = set()
        self._memory = PageMemory()
        self._late = LateReport(self._write_late)

    def journal(self) -> Journal:
        """Return the journal as it is now."""
        if self._journal is None or self._journal.has_changed():
            self._journal = Journal(self.folder)
        return self._journal

    def check_report(self) -> None:
        """Refuse a folder whose report is gone or cannot be read.

        Raises:
            UsageError: it is.
        """
        now = stamp(self.folder / REPORT)
        if now is None or now != self._sound:
            load_report(self.folder)
            self._sound = now

    def tell(self, name: str, *, may_wait: bool) -> None:
        """Let the report tell of a decision that the journal has; ``lock`` and folder are held.

        Args:
            name: the photo's name.
            may_wait: whether a later reader of the journal would know that it is newer than the
                report.

        Raises:
            UnwritableError: the report cannot be written.
        """
        self._untold.add(name)
        if may_wait and len(self.journal().rows) > AT_ONCE:
            self._late.request()
            return
        contents = self._contents()
        with self._writing:
            self._write(contents)

    def tell_of_all(self) -> None:
        """Let the report tell, some time later, of what the journal alone knows."""
        self._late.request()

    def close(self) -> None:
        """Write a report that waits to be written."""
        self._late.close()

    def _write_late(self) -> None:
        """Write the report; decisions go on meanwhile.

        Raises:
            UsageError: another process holds the folder, or the report or its folder is gone.
            UnwritableError: it cannot be written.
        """
        if not self.folder.is_dir():  # the lock would make it anew
            raise UsageError(f"{self.folder}: is not there any more")
        with self.hold():
            with self.lock:
                contents = self._contents()
                self._writing.acquire()  # before anybody decides: the newest is written last
            try:
                if contents.is_news:
                    self._write(contents)
            finally:
                self._writing.release()

    def _contents(self) -> _Contents:
        """Return the report with what the journal knows.

        Raises:
            UsageError: it is gone or cannot be read.
            UnwritableError: a file under the name of a report, which is none, cannot be kept.
        """
        report, journal = load_report(self.folder), self.journal()
        told = set(self._untold)
        current = current_entries(self.folder, report, journal)
        entries = {entry["input"]: entry for entry in current}
        entries |= {name: journal.rows[name]["entry"] for name in told if name in journal.rows}
        is_news = entries != {entry["input"]: entry for entry in report["photos"]}
        for note in keep_foreign_reports(self.folder):
            log.warning("%s", printable(note))
            known = report["run"].get("warnings")
            report["run"]["warnings"] = [*(known if isinstance(known, list) else []), note]
        sources = source_of_each(journal.rows)
        return _Contents(report["run"], list(entries.values()), sources, told, is_news)

    def _write(self, contents: _Contents) -> None:
        write_reports(self.folder, contents.run, contents.entries, contents.sources, self._memory)
        self._sound = stamp(self.folder / REPORT)
        self._untold -= contents.told
        self._on_written()


class _Contents(NamedTuple):
    """A report.

    Attributes:
        run: the run.
        entries: its photos.
        sources: the file of each original, by the photo's name.
        told: the photos whose last decisions it tells of.
        is_news: whether the report in the folder tells anything else of the photos.
    """

    run: RunEntry
    entries: list[Entry]
    sources: Mapping[str, str]
    told: set[str]
    is_news: bool


class Records:
    """What the books say of one photo. Their lock, and the folder, are held meanwhile.

    Attributes:
        row: the journal's row of the photo; None if it has none.
        made_with: the settings of the last run, by their name in the journal, if it knows them.
        settings: those of the photo's result; None if they are unknown.
    """

    def __init__(self, books: Books, name: str, *, needs_report: bool = True) -> None:
        """Finish saves that a crash cut short, and look the photo up.

        Args:
            books: of the run's output folder.
            name: the photo's name in the report.
            needs_report: refuse a folder without a report; else only the journal is written there.

        Raises:
            UsageError: the report is needed, and is gone or cannot be read.
            UnwritableError: the journal cannot be written.
        """
        self._books, self._name, self._folder = books, name, books.folder
        self._has_report = False
        with nullcontext() if needs_report else suppress(UsageError):
            books.check_report()
            self._has_report = True
        self._journal = journal = books.journal()
        recover(self._folder, journal)
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
        """Let the report, if there is one, tell of the row that was added.

        Raises:
            UnwritableError: it cannot be written.
        """
        if self._has_report:
            is_newer = any(
                row is not None and row["entry"].get("reviewed")
                for row in (self.row, self._journal.rows[self._name])
            )
            self._books.tell(self._name, may_wait=is_newer)

    def _claim_file(self) -> Path:
        return self._folder / CLAIMS / claim_name(self._name)
