"""An output folder on this machine or a mounted share: what is written there, and how a file of ours is told from somebody else's.

Before a photo takes its name a *claim* is left: whose it is, the stamp it will have, and that of the file of ours that it replaces. Whoever
dies between the photo and the journal's line leaves the claim behind, so the next try replaces its own file and refuses every other,
however often it dies there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...errors import UnwritableError
from ...report import previews
from ...report.files import write_reports
from ...storage.layout import PREVIEWS
from ...storage.stamp import Stamp, stamp
from ...system import lock
from ...system.atomic import atomic_write, remove_parts
from ..journal import Journal
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


class LocalOutput:
    """A folder of this machine. Files are written where they stay."""

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        self.folder, self.overwrite = folder, overwrite

    def __str__(self) -> str:
        return str(self.folder)

    @contextmanager
    def hold(self, names: Iterable[PurePosixPath]) -> Iterator[None]:
        def tidy() -> None:
            for folder in {
                self.folder,
                self.folder / PREVIEWS,
                self.folder / CLAIMS,
                *((self.folder / name).parent for name in names),
            }:
                remove_parts(folder)

        with lock.folder_lock(self.folder, tidy):
            yield

    @contextmanager
    def scratch_dir(self) -> Iterator[Path]:
        yield self.folder

    def place(self, scratch_dir: Path, name: PurePosixPath) -> Path:
        return scratch_dir / name

    def clear(self, name: str, *, seen: bool) -> None:
        previews.discard(self.folder, name)

    def keep(self, file: Path, name: PurePosixPath) -> None:
        """It stands there already."""

    def claim(self, photo: str, name: PurePosixPath, part: Path, ours: Stamp | None) -> None:
        target = self.folder / name
        found = stamp(target)
        own = found is not None and (found == ours or found in self._claimed(photo, name))
        if target.exists() and not own and not self.overwrite:
            raise UnwritableError(foreign_file(target))
        # A rename keeps size and time: the part's stamp is the photo's.
        with atomic_write(self._claim_file(photo), durable=False) as file:
            file.write(claim_text(photo, name, stamp(part), found if own else None))

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        return stamp(self.folder / name)

    def existing(self) -> Callable[[PurePosixPath], Stamp | None]:
        return self.stamp

    def release(self, photos: Iterable[str]) -> None:
        for photo in photos:
            for key in (photo, mask_key(photo)):
                with suppress(OSError):
                    self._claim_file(key).unlink()

    def settle(self, rows: Mapping[str, dict[str, Any]]) -> None:
        for file in (self.folder / CLAIMS).glob("*.json"):
            with suppress(OSError):
                if is_redundant(file.read_bytes(), rows, self.stamp):
                    file.unlink()
        with suppress(OSError):
            (
                self.folder / CLAIMS
            ).rmdir()  # only when it is empty; and only now, or one that is just being made would find no folder

    def journal(self) -> Journal:
        return Journal(self.folder)

    def report(self, run: RunEntry, entries: list[Entry]) -> Path:
        return write_reports(self.folder, run, entries)

    def _claim_file(self, photo: str) -> Path:
        return self.folder / CLAIMS / claim_name(photo)

    def _claimed(self, photo: str, name: PurePosixPath) -> list[Stamp]:
        try:
            return claimed_stamps(self._claim_file(photo).read_bytes(), photo, name)
        except OSError:
            return []
