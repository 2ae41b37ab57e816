"""The interface of an output folder, local or remote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from ...storage.location import Location
from ...storage.stamp import Stamp
from ..journal import Journal, JournalRow

if TYPE_CHECKING:
    from ...report.schema import Entry, RunEntry


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
        """Remove a photo's previews of an earlier run; ``seen``: the journal knows the photo."""

    def store(self, file: Path, name: PurePosixPath) -> None:
        """Make a file of the scratch folder available as ``name``, replacing an earlier one.

        Raises:
            UnwritableError: it cannot be written.
        """

    def claim(self, photo: str, name: PurePosixPath, part: Path, ours: Stamp | None) -> None:
        """Prepare for the complete file ``part`` to become ``name``.

        A mask is claimed likewise, for ``mask_key(photo)``.

        Args:
            photo: the photo's name in the report.
            name: the result's name.
            part: the complete result, under a temporary name.
            ours: the stamp of the file that the journal knows under this name.

        Raises:
            UnwritableError: a file exists there that no run of ours wrote.
        """

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        """Return the current stamp of a file."""

    def stamp_lookup(self) -> Callable[[PurePosixPath], Stamp | None]:
        """Return a ``stamp`` for many files, which may list the whole folder once."""

    def release(self, photos: Iterable[str]) -> None:
        """Remove the claims of photos whose rows are durable in the journal."""

    def remove_redundant_claims(self, rows: Mapping[str, JournalRow]) -> None:
        """Remove leftover claims that add nothing to ``rows``, the journal of a finished run."""

    def journal(self) -> Journal:
        """Return the journal, with the rows of earlier runs."""

    def report(self, run: RunEntry, entries: list[Entry]) -> Location:
        """Write the three reports, and return the location of ``report.json``."""
