"""An output folder elsewhere, see ``pipeline.storage.location``: one photo's files are written on a scratch_dir of this machine and put there.

The journal cannot be appended to there: it is put in pieces, every so often, and made one file when the run ends. Claims stay until the
piece that holds their photo is put. So a killed run costs at most the photos of the last ``INTERVAL`` seconds, which are done again.
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
from ..journal import Journal, row_line
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
#: Small files that are put, fetched or deleted at once.
_AT_ONCE = 16


class RemoteOutput:
    """A folder of any filesystem that fsspec knows. Holds an address only, so that it travels to other machines."""

    def __init__(self, folder: RemotePath, *, overwrite: bool = False) -> None:
        self.folder, self.overwrite = folder, overwrite

    def __str__(self) -> str:
        return str(self.folder)

    @contextmanager
    def hold(self, names: Iterable[PurePosixPath]) -> Iterator[None]:
        """A store has no lock: see docs/scale.md."""
        yield

    @contextmanager
    def scratch_dir(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="remove-objects-") as folder:
            yield Path(folder)

    def place(self, scratch_dir: Path, name: PurePosixPath) -> Path:
        """No name of the store becomes a path here: only what its ending says is kept."""
        return (
            scratch_dir
            / f"{hashlib.sha256(str(name).encode('utf-8', 'surrogatepass')).hexdigest()[:16]}{name.suffix}"
        )

    def clear(self, name: str, *, seen: bool) -> None:
        for kind in previews.KINDS if seen else ():
            (self.folder / PREVIEWS / previews.place(Path(), name, kind).name).delete()

    def keep(self, file: Path, name: PurePosixPath) -> None:
        (self.folder / name).put(file)

    def claim(self, photo: str, name: PurePosixPath, part: Path, ours: Stamp | None) -> None:
        target = self.folder / name
        found, replaced = target.stamp(), None
        if found is not None and found != ours and not self.overwrite:
            replaced = _content_stamp(target.read() or b"")
            if replaced not in self._claimed(photo, name):
                raise UnwritableError(foreign_file(target))
        # What the store will call it is not known before: a claim goes by the content.
        content = part.read_bytes()
        self._claim_file(photo).write(claim_text(photo, name, _content_stamp(content), replaced))
        target.put(part)

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        return (self.folder / name).stamp()

    def existing(self) -> Callable[[PurePosixPath], Stamp | None]:
        """Looks at the whole folder once, when first asked: a question for every photo would take the longest of all."""

        @cache
        def listing() -> dict[str, RemotePath]:
            return self.folder.files()

        return lambda name: found.known if (found := listing().get(str(name))) else None

    def release(self, photos: Iterable[str]) -> None:
        _all_of(self._drop_claim, photos)

    def settle(self, rows: Mapping[str, dict[str, Any]]) -> None:
        def drop_if_redundant(claim: RemotePath) -> None:
            with suppress(PhotoError):
                if is_redundant(claim.read() or b"", rows, self.stamp):
                    claim.delete()

        with suppress(RemoveObjectsError):  # a claim that stays harms nothing
            _all_of(drop_if_redundant, (self.folder / CLAIMS).files().values())

    def journal(self) -> Journal:
        return RemoteJournal(self.folder)

    def report(self, run: RunEntry, entries: list[Entry]) -> RemotePath:
        """The page is laid out around the small pictures: they are fetched for it."""
        with tempfile.TemporaryDirectory(prefix="remove-objects-") as folder:
            here = Path(folder)
            (here / PREVIEWS).mkdir()
            known = (self.folder / PREVIEWS).files()
            wanted = [
                p
                for entry in entries
                for kind in previews.KINDS
                if (p := previews.place(here, entry["input"], kind)).name in known
            ]
            _all_of(lambda path: _fetch_if_possible(known[path.name], path), wanted)
            written = write_reports(here, run, entries)
            for path in (written, written.with_suffix(".csv"), written.with_suffix(".html")):
                (self.folder / path.name).put(path)
        return self.folder / written.name

    def _claim_file(self, photo: str) -> RemotePath:
        return self.folder / CLAIMS / claim_name(photo)

    def _drop_claim(self, photo: str) -> None:
        for key in (photo, mask_key(photo)):
            with suppress(PhotoError):  # one that stays harms nothing
                self._claim_file(key).delete()

    def _claimed(self, photo: str, name: PurePosixPath) -> list[Stamp]:
        left = self._claim_file(photo).read()
        return [] if left is None else claimed_stamps(left, photo, name)


class RemoteJournal(Journal):
    """The journal of a folder elsewhere. ``add`` keeps rows back until ``INTERVAL`` has passed; ``flush`` and ``finish`` put them.

    A piece that cannot be put does not end the run: its rows go with the next one. Only the last one must go.
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
        self._kept: list[dict[str, Any]] = []
        self._flushed = time.monotonic()

    def add(self, row: dict[str, Any]) -> list[str]:
        with self._lock:
            self._note(row["input"], row)
            self._kept.append(row)
            if time.monotonic() - self._flushed < INTERVAL:
                return []
            try:
                return self._flush()
            except PhotoError as error:
                log.warning("%s", error)
                return []

    def flush(self) -> list[str]:
        with self._lock:
            return self._flush()

    def finish(self) -> list[str]:
        """One file of all rows in the place of the pieces: what copies the folder finds the journal of a folder on a disk."""
        with self._lock:
            safe = self._flush()
            (self.folder / JOURNAL_NAME).write(
                b"".join(row_line(row) for row in [*self.rows.values(), {"complete": True}])
            )
            for piece in (self.folder / JOURNAL_PIECES).files().values():
                piece.delete()
            return safe

    def _flush(self) -> list[str]:
        self._flushed = time.monotonic()
        kept, self._kept = self._kept, []
        if kept:
            try:
                (self.folder / JOURNAL_PIECES / f"{time.time_ns():020d}.jsonl").write(
                    b"".join(row_line(row) for row in kept)
                )
            except PhotoError:
                self._kept = kept + self._kept
                raise
        return [row["input"] for row in kept]


def _all_of(work: Callable[[Any], None], things: Iterable[Any]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(work, things))


def _fetch_if_possible(picture: RemotePath, path: Path) -> None:
    with suppress(PhotoError):  # the page leaves out what is not there
        picture.fetch(path)


def _content_stamp(content: bytes) -> Stamp:
    return [len(content), hashlib.sha256(content).hexdigest()]
