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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...errors import PhotoError, RemoveObjectsError, UnwritableError
from ...report import previews
from ...report.files import REPORTS, write_reports
from ...report.preview_page import write_preview
from ...report.recognise import HEAD_BYTES, is_report
from ...storage.layout import JOURNAL_NAME, JOURNAL_PIECES, PREVIEWS, REPLACED
from ...storage.location import RemotePath
from ...storage.stamp import Stamp
from ..journal import Journal, JournalRow, row_line
from . import replaced
from .claims import (
    CLAIMS,
    Claim,
    LeftClaim,
    claim_keys,
    claim_name,
    claim_text,
    claimed_stamps,
    foreign_file,
    is_redundant,
    left_claim,
    made_from,
)

if TYPE_CHECKING:
    from ...report.page_memory import PageMemory
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
        if not seen:
            return
        for kind in previews.KINDS:
            (self.folder / PREVIEWS / previews.place(Path(), photo, kind).name).delete()
        (self.folder / previews.kept_mask(photo)).delete()

    def store(self, file: Path, name: PurePosixPath) -> None:
        """Upload a file."""
        (self.folder / name).put(file)

    def claim(self, claim: Claim, part: Path) -> PurePosixPath | None:
        """Leave a claim, keep the file that the part replaces, and upload the part.

        Raises:
            UnwritableError: a foreign file exists under the name, or cannot be kept.
        """
        target = self.folder / claim.name
        content = part.read_bytes()
        written, current, kept, known = _content_stamp(content), target.stamp(), None, None
        if current is not None:
            before = target.read() or b""
            replaced_stamp = _content_stamp(before)
            if current == claim.ours or replaced_stamp in self._claimed_stamps(claim):
                known = replaced_stamp
            elif not self.overwrite:
                raise UnwritableError(foreign_file(target))
            if replaced_stamp != written:
                # Of the file of a killed attempt, only the claim knows; the row is another file's.
                earlier = claim.earlier if current == claim.ours else None
                maker = earlier or (claim.row if known else None)
                kept = self._keep(claim.name, before, earlier, maker)
        # The object's ETag is unknown before the upload, so remote claims store a content hash.
        self._claim_file(claim.photo).write(
            claim_text(claim.photo, claim.name, written, known, claim.row)
        )
        target.put(part)
        return kept

    def retire(self, claim: Claim) -> PurePosixPath | None:
        """Move the run's own file to the replaced ones."""
        target = self.folder / claim.name
        if claim.ours is None or target.stamp() != claim.ours:
            return None
        kept = self._keep(claim.name, target.read() or b"", claim.earlier, claim.earlier)
        target.delete()
        return kept

    def put_back(self, name: PurePosixPath, row: JournalRow, standing: JournalRow) -> bool:
        """Return False: the journal holds no hash of a store's file that would find it."""
        return False

    def location(self, name: PurePosixPath) -> RemotePath:
        """Return where a file of the folder lies."""
        return self.folder / name

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        """Return the current stamp of a file."""
        return (self.folder / name).stamp()

    def standing(self) -> RemoteStanding:
        """Return what stands in the folder."""
        return RemoteStanding(self.folder)

    def left_claims(self) -> list[LeftClaim]:
        """Return the claims that a killed run left, whose files stand."""
        claims = []
        for file in (self.folder / CLAIMS).files().values():
            with suppress(PhotoError):
                claims.append(left_claim(file.read() or b"", self._is_unchanged))
        return [claim for claim in claims if claim is not None]

    def kept(self) -> tuple[int, int]:
        """Return the number of replaced files that are kept, and their bytes."""
        sizes = [
            file.known[0] if file.known else 0
            for name, file in (self.folder / REPLACED).files().items()
            if not replaced.is_note(name)
        ]
        return len(sizes), sum(sizes)

    def _keep(
        self,
        name: PurePosixPath,
        content: bytes,
        row: JournalRow | None,
        maker: Mapping[str, Any] | None,
    ) -> PurePosixPath:
        """Upload a copy of a file that is about to be replaced, see ``replaced.keep``.

        Args:
            name: its name.
            content: its bytes.
            row: the journal's row that describes it.
            maker: what is known of the photo from which a run can make it again.
        """
        digest = hashlib.sha256(content).hexdigest()
        folder = self.folder / REPLACED / name
        existing = sorted(path for path in folder.files() if not replaced.is_note(path))
        for other in existing:
            if f"-{digest[:8]}" in other and (folder / other).read() == content:
                return PurePosixPath(REPLACED, name, other)
        version = replaced.version_name(name, digest)
        (folder / version).write(content)
        (folder / f"{version}.json").write(replaced.version_text(row, made_from(maker)))
        versions = []
        for other in [*existing, version]:
            text = (folder / f"{other}.json").read() or b""
            versions.append(replaced.Version(Path(other), *replaced.read_version(text)))
        for old in replaced.superseded(versions):
            for ending in ("", ".json"):
                (folder / f"{old.path}{ending}").delete()
        return PurePosixPath(REPLACED, name, version)

    def release(self, photos: Iterable[str]) -> None:
        """Remove the claims of photos and of their masks."""
        _concurrently(self._drop_claim, photos)

    def remove_redundant_claims(self, rows: Mapping[str, JournalRow]) -> None:
        """Remove leftover claims that add nothing to the journal's ``rows``."""

        def drop_if_redundant(claim: RemotePath) -> None:
            with suppress(PhotoError):
                if is_redundant(claim.read() or b"", rows, self._is_unchanged):
                    claim.delete()

        with suppress(RemoveObjectsError):  # a leftover claim does no harm
            _concurrently(drop_if_redundant, (self.folder / CLAIMS).files().values())

    def journal(self) -> Journal:
        """Return the journal, with the rows of earlier runs."""
        return RemoteJournal(self.folder)

    def keep_foreign_reports(self, names: Sequence[str] = REPORTS) -> list[str]:
        """Keep what stands under the names of reports and is none of this program's."""
        notes = []
        for name in names:
            file = self.folder / name
            current = file.stamp()
            if current is None:
                continue
            # Some stores refuse to read a part of an empty file.
            head = file.read(HEAD_BYTES if current[0] > HEAD_BYTES else None)
            if head is None or is_report(name, head):
                continue
            kept = self._keep(PurePosixPath(name), file.read() or b"", None, None)
            notes.append(replaced.kept_report(self.folder, name, kept))
        return notes

    def report(
        self,
        run: RunEntry,
        entries: list[Entry],
        sources: Mapping[str, str],
        memory: PageMemory | None = None,
    ) -> RemotePath:
        """Write the three reports; the previews are downloaded for the page, which embeds them."""
        with self._with_previews(entries, previews.SMALL_KINDS) as scratch:
            report = write_reports(scratch, run, entries, sources, memory, stays=False)
            for path in (report, report.with_suffix(".csv"), report.with_suffix(".html")):
                (self.folder / path.name).put(path)
        return self.folder / report.name

    def preview(self, run: RunEntry, entries: list[Entry]) -> RemotePath:
        """Write the page on which a person picks who goes and who stays, as ``report``."""
        with self._with_previews(entries, previews.CHOICE_KINDS) as scratch:
            page = write_preview(scratch, run, entries)
            (self.folder / page.name).put(page)
        return self.folder / page.name

    @contextmanager
    def _with_previews(self, entries: Sequence[Entry], kinds: Sequence[str]) -> Iterator[Path]:
        """Yield a temporary folder with the photos' previews of some kinds."""
        with tempfile.TemporaryDirectory(prefix="remove-objects-") as temporary:
            scratch = Path(temporary)
            (scratch / PREVIEWS).mkdir()
            existing = (self.folder / PREVIEWS).files()
            paths = [
                path
                for entry in entries
                for kind in kinds
                if (path := previews.place(scratch, entry["input"], kind)).name in existing
            ]
            _concurrently(lambda path: _fetch_if_possible(existing[path.name], path), paths)
            yield scratch

    def _is_unchanged(self, name: PurePosixPath, recorded: Stamp | None) -> bool:
        """Whether a file is the one of a recorded stamp, or of a claim's content stamp."""
        file = self.folder / name
        current = file.stamp()
        if current is None or recorded is None or current[0] != recorded[0]:
            return False
        return current == recorded or _content_stamp(file.read() or b"") == recorded

    def _claim_file(self, photo: str) -> RemotePath:
        return self.folder / CLAIMS / claim_name(photo)

    def _drop_claim(self, photo: str) -> None:
        for key in claim_keys(photo):
            with suppress(PhotoError):  # a leftover claim does no harm
                self._claim_file(key).delete()

    def _claimed_stamps(self, claim: Claim) -> list[Stamp]:
        text = self._claim_file(claim.photo).read()
        return [] if text is None else claimed_stamps(text, claim.photo, claim.name)


