"""Which photos of a folder have arrived: looked at again and again, never opened.

A file that another program still writes must not be cleaned. Nothing tells of that on every disk
and network share alike, so a photo counts as settled once its size and time have not changed for
some seconds, it is not empty, and neither its name nor a file beside it says that a download or a
synchronisation is under way.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from ..batch.find import Search
from ..batch.left_out import Exclusions
from ..storage.location import Location

#: What a file is recognised by while it is watched: size in bytes and modification time in ns.
Seen: TypeAlias = tuple[int, int]

#: Endings of unfinished files: of browsers, download managers, copy and synchronisation programs.
UNFINISHED = (
    *(".part", ".partial", ".crdownload", ".download", ".opdownload", ".!ut", ".!qb", ".!sync"),
    *(".tmp", ".temp", ".filepart", ".aria2", ".bts", ".sb", ".swp", ".icloud"),
)
#: A photo waits for long that has not changed for so many times the seconds in which one settles.
LONG = 12
#: How names of unfinished files begin that end as photos do. Hidden files are never photos.
_BEGINNINGS = ("~$", "~syncthing~", "unconfirmed ")


class Arrivals:
    """The photos below a folder, as they are seen from one look to the next.

    It remembers three numbers for each photo that is there, and nothing of one that is gone.

    Attributes:
        blocked: the photos that have not changed for long and wait only because a part lies beside.
    """

    def __init__(
        self,
        folder: Path,
        leave_out: Sequence[Location] = (),
        patterns: Sequence[str] = (),
        *,
        settle: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to watch a folder with all folders below it.

        Args:
            folder: the folder; what ``batch.find`` passes over is passed over here too.
            leave_out: folders that are not searched.
            patterns: files and folders to pass over, see ``left_out.Exclusions``.
            settle: for how many seconds a photo must not have changed.
            clock: a clock that never goes back. File times do not serve: another machine may have
                written them.
        """
        self.folder, self._leave_out, self._patterns = folder, tuple(leave_out), tuple(patterns)
        self._settle, self._clock = settle, clock
        self._since: dict[Path, tuple[Seen, float]] = {}
        self.blocked: set[Path] = set()

    def __len__(self) -> int:
        """Count the photos of the last look, settled or not."""
        return len(self._since)

    def look(self) -> dict[Path, Seen]:
        """Look at every photo, and return those that have settled."""
        now, before = self._clock(), self._since
        self._since, self.blocked, settled = {}, set(), {}
        for path in self._photos():
            if (seen := look_at(path)) is None:
                continue
            known = before.get(path)
            since = known[1] if known is not None and known[0] == seen else now
            self._since[path] = seen, since
            if now - since < self._settle or not seen[0]:
                continue
            if not _is_beside_unfinished(path):
                settled[path] = seen
            elif now - since >= LONG * self._settle:
                self.blocked.add(path)
        return settled

    def _photos(self) -> Iterator[Path]:
        search = Search(self._leave_out, str, Exclusions(self._patterns))
        for photo in search.photos([self.folder]):
            if isinstance(photo.source, Path) and not is_unfinished(photo.below_root):
                yield photo.source


def look_at(path: Path) -> Seen | None:
    """Return what a file is recognised by; None if it is no file, or is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def is_unfinished(name: PurePosixPath) -> bool:
    """Whether a photo's name below the folder, or a folder's above it, is a temporary one.

    ``a.jpg.part`` is no photo by its ending anyway; ``a.part.jpg`` is, and so is ``a.jpg`` in
    ``a.jpg.download``, the folder in which a browser collects its parts.
    """
    folded = [part.casefold() for part in name.parts]
    return (
        any(folder.endswith(UNFINISHED) for folder in folded[:-1])
        or folded[-1].startswith(_BEGINNINGS)
        or PurePosixPath(folded[-1]).stem.endswith(UNFINISHED)
    )


def unchanged(seen: Mapping[Path, Seen]) -> dict[Path, Seen]:
    """Return those of some files that are still as they were seen."""
    return {path: was for path, was in seen.items() if look_at(path) == was}


def _is_beside_unfinished(path: Path) -> bool:
    """Whether a part, or a note about missing parts, lies beside a photo and bears its name.

    Some programs write the photo itself with gaps, or an empty file in its place.
    """
    return any(os.path.lexists(f"{path}{ending}") for ending in UNFINISHED)
