"""TODO docstring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from ...storage.location import Location
from ...storage.stamp import Stamp
from ..journal import Journal

if TYPE_CHECKING:
    from ...report.schema import Entry, RunEntry


class Output(Protocol):
    """Where a run's files go. Workers use one photo's part of it, each in its own process; the driver the rest."""

    def hold(self, names: Iterable[PurePosixPath]) -> AbstractContextManager[None]:
        """A context in which no other run writes there, where that can be told; ``names`` are what this one writes.

        Raises:
            UsageError: another run does, or nothing can be written there.
        """

    def scratch_dir(self) -> AbstractContextManager[Path]:
        """A context that gives the folder in which one photo's files are written."""

    def place(self, scratch_dir: Path, name: PurePosixPath) -> Path:
        """The file on the scratch_dir that becomes ``name`` of the output."""

    def clear(self, name: str, *, seen: bool) -> None:
        """Remove the small pictures that an earlier run, if it has ``seen`` the photo, left of it."""

    def keep(self, file: Path, name: PurePosixPath) -> None:
        """Make a file of the scratch_dir stand in the output, whatever was there. Raises ``UnwritableError``."""

    def claim(self, photo: str, name: PurePosixPath, part: Path, ours: Stamp | None) -> None:
        """Make ready for a photo's result, whole in ``part``, to become ``name``; ``ours`` is the stamp of what the journal knows there.

        Its mask is claimed likewise, as the result of ``mask_key(photo)``.

        Raises:
            UnwritableError: somebody else's file is in the way.
        """

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        """Of a file of the output as it is now."""

    def existing(self) -> Callable[[PurePosixPath], Stamp | None]:
        """``stamp`` of many files for the driver, which may look at all of them at once."""

    def release(self, photos: Iterable[str]) -> None:
        """The journal knows these: their claims are not needed."""

    def settle(self, rows: Mapping[str, dict[str, Any]]) -> None:
        """The run is over, and these are the journal's rows: take away the claims that are left and not needed."""

    def journal(self) -> Journal:
        """The rows of earlier runs, and where those of this one go."""

    def report(self, run: RunEntry, entries: list[Entry]) -> Location:
        """Write the three reports; gives where ``report.json`` stands."""
