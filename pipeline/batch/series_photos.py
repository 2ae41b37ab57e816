"""The other photos of a series, as a worker or the board loads them: each when it is asked for.

What does not depend on the photo that is being cleaned is kept in a small memory: where a photo
does not show the place, and what its features are. So a photo is segmented about once for all
photos whose neighbour it is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, PhotoError, UnreadableError
from ..inpaint.series.alignment import Features, features_of
from ..removal.progress import Progress, no_progress
from ..removal.request import Removal
from ..removal.series import Hidden, SeriesPhoto
from ..storage.fetch import local_copy
from ..storage.location import Location, is_same_file, location_mark, location_stamp
from ..storage.stamp import Stamp, fingerprint
from ..types import Mask, Outcome, Photo

if TYPE_CHECKING:
    from ..remover import ObjectRemover

#: Photos of which a worker remembers where they do not show the place.
REMEMBERED = 12


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another photo of a photo's series.

    Attributes:
        name: its name in the report.
        key: the text by which the journal knows its file, see ``sources.source_key``.
        source: its file.
        mask: the user's own mask of it; None if it has none.
        stamp: the stamp of its file when the series was looked for.
    """

    name: str
    key: str
    source: Location
    mask: Location | None
    stamp: Stamp | None


class _Seen(NamedTuple):
    """What is remembered of a photo: what hides its place (two masks, packed to bits), features."""

    shape: tuple[int, int]
    bits: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    features: Features | None

    @property
    def hidden(self) -> Hidden:
        count = self.shape[0] * self.shape[1]
        return Hidden(
            *(
                np.unpackbits(each, count=count).reshape(self.shape).astype(bool)
                for each in self.bits
            )
        )


class Memory:
    """Remembers the last few photos of which a worker was asked. Threads may share it."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size, self._seen = size, OrderedDict[str, _Seen]()
        self._lock, self._busy = threading.Lock(), dict[str, threading.Lock]()

    def seen(self, key: str, look: Callable[[], tuple[Hidden, Features | None]]) -> _Seen:
        """Return what is remembered under a key; else ``look``, once for all threads that ask."""
        with self._busy_with(key):
            with self._lock:
                if key in self._seen:
                    self._seen.move_to_end(key)
                    return self._seen[key]
            hidden, features = look()
            shape = hidden.covered.shape[0], hidden.covered.shape[1]
            seen = _Seen(shape, (np.packbits(hidden[0]), np.packbits(hidden[1])), features)
            with self._lock:
                self._seen[key] = seen
                while len(self._seen) > self._size:
                    self._seen.popitem(last=False)
            return seen

    @contextmanager
    def _busy_with(self, key: str) -> Iterator[None]:
        """Let one thread at a time look at a photo."""
        with self._lock:
            lock = self._busy.setdefault(key, threading.Lock())
        try:
            with lock:
                yield
        finally:
            with self._lock:
                self._busy.pop(key, None)


class NeighbourPhotos:
    """The neighbours of one photo that is being cleaned: a ``removal.series.SeriesPhotos``.

    Args:
        neighbours: nearest in time first.
        read: decodes a local file.
        hidden: where a photo does not show the place, by the photo and its own mask.
        memory: the worker's.
        fixed: whether the camera did not move, so that nothing needs features.
        classes: what ``hidden`` depends on besides the photo and its mask.
        unmarked: whether they may show what goes, see ``SeriesPhoto``.

    Attributes:
        marks: of the photos that were loaded, and of their own masks, by their names.
        warnings: a sentence about each neighbour that was left out.
    """

    def __init__(
        self,
        neighbours: tuple[Neighbour, ...],
        read: Callable[[Any], Photo],
        hidden: Callable[[Photo, Location | None], Hidden],
        memory: Memory,
        *,
        fixed: bool,
        classes: tuple[str, ...] = (),
        unmarked: bool = False,
    ) -> None:
        self._neighbours, self._read, self._hidden = neighbours, read, hidden
        self._memory, self._fixed = memory, fixed
        self._classes, self._unmarked = classes, unmarked
        self.marks: dict[str, tuple[Stamp | None, Stamp | None]] = {}
        self._left_out: dict[str, str] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence about each neighbour that was left out."""
        return tuple(self._left_out.values())

    def __iter__(self) -> Iterator[SeriesPhoto]:
        """Load one after the other; what cannot be read, or has changed, is left out."""
        for neighbour in self._neighbours:
            if neighbour.name in self._left_out:
                continue
            try:
                loaded = self._load(neighbour)
            except OutputError:
                raise
            except (PhotoError, OSError) as error:
                self._left_out[neighbour.name] = (
                    f"the photo {neighbour.name} of its series was left out: {error}"
                )
                continue
            yield loaded
            del loaded  # the next one is loaded when this one is no longer in memory

    def _load(self, neighbour: Neighbour) -> SeriesPhoto:
        if location_stamp(neighbour.source) != neighbour.stamp:
            raise UnreadableError(f"{neighbour.source}: changed since it was found")
        mark = location_mark(neighbour.source)
        with local_copy(neighbour.source) as file:
            photo = self._read(file)
        own = None if neighbour.mask is None else location_mark(neighbour.mask)

        def look() -> tuple[Hidden, Features | None]:
            hidden = self._hidden(photo, neighbour.mask)
            return hidden, None if self._fixed else features_of(photo.rgb, hidden.covered)

        key = fingerprint(neighbour.key, mark, own, self._classes, self._fixed)
        seen = self._memory.seen(key, look)
        if not is_same_file(neighbour.source, mark):
            raise UnreadableError(f"{neighbour.source}: changed while it was read")
        self.marks[neighbour.name] = mark, own
        return SeriesPhoto(neighbour.name, photo.rgb, seen.hidden, seen.features, self._unmarked)

    def row(self, outcome: Outcome) -> dict[str, Any]:
        """Return what the journal's row says of the neighbours, if any contributed to the result.

        Args:
            outcome: of the photo, with what its holes borrowed.
        """
        names = {name for hole in outcome.holes for name in _borrowed(hole)}
        if not names:
            return {}
        return {
            "neighbours": [each.name for each in self._neighbours],
            "borrowed": {
                each.name: [each.key, *self.marks[each.name]]
                for each in self._neighbours
                if each.name in names
            },
        }


def clean_by_series(
    remover: ObjectRemover,
    photo: Photo,
    removal: Removal,
    others: NeighbourPhotos,
    progress: Progress = no_progress,
) -> tuple[Outcome, dict[str, Any]]:
    """Clean a photo with what its neighbours show; the last two arguments see ``clean``.

    Returns:
        The outcome, with a warning about each neighbour that was left out, and what the journal's
        row says of those that lent something.
    """
    outcome = remover.clean(photo, removal, progress=progress, series=others)
    row = others.row(outcome)
    return replace(outcome, warnings=(*outcome.warnings, *others.warnings)), row


def hidden_in(
    remover: ObjectRemover, photo: Photo, classes: Sequence[str], own: Mask | None
) -> Hidden:
    """Where a photo of a series does not show the place.

    Args:
        remover: has the settings, which say what goes along.
        photo: the photo.
        classes: that are looked for where there is no ``own``.
        own: its own mask, HW bool.
    """
    return remover.hidden(photo, Removal.from_settings(remover.settings, classes, own))


def _borrowed(hole: Any) -> dict[str, float]:
    """Shares of a hole by the names of the photos that they were borrowed from."""
    return {name: share for name, share in hole.borrowed.items() if share > 0}
