"""An output folder on this machine or a mounted share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...errors import UnwritableError
from ...report import previews
from ...report.files import write_reports
from ...storage.layout import PREVIEWS
from ...storage.stamp import Stamp, stamp
from ...system import lock
from ...system.atomic import Placement, atomic_write, remove_parts
from ...system.confined import remove
from ..journal import Journal, JournalRow
from .claims import (
    CLAIMS,
    claim_name,
    claim_text,
    claimed_stamps,
    foreign_file,
    is_redundant,
    mask_key,
)
from .links import refuse_links_in_output

if TYPE_CHECKING:
    from ...report.schema import Entry, RunEntry


class LocalOutput:
    """A local folder. It is its own scratch folder: files are written in their final place."""

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        self.folder, self.overwrite = folder, overwrite

    def __str__(self) -> str:
        return str(self.folder)

    @contextmanager
    def hold(self, names: Iterable[PurePosixPath]) -> Iterator[None]:
        """Lock the folder; first remove the unfinished files of a run that died in it."""
        names = list(names)

        def tidy() -> None:
            for folder in {
                self.folder,
                self.folder / PREVIEWS,
                self.folder / CLAIMS,
                *((self.folder / name).parent for name in names),
            }:
                remove_parts(folder, self.folder)

        refuse_links_in_output(self.folder, names)
        with lock.folder_lock(self.folder, tidy):
            yield

    @contextmanager
    def scratch_dir(self) -> Iterator[Path]:
        """Yield the output folder itself."""
        yield self.folder

    def scratch_path(self, scratch_dir: Path, name: PurePosixPath) -> Path:
        """Return the final file."""
        return scratch_dir / name

    def discard_previews(self, photo: str, *, seen: bool) -> None:
        """Remove the photo's previews of an earlier run."""
        previews.discard(self.folder, photo)

    def store(self, file: Path, name: PurePosixPath) -> None:
        """Do nothing: the file is in its final place."""

    def claim(self, photo: str, name: PurePosixPath, part: Path, ours: Stamp | None) -> None:
        """Leave a claim.

        Raises:
            UnwritableError: a foreign file exists under the name.
        """
        target = self.folder / name
        current = stamp(target)
        is_ours = current is not None and (
            current == ours or current in self._claimed_stamps(photo, name)
        )
        if os.path.lexists(target) and not is_ours and not self.overwrite:
            raise UnwritableError(foreign_file(target))
        # A rename keeps size and time, so the part's stamp is the result's.
        placement = Placement(within=self.folder)
        with atomic_write(self._claim_file(photo), durable=False, placement=placement) as file:
            file.write(claim_text(photo, name, stamp(part), current if is_ours else None))

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        """Return the current stamp of a file."""
        return stamp(self.folder / name)

    def stamp_lookup(self) -> Callable[[PurePosixPath], Stamp | None]:
        """Return ``stamp``: a disk answers for single files quickly."""
        return self.stamp

    def release(self, photos: Iterable[str]) -> None:
        """Remove the claims of photos and of their masks."""
        for photo in photos:
            for key in (photo, mask_key(photo)):
                with suppress(OSError, UnwritableError):
                    remove(self._claim_file(key), self.folder)

    def remove_redundant_claims(self, rows: Mapping[str, JournalRow]) -> None:
        """Remove leftover claims that add nothing to the journal's ``rows``."""
        for file in (self.folder / CLAIMS).glob("*.json"):
            with suppress(OSError, UnwritableError):
                if is_redundant(file.read_bytes(), rows, self.stamp):
                    remove(file, self.folder)
        # Fails unless it is empty. Not earlier: a claim in progress would find no folder.
        with suppress(OSError):
            (self.folder / CLAIMS).rmdir()

    def journal(self) -> Journal:
        """Return the journal, with the rows of earlier runs."""
        return Journal(self.folder)

    def report(self, run: RunEntry, entries: list[Entry]) -> Path:
        """Write the three reports, and return the file of ``report.json``."""
        return write_reports(self.folder, run, entries)

    def _claim_file(self, photo: str) -> Path:
        return self.folder / CLAIMS / claim_name(photo)

    def _claimed_stamps(self, photo: str, name: PurePosixPath) -> list[Stamp]:
        try:
            return claimed_stamps(self._claim_file(photo).read_bytes(), photo, name)
        except OSError:
            return []
