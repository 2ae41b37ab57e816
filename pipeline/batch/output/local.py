"""An output folder on this machine or a mounted share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...errors import UnwritableError
from ...report import previews
from ...report.files import REPORTS, write_reports
from ...report.preview_page import write_preview
from ...storage.layout import OWN, PREVIEWS
from ...storage.stamp import Stamp, content_hash, is_unchanged, mark
from ...system import lock
from ...system.atomic import Placement, atomic_write, copy_photo, remove_parts
from ...system.confined import is_link, link_message, remove
from .. import kept_mask
from ..journal import Journal, JournalRow
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
from .links import refuse_links_in_output

if TYPE_CHECKING:
    from ...report.page_memory import PageMemory
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
                self.folder / OWN,
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
        """Remove the photo's previews of an earlier run, and the mask that it kept."""
        previews.discard(self.folder, photo)
        kept_mask.discard(self.folder, photo)

    def store(self, file: Path, name: PurePosixPath) -> None:
        """Do nothing: the file is in its final place."""

    def claim(self, claim: Claim, part: Path) -> PurePosixPath | None:
        """Leave a claim, and keep the file that the part replaces.

        Raises:
            UnwritableError: a link or a foreign file has the name, or the file cannot be kept.
        """
        target, written = self.folder / claim.name, mark(part)
        if is_link(target):
            raise UnwritableError(link_message(target))
        is_ours = self._is_ours(claim)
        if os.path.lexists(target) and not is_ours and not self.overwrite:
            raise UnwritableError(foreign_file(target))
        current, kept = mark(target), None
        if current is not None and content_hash(current) != content_hash(written):
            # Of the file of a killed attempt, only the claim knows; the row is another file's.
            earlier = claim.earlier if is_unchanged(target, claim.ours) else None
            source = made_from(earlier or (claim.row if is_ours else None))
            path = replaced.keep(self.folder, claim.name, earlier, source)
            kept = None if path is None else PurePosixPath(path.relative_to(self.folder))
        placement, known = Placement(within=self.folder), current if is_ours else None
        file_name = self._claim_file(claim.photo)
        with atomic_write(file_name, durable=False, placement=placement) as file:
            file.write(claim_text(claim.photo, claim.name, written, known, claim.row))
        return kept

    def retire(self, claim: Claim) -> PurePosixPath | None:
        """Move the run's own file to the replaced ones."""
        target = self.folder / claim.name
        if is_link(target) or not is_unchanged(target, claim.ours):
            return None
        path = replaced.keep(self.folder, claim.name, claim.earlier, made_from(claim.earlier))
        with suppress(OSError):
            remove(target, self.folder)
        return None if path is None else PurePosixPath(path.relative_to(self.folder))

    def put_back(self, name: PurePosixPath, row: JournalRow, standing: JournalRow) -> bool:
        """Put the file of a row back under its name; the one that stands there is kept."""
        digest, target = content_hash(row.get("written")), self.folder / name
        if is_link(target):
            return False
        for version in replaced.versions(self.folder, name):
            if digest is None or not version.is_like(digest):
                continue
            if content_hash(mark(version.path)) == digest:

                def keep(_: Path, __: Path) -> None:
                    replaced.keep(self.folder, name, None, made_from(standing))

                placement = replace(Placement(self.folder).like(version.path), before=keep)
                copy_photo(version.path, target, placement=placement)
                return True
        return False

    def location(self, name: PurePosixPath) -> Path:
        """Return where a file of the folder lies."""
        return self.folder / name

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        """Return the current mark of a file."""
        return mark(self.folder / name)

    def standing(self) -> LocalStanding:
        """Return what stands in the folder: a disk answers for single files quickly."""
        return LocalStanding(self.folder)

    def left_claims(self) -> list[LeftClaim]:
        """Return the claims that a killed run left, whose files stand."""
        claims = []
        for file in sorted((self.folder / CLAIMS).glob("*.json")):
            with suppress(OSError):
                claims.append(left_claim(file.read_bytes(), self.standing().is_unchanged))
        return [claim for claim in claims if claim is not None]

    def kept(self) -> tuple[int, int]:
        """Return the number of replaced files that are kept, and their bytes."""
        return replaced.size(self.folder)

    def release(self, photos: Iterable[str]) -> None:
        """Remove the claims of photos and of their masks."""
        for photo in photos:
            for key in claim_keys(photo):
                with suppress(OSError, UnwritableError):
                    remove(self._claim_file(key), self.folder)

    def remove_redundant_claims(self, rows: Mapping[str, JournalRow]) -> None:
        """Remove leftover claims that add nothing to the journal's ``rows``."""
        for file in (self.folder / CLAIMS).glob("*.json"):
            with suppress(OSError, UnwritableError):
                if is_redundant(file.read_bytes(), rows, self.standing().is_unchanged):
                    remove(file, self.folder)
        # Fails unless it is empty. Not earlier: a claim in progress would find no folder.
        with suppress(OSError):
            (self.folder / CLAIMS).rmdir()

    def journal(self) -> Journal:
        """Return the journal, with the rows of earlier runs."""
        return Journal(self.folder)

    def keep_foreign_reports(self, names: Sequence[str] = REPORTS) -> list[str]:
        """Keep what stands under the names of reports and is none of this program's."""
        return replaced.keep_foreign_reports(self.folder, names)

    def report(
        self,
        run: RunEntry,
        entries: list[Entry],
        sources: Mapping[str, str],
        memory: PageMemory | None = None,
    ) -> Path:
        """Write the three reports, and return the file of ``report.json``."""
        return write_reports(self.folder, run, entries, sources, memory)

    def preview(self, run: RunEntry, entries: list[Entry]) -> Path:
        """Write the page on which a person picks who goes and who stays; returns its file."""
        return write_preview(self.folder, run, entries)

    def _claim_file(self, photo: str) -> Path:
        return self.folder / CLAIMS / claim_name(photo)

    def _is_ours(self, claim: Claim) -> bool:
        """Whether the journal or a claim knows the file that stands under the claim's name."""
        target = self.folder / claim.name
        if is_unchanged(target, claim.ours):
            return True
        try:
            text = self._claim_file(claim.photo).read_bytes()
        except OSError:
            return False
        stamps = claimed_stamps(text, claim.photo, claim.name)
        return any(is_unchanged(target, stamp) for stamp in stamps)


class LocalStanding:
    """What stands in a local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self, name: PurePosixPath) -> bool:
        """Whether anything has this name, a link too."""
        return os.path.lexists(self.folder / name)

    def link(self, name: PurePosixPath) -> str | None:
        """Return the message about the link that has this name; None if it is none."""
        path = self.folder / name
        return link_message(path) if is_link(path) else None

    def is_unchanged(self, name: PurePosixPath, recorded: Stamp | None) -> bool:
        """Whether the file under a name is the one whose stamp was recorded."""
        return is_unchanged(self.folder / name, recorded)
