"""The other photos of a series, as a worker or the board loads them: each when it is asked for.

What does not depend on the photo that is being cleaned is kept in a small memory: what is removed
from a photo, where it does not show the place, and what its features are. So a photo is segmented
about once, to be cleaned and for all photos whose neighbour it is.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ..errors import OutputError, PhotoError, UnreadableError
from ..inpaint.series.alignment import Features, features_of
from ..removal.progress import Progress, no_progress
from ..removal.recall import Decision, Recall
from ..removal.request import Removal
from ..removal.selection import Sighting
from ..removal.series import Hidden, SeriesPhoto
from ..storage.fetch import local_copy
from ..storage.location import Location, is_same_file, location_mark, location_stamp
from ..storage.stamp import Stamp, fingerprint
from ..types import Mask, Outcome, Photo, Pixels

if TYPE_CHECKING:
    from ..remover import ObjectRemover

#: Bytes that are remembered of what was found out about photos, some 1.5 MB of each, however large
#: it is; and bytes of decoded ones.
REMEMBERED, DECODED = 64 << 20, 64 << 20

_Value = TypeVar("_Value")


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


class _Store:
    """Values by keys, the oldest of which are forgotten. Threads may share it.

    Args:
        size: in bytes, at most.
    """

    def __init__(self, size: int) -> None:
        self._size, self._used = size, 0
        self._values: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._lock, self._busy = threading.Lock(), dict[str, threading.Lock]()

    def get(self, key: str, look: Callable[[], tuple[_Value, int]]) -> _Value:
        """Return the value of a key; else ``look``, once for all threads that ask.

        Args:
            key: tells everything that the value depends on.
            look: returns the value and its bytes. What does not fit is not kept.
        """
        with self._busy_with(key):
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return cast("_Value", self._values[key][0])
            value, size = look()
            if size <= self._size:
                with self._lock:
                    self._values[key] = value, size
                    self._used += size
                    while self._used > self._size:
                        self._used -= self._values.popitem(last=False)[1][1]
            return value

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


class Memory:
    """Remembers what was found out last about a worker's photos. Threads may share it.

    Args:
        size: of it, in bytes, at most.
        decoded: the same of the photos themselves.
    """

    def __init__(self, size: int = REMEMBERED, decoded: int = 0) -> None:
        self._found, self._photos = _Store(size), _Store(decoded)
        self._lock, self._looked_at = threading.Lock(), Counter[str]()

    @contextmanager
    def looking_at(self, photo: str) -> Iterator[None]:
        """Tell other threads that this one finds something out about a photo."""
        with self._lock:
            self._looked_at[photo] += 1
        try:
            yield
        finally:
            with self._lock:
                self._looked_at -= Counter([photo])

    def is_looked_at(self, photo: str) -> bool:
        """Whether a thread is finding something out about a photo, for which others would wait."""
        with self._lock:
            return self._looked_at[photo] > 0

    def packed(self, key: str, look: Callable[[], _Value]) -> _Value:
        """Return what is remembered under a key; else ``look``, as in ``_Store``.

        It is kept small, since masks are mostly the same over wide areas, and each who asks later
        has a copy of his own.
        """
        fresh: list[_Value] = []

        def pack() -> tuple[bytes, int]:
            fresh.append(look())
            content = zlib.compress(pickle.dumps(fresh[0], pickle.HIGHEST_PROTOCOL), 1)
            return content, len(content)

        content = self._found.get(key, pack)
        # What this process packed itself, never a file's content.
        return fresh[0] if fresh else cast("_Value", pickle.loads(zlib.decompress(content)))

    def features(self, key: str, rgb: Pixels, covered: Mask) -> Features:
        """As ``features_of``; ``key`` tells the photo, of which the features are remembered."""

        def look() -> tuple[Features, int]:
            found = features_of(rgb, covered)
            return found, found.points.nbytes + found.described.nbytes

        digest = hashlib.sha256(np.packbits(covered).tobytes()).hexdigest()
        return self._found.get(fingerprint("features", key, covered.shape, digest), look)

    def photo(self, key: str, read: Callable[[], Photo]) -> Photo:
        """Return a decoded photo, which nobody may change; else ``read``, as in ``_Store``."""

        def look() -> tuple[Photo, int]:
            photo = read()
            alpha = 0 if photo.alpha is None else photo.alpha.nbytes
            return photo, photo.rgb.nbytes + alpha

        return self._photos.get(key, look)


class Recollection:
    """What a worker remembers of one photo: a ``removal.recall.Recall``.

    Args:
        memory: the worker's.
        photo: the text by which the journal knows the photo's file.
        mark: the file's mark.
        mask: the mark of its own mask; None if it has none.
        settings: what else decides what is removed, if the worker's own settings do not.
        stays: whether somebody may stay in the photo, so that what is found in it is asked for
            twice: who goes from it, and what covers the place.
    """

    def __init__(
        self,
        memory: Memory,
        photo: str,
        mark: Stamp | None,
        mask: Stamp | None,
        settings: Sequence[str] = (),
        *,
        stays: bool = False,
    ) -> None:
        self._memory, self._file, self._stays = memory, fingerprint(photo, mark), stays
        self._photo = photo
        self._key = fingerprint(photo, mark, mask, settings)

    def decision(self, decide: Callable[[], Decision]) -> Decision:
        """As in ``Recall``."""
        with self._memory.looking_at(self._photo):
            return self._memory.packed(f"decision {self._key}", decide)

    def sighting(self, look: Callable[[], Sighting | None]) -> Sighting | None:
        """As in ``Recall``."""
        return self._memory.packed(f"sighting {self._key}", look) if self._stays else look()

    def hidden(self, look: Callable[[], Hidden]) -> Hidden:
        """Where the photo does not show the place."""
        return self._memory.packed(f"hidden {self._key}", look)

    def photo(self, read: Callable[[], Photo]) -> Photo:
        """The photo itself."""
        return self._memory.photo(self._file, read)

    def features(self, rgb: Pixels, covered: Mask) -> Features:
        """As in ``Recall``."""
        return self._memory.features(self._file, rgb, covered)


class NeighbourPhotos:
    """The neighbours of one photo that is being cleaned: a ``removal.series.SeriesPhotos``.

    Args:
        neighbours: nearest in time first.
        read: decodes a local file.
        hidden: where a photo does not show the place, by the photo, its own mask and what is
            remembered of it.
        memory: the worker's.
        fixed: whether the camera did not move, so that nothing needs features.
        classes: what ``hidden`` depends on besides the photo and its mask.
        unmarked: whether they may show what goes, see ``SeriesPhoto``.
        stays: whether somebody may stay in them when they are cleaned themselves.

    Attributes:
        marks: of the photos that were loaded, and of their own masks, by their names.
        warnings: a sentence about each neighbour that was left out.
    """

    def __init__(
        self,
        neighbours: tuple[Neighbour, ...],
        read: Callable[[Any], Photo],
        hidden: Callable[[Photo, Location | None, Recall], Hidden],
        memory: Memory,
        *,
        fixed: bool,
        classes: tuple[str, ...] = (),
        unmarked: bool = False,
        stays: bool = False,
    ) -> None:
        self._neighbours, self._read, self._hidden = neighbours, read, hidden
        self._memory, self._fixed = memory, fixed
        self._classes, self._unmarked, self._stays = classes, unmarked, stays
        self.marks: dict[str, tuple[Stamp | None, Stamp | None]] = {}
        self._left_out: dict[str, str] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence about each neighbour that was left out."""
        names = [each.name for each in self._neighbours if each.name in self._left_out]
        return tuple(self._left_out[name] for name in names)

    def __iter__(self) -> Iterator[SeriesPhoto]:
        """Load one after the other; what cannot be read, or has changed, is left out.

        The photos of a series have mostly the same neighbours. One that another thread looks at
        comes later: instead of waiting for it, this thread looks at one that nobody looks at.
        """
        waiting = [
            each for each in enumerate(self._neighbours) if each[1].name not in self._left_out
        ]
        while waiting:
            rank, neighbour = waiting.pop(self._first_free([each for _, each in waiting]))
            try:
                with self._memory.looking_at(neighbour.key):
                    loaded = self._load(neighbour, rank)
            except OutputError:
                raise
            except (PhotoError, OSError) as error:
                self._left_out[neighbour.name] = (
                    f"the photo {neighbour.name} of its series was left out: {error}"
                )
                continue
            yield loaded
            del loaded  # the next one is loaded when this one is no longer in memory

    def _first_free(self, waiting: Sequence[Neighbour]) -> int:
        """The place of the first photo that nobody looks at; of the first, if there is none."""
        free = (i for i, each in enumerate(waiting) if not self._memory.is_looked_at(each.key))
        return next(free, 0)

    def _load(self, neighbour: Neighbour, rank: int) -> SeriesPhoto:
        if location_stamp(neighbour.source) != neighbour.stamp:
            raise UnreadableError(_what_happened(neighbour.source, "since it was found"))
        mark = location_mark(neighbour.source)
        own = None if neighbour.mask is None else location_mark(neighbour.mask)
        recall = Recollection(
            self._memory, neighbour.key, mark, own, self._classes, stays=self._stays
        )

        def read() -> Photo:
            with local_copy(neighbour.source) as file:
                return self._read(file)

        photo = recall.photo(read)
        hidden = recall.hidden(lambda: self._hidden(photo, neighbour.mask, recall))
        features = None if self._fixed else recall.features(photo.rgb, hidden.covered)
        if not is_same_file(neighbour.source, mark):
            raise UnreadableError(_what_happened(neighbour.source, "while it was read"))
        self.marks[neighbour.name] = mark, own
        return SeriesPhoto(neighbour.name, photo.rgb, hidden, features, self._unmarked, rank)

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
    recall: Recall | None = None,
) -> tuple[Outcome, dict[str, Any]]:
    """Clean a photo with what its neighbours show; the last three arguments see ``clean``.

    Returns:
        The outcome, with a warning about each neighbour that was left out, and what the journal's
        row says of those that lent something.
    """
    outcome = remover.clean(photo, removal, progress=progress, series=others, recall=recall)
    row = others.row(outcome)
    return replace(outcome, warnings=(*outcome.warnings, *others.warnings)), row


def hidden_in(
    remover: ObjectRemover,
    photo: Photo,
    classes: Sequence[str],
    own: Mask | None,
    recall: Recall | None = None,
) -> Hidden:
    """Where a photo of a series does not show the place.

    Args:
        remover: has the settings, which say what goes along.
        photo: the photo.
        classes: that are looked for where there is no ``own``.
        own: its own mask, HW bool.
        recall: what is remembered of it.
    """
    return remover.hidden(photo, Removal.from_settings(remover.settings, classes, own), recall)


def _what_happened(source: Location, when: str) -> str:
    """What is said of a file that is not the one that it was."""
    if location_stamp(source) is None:
        return f"{source}: went missing {when}"
    return f"{source}: changed {when}"


def _borrowed(hole: Any) -> dict[str, float]:
    """Shares of a hole by the names of the photos that they were borrowed from."""
    return {name: share for name, share in hole.borrowed.items() if share > 0}