class RemoteStanding:
    """What stands in a remote folder. It lists the whole folder once, at the first question.

    A request per photo would take longer than everything else.
    """

    def __init__(self, folder: RemotePath) -> None:
        self._listing = cache(folder.files)

    def exists(self, name: PurePosixPath) -> bool:
        """Whether there is a file under a name."""
        return str(name) in self._listing()

    def link(self, name: PurePosixPath) -> None:
        """Return None: a store has no links."""

    def is_unchanged(self, name: PurePosixPath, recorded: Stamp | None) -> bool:
        """Whether the file under a name is the one whose stamp was recorded."""
        file = self._listing().get(str(name))
        return file is not None and recorded is not None and file.known == recorded


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
            row = self._with_settings(row)
            self._note(row["input"], row)
            self._buffer.append(row)
            if time.monotonic() - self._flushed < INTERVAL:
                return []
            try:
                return self._flush()
            except PhotoError as error:
                log.warning("%s", error)
                return []

    def has_changed(self) -> bool:
        """Return False: a store has no lock that would make the answer last."""
        return False

    def update(self, row: JournalRow) -> None:
        """Replace what the journal knows of a finished photo, with the next piece."""
        with self._lock:
            self.rows[row["input"]] = row
            self._buffer.append(row)

    def flush(self) -> list[str]:
        """Upload the buffered rows, and return their names."""
        with self._lock:
            return self._flush()

    def finish(self) -> list[str]:
        """Merge the pieces into one file, so that a copy of the folder has a usual journal."""
        with self._lock:
            durable = self._flush()
            (self.folder / JOURNAL_NAME).write(
                b"".join(row_line(row) for row in [*self._merged(), {"complete": True}])
            )
            for piece in (self.folder / JOURNAL_PIECES).files().values():
                piece.delete()
            return durable

    def _merged(self) -> Iterator[JournalRow]:
        """Yield the last row of every photo; the first of each settings holds them in full."""
        written: set[str] = set()
        for row in self.rows.values():
            made_with = row.get("made_with")
            if made_with in self.settings and made_with not in written:
                written.add(made_with)
                row = {**row, "settings": self.settings[made_with]}
            yield row

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
