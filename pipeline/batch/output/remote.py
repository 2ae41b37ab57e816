"""A remote output folder: one photo's files are written to a local scratch folder and uploaded.

A store cannot append to a file, so the journal is uploaded in pieces at intervals, and merged into
one file when the run ends. Claims stay until the piece with their photo is uploaded. So a killed
run costs at most the photos of the last ``INTERVAL`` seconds, which are processed again.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...errors import PhotoError, RemoveObjectsError, UnwritableError
from ...report import previews
from ...report.files import write_reports
from ...storage.layout import JOURNAL_NAME, JOURNAL_PIECES, PREVIEWS
from ...storage.location import RemotePath
from ...storage.stamp import Stamp
from ..journal import Journal, JournalRow, row_line
from .claims import (
    CLAIMS,
    claim_name,
    claim_text,
    claimed_stamps,
    foreign_file,
    is_redundant,
    mask_key,
)

if TYPE_CHECKING:
    from ...report.schema import Entry, RunEntry

log = logging.getLogger(__name__)

#: Seconds between two pieces of the journal.
INTERVAL = 30.0
#: Concurrent uploads, downloads and deletions of small files.
_CONCURRENT = 16


class RemoteOutput:
    """A folder of any fsspec filesystem. It holds only an address, so it can be sent to workers."""

    def __init__(self, folder: RemotePath, *, overwrite: bool = False) -> None:
        self.folder, self.overwrite = folder, overwrite

    def __str__(self) -> str:
        return str(self.folder)

    @contextmanager
    def hold(self, names: Iterable[PurePosixPath]) -> Iterator[None]:
        """Do nothing: a store has no locks, see docs/scale.md."""
        yield

    @contextmanager
    def scratch_dir(self) -> Iterator[Path]:
        """Yield a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="remove-objects-") as folder:
            yield Path(folder)

    def scratch_path(self, scratch_dir: Path, name: PurePosixPath) -> Path:
        """Return a file named by a hash: no name of the store becomes a local path."""
        key = hashlib.sha256(str(name).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return scratch_dir / f"{key}{name.suffix}"

    def discard_previews(self, photo: str, *, seen: bool) -> None:
        """Remove the photo's previews if the journal has ``seen`` it; else there are none."""
        for kind in previews.KINDS if seen else ():
            (self.folder / PREVIEWS / previews.place(Path(), photo, kind).name).delete()

    def store(self, file: Path, name: PurePosixPath) -> None:
        """Upload a file."""
        (self.folder / name).put(file)

    def claim(self, photo: str, name: PurePosixPath, part: Path, ours: Stamp | None) -> None:
        """Leave a claim and upload the result.

        Raises:
            UnwritableError: a foreign file exists under the name.
        """
        target = self.folder / name
        current, replaced = target.stamp(), None
        if current is not None and current != ours and not self.overwrite:
            replaced = _content_stamp(target.read() or b"")
            if replaced not in self._claimed_stamps(photo, name):
                raise UnwritableError(foreign_file(target))
        # The object's ETag is unknown before the upload, so remote claims store a content hash.
        content = part.read_bytes()
        self._claim_file(photo).write(claim_text(photo, name, _content_stamp(content), replaced))
        target.put(part)

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        """Return the current stamp of a file."""
        return (self.folder / name).stamp()

    def stamp_lookup(self) -> Callable[[PurePosixPath], Stamp | None]:
        """Return a ``stamp`` that lists the whole folder once, at its first call.

        A request per photo would take longer than everything else.
        """

        @cache
        def listing() -> dict[str, RemotePath]:
            return self.folder.files()

        return lambda name: file.known if (file := listing().get(str(name))) else None

    def release(self, photos: Iterable[str]) -> None:
        """Remove the claims of photos and of their masks."""
        _concurrently(self._drop_claim, photos)

    def remove_redundant_claims(self, rows: Mapping[str, JournalRow]) -> None:
        """Remove leftover claims that add nothing to the journal's ``rows``."""

        def drop_if_redundant(claim: RemotePath) -> None:
            with suppress(PhotoError):
                if is_redundant(claim.read() or b"", rows, self.stamp):
                    claim.delete()

        with suppress(RemoveObjectsError):  # a leftover claim does no harm
            _concurrently(drop_if_redundant, (self.folder / CLAIMS).files().values())

    def journal(self) -> Journal:
        """Return the journal, with the rows of earlier runs."""
        return RemoteJournal(self.folder)

    def report(self, run: RunEntry, entries: list[Entry]) -> RemotePath:
        """Write the three reports; the previews are downloaded for the page, which embeds them."""
        with tempfile.TemporaryDirectory(prefix="remove-objects-") as temporary:
            scratch = Path(temporary)
            (scratch / PREVIEWS).mkdir()
            existing = (self.folder / PREVIEWS).files()
            paths = [
                path
                for entry in entries
                for kind in previews.KINDS
                if (path := previews.place(scratch, entry["input"], kind)).name in existing
            ]
            _concurrently(lambda path: _fetch_if_possible(existing[path.name], path), paths)
            report = write_reports(scratch, run, entries)
            for path in (report, report.with_suffix(".csv"), report.with_suffix(".html")):
                (self.folder / path.name).put(path)
        return self.folder / report.name

    def _claim_file(self, photo: str) -> RemotePath:
        return self.folder / CLAIMS / claim_name(photo)

    def _drop_claim(self, photo: str) -> None:
        for key in (photo, mask_key(photo)):
            with suppress(PhotoError):  # a leftover claim does no harm
                self._claim_file(key).delete()

    def _claimed_stamps(self, photo: str, name: PurePosixPath) -> list[Stamp]:
        text = self._claim_file(photo).read()
        return [] if text is None else claimed_stamps(text, photo, name)


class RemoteJournal(Journal):
    """The journal of a remote folder, uploaded in pieces.

    ``add`` buffers rows for ``INTERVAL`` seconds; ``flush`` and ``finish`` upload them. A failed
    upload does not end the run: its rows go with the next piece. Only the last piece must succeed.
    """

    def __init__(self, folder: RemotePath) -> None:
        super().__init__(None)
        self.folder = folder
        self._pieces = sorted((folder / JOURNAL_PIECES).files().items())
        for content in [
            (folder / JOURNAL_NAME).read(),
            *(piece.read() for _, piece in self._pieces),
        ]:
            self.load_rows(content or b"")
        self._buffer: list[JournalRow] = []
        self._flushed = time.monotonic()

    def add(self, row: JournalRow) -> list[str]:
        """Buffer one finished photo; returns the names of the photos that are durable now."""
        with self._lock:
            self._note(row["input"], row)
            self._buffer.append(row)
            if time.monotonic() - self._flushed < INTERVAL:
                return []
            try:
                return self._flush()
            except PhotoError as error:
                log.warning("%s", error)
                return []

    def flush(self) -> list[str]:
        """Upload the buffered rows, and return their names."""
        with self._lock:
            return self._flush()

    def finish(self) -> list[str]:
        """Merge the pieces into one file, so that a copy of the folder has a usual journal."""
        with self._lock:
            durable = self._flush()
            (self.folder / JOURNAL_NAME).write(
                b"".join(row_line(row) for row in [*self.rows.values(), {"complete": True}])
            )
            for piece in (self.folder / JOURNAL_PIECES).files().values():
                piece.delete()
            return durable

    def _flush(self) -> list[str]:
        self._flushed = time.monotonic()
        rows, self._buffer = self._buffer, []
        if rows:
            try:
                (self.folder / JOURNAL_PIECES / f"{time.time_ns():020d}.jsonl").write(
                    b"".join(row_line(row) for row in rows)
                )
            except PhotoError:
                self._buffer = rows + self._buffer
                raise
        return [row["input"] for row in rows]


def _concurrently(work: Callable[[Any], None], things: Iterable[Any]) -> None:
    with ThreadPoolExecutor(_CONCURRENT) as pool:
        list(pool.map(work, things))


def _fetch_if_possible(picture: RemotePath, path: Path) -> None:
    with suppress(PhotoError):  # the page leaves out a missing preview
        picture.fetch(path)


def _content_stamp(content: bytes) -> Stamp:
    return [len(content), hashlib.sha256(content).hexdigest()]
