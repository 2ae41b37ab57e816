"""The interface of an output folder, local or remote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from ...report.files import REPORTS
from ...storage.location import Location
from ...storage.stamp import Stamp
from ..journal import Journal, JournalRow
from .claims import Claim, LeftClaim

if TYPE_CHECKING:
    from ...report.page_memory import PageMemory
    from ...report.schema import Entry, RunEntry


class Standing(Protocol):
    """What stands in an output folder, for questions about many files."""

    def exists(self, name: PurePosixPath) -> bool:
        """Whether anything has this name, a link too."""

    def link(self, name: PurePosixPath) -> str | None:
        """Return the message about the link that has this name; None if it is none."""

    def is_unchanged(self, name: PurePosixPath, recorded: Stamp | None) -> bool:
        """Whether the file under a name is the one whose stamp was recorded."""


class Output(Protocol):
    """An output folder.

    Workers use the methods that concern one photo, each in its own process; the driver uses the
    others. Names are relative to the output folder.
    """

    def hold(self, names: Iterable[PurePosixPath]) -> AbstractContextManager[None]:
        """Keep other runs out of the folder for the block, where that is possible.

        Args:
            names: the files that this run writes.

        Raises:
            UsageError: another run writes there, or nothing can be written there.
        """

    def scratch_dir(self) -> AbstractContextManager[Path]:
        """Give a local folder for the block, in which one photo's files are written."""

    def scratch_path(self, scratch_dir: Path, name: PurePosixPath) -> Path:
        """Return the file in the scratch folder that becomes ``name``."""

    def discard_previews(self, photo: str, *, seen: bool) -> None:
        """Remove what shows a photo's earlier result: previews, and the mask kept for the board.

        ``seen``: the journal knows the photo.
        """

    def store(self, file: Path, name: PurePosixPath) -> None:
        """Make a file of the scratch folder available as ``name``, replacing an earlier one.

        Raises:
            UnwritableError: it cannot be written.
        """

    def claim(self, claim: Claim, part: Path) -> PurePosixPath | None:
        """Prepare for the complete file ``part`` to become ``claim.name``.

        A file with another content that it replaces is kept first, see
        ``pipeline.batch.output.replaced``.

        Returns:
            The name of the kept file in the output folder; None if none was replaced.

        Raises:
            UnwritableError: a link, or a file that no run of ours wrote, is there, or the file
                cannot be kept.
        """

    def retire(self, claim: Claim) -> PurePosixPath | None:
        """Move the run's own file ``claim.name`` to the replaced ones, if it is unchanged.

        Returns:
            The name of the kept file in the output folder; None if there was none of ours.
        """

    def put_back(self, name: PurePosixPath, row: JournalRow, standing: JournalRow) -> bool:
        """Undo what a killed run did to a result that it continued.

        Args:
            name: the result's name.
            row: the journal's row about the earlier result.
            standing: what the claim says of the file that stands there; that file is kept.

        Returns:
            Whether the earlier result was kept, and stands again.
        """

    def location(self, name: PurePosixPath) -> Location:
        """Return where a file of the folder lies."""

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        """Return the current stamp of a file; of a local one its mark."""

    def standing(self) -> Standing:
        """Return what stands in the folder; it may list the whole folder once."""

    def left_claims(self) -> list[LeftClaim]:
        """Return the claims that a killed run left, whose files stand."""

    def kept(self) -> tuple[int, int]:
        """Return the number of replaced files that are kept, and their bytes."""

    def release(self, photos: Iterable[str]) -> None:
        """Remove the claims of photos whose rows are durable in the journal."""

    def remove_redundant_claims(self, rows: Mapping[str, JournalRow]) -> None:
        """Remove leftover claims that add nothing to ``rows``, the journal of a finished run."""

    def journal(self) -> Journal:
        """Return the journal, with the rows of earlier runs."""

    def keep_foreign_reports(self, names: Sequence[str] = REPORTS) -> list[str]:
        """Keep what stands under the names of reports and is none of this program's.

        Returns:
            A sentence about each of these files.

        Raises:
            UnwritableError: one cannot be kept.
        """

    def report(
        self,
        run: RunEntry,
        entries: list[Entry],
        sources: Mapping[str, str],
        memory: PageMemory | None = None,
    ) -> Location:
        """Write the three reports, and return the location of ``report.json``.

        Args:
            run: the report's ``run``.
            entries: its photos.
            sources: the path or the address of each original, by the photo's name.
            memory: of the page that this process wrote before, if there was one.
        """

    def preview(self, run: RunEntry, entries: list[Entry]) -> Location:
        """Write the page on which a person picks who goes and who stays; returns its location."""
