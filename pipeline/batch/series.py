"""Which photos of a run are one series: photos of one place, taken one after the other.

Photos of one folder may be a series if one camera took them within minutes, by their EXIF, or, if
they have no EXIF (the frames of a video), if their names count on. Of those, what has the same size
and looks alike in a small picture (``likeness``) are a photo's neighbours. They are nominated here;
whether a neighbour really shows what a photo hides is decided when it is aligned.

Nothing is read before it is asked for: a run that has nothing left to do opens no photo.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import PhotoError, RemoveObjectsError
from ..images import read_glance
from ..images.taken import HEAD, Taken, taken_of
from ..storage.fetch import local_copy
from ..storage.location import Location, RemotePath, location_stamp
from ..types import FloatArray
from .likeness import are_alike, outlines
from .scan import PlannedPhoto
from .series_photos import Neighbour
from .settings import BatchSettings

#: Neighbours of a photo at most, and of how many photos, nearest in time first, they are chosen.
MOST, LOOKED_AT = 8, 12
#: If none of so many nearest photos looks alike, nor will those further away.
_NEAREST = 4
#: With ``--series fixed``, where only the size is to be the same.
_LOOKED_AT_FIXED = 32
#: Greatest distance in seconds between neighbours whose times are known.
WINDOW = 600.0
#: Pictures, and pairs of them, that are remembered; a folder is gone through in order.
_PICTURES, _PAIRS = 256, 4096
#: So many pictures are read at once, ahead of the photo that is asked about: of a disk, of a store.
_AHEAD, _READERS, _READERS_OF_A_STORE = 16, 2, 16
#: Bytes of a store's file in which EXIF is looked for.
_REMOTE_HEAD = 1 << 17
_NUMBER = re.compile(r"(\d{1,15})(\D*)$")


class _Look(NamedTuple):
    """A photo's size, (height, width) in pixels, and its outlines."""

    size: tuple[int, int]
    picture: FloatArray


@dataclass(frozen=True, slots=True)
class _Member:
    """A photo of a sequence.

    Attributes:
        photo: the photo.
        at: its place in time: seconds, or a number that counts photos.
        is_timed: whether ``at`` is in seconds.
    """

    photo: PlannedPhoto
    at: float
    is_timed: bool


#: Photos that may be neighbours of each other, by ``at``.
_Sequence = list[_Member]


class SeriesFinder:
    """Finds the neighbours of a run's photos.

    The order in which photos are given or asked about changes nothing.

    Args:
        photos: of the plan.
        batch: the settings of the folder.
        stop: whether the run was asked to stop; then nothing further is read.
    """

    def __init__(
        self,
        photos: Iterable[PlannedPhoto],
        batch: BatchSettings,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._batch, self._stop = batch, stop
        self._fixed = batch.series == "fixed"
        self._folders: dict[str, list[PlannedPhoto]] = defaultdict(list)
        for photo in photos:
            if not photo.missing:
                self._folders[_folder(photo)].append(photo)
        self._sequences: dict[str, tuple[_Sequence, int]] = {}
        self._sorted: set[str] = set()
        self._looks: OrderedDict[str, _Look | None] = OrderedDict()
        self._pairs: OrderedDict[tuple[str, str], bool] = OrderedDict()
        self._neighbours: dict[str, Neighbour] = {}

    def neighbours(self, photo: PlannedPhoto) -> tuple[Neighbour, ...]:
        """Return a photo's neighbours, nearest in time first, ``MOST`` at most."""
        folder = _folder(photo)
        if len(self._folders.get(folder, ())) < 2 or self._stop():
            return ()
        if folder not in self._sorted:
            self._sorted.add(folder)
            self._sort(self._folders[folder])
        sequence, place = self._sequences.get(photo.key, ([], 0))
        candidates = [
            at for at in self._candidates(sequence, place) if self._may_show(sequence[at].photo)
        ]
        if not candidates:
            return ()
        self._look_at(sequence, [place, *candidates])
        found: list[Neighbour] = []
        for number, at in enumerate(candidates):
            if len(found) == MOST or (number == _NEAREST and not found and not self._fixed):
                break
            if self._belong(sequence, *sorted((place, at))):
                found.append(self._neighbour(sequence[at].photo))
        return tuple(found)

    def _may_show(self, photo: PlannedPhoto) -> bool:
        """Whether it is known where a photo does not show the place.

        Where the user's masks alone say what goes, a photo without one may show the same thing.
        """
        return self._batch.masks is None or photo.own_mask is not None

    def _sort(self, photos: Sequence[PlannedPhoto]) -> None:
        """Sort a folder's photos into sequences."""
        taken = dict(zip((p.key for p in photos), self._all_taken(photos), strict=True))
        seconds = {key: None if one is None else one.seconds for key, one in taken.items()}
        sequences: dict[object, _Sequence] = defaultdict(list)
        are_timed = all(time is not None for time in seconds.values())
        for number, photo in enumerate(sorted(photos, key=_natural)):
            time, one = seconds[photo.key], taken[photo.key]
            if self._fixed:
                at = time if are_timed and time is not None else number
                sequences[None].append(_Member(photo, at, are_timed))
            elif time is not None and one is not None:
                sequences[one.camera, "EXIF"].append(_Member(photo, time, True))
            elif one is None and (counted := _counted(photo)) is not None:
                rest, count = counted
                sequences[rest].append(_Member(photo, count, False))
        for sequence in sequences.values():
            sequence.sort(key=lambda member: (member.at, _natural(member.photo)))
            for place, member in enumerate(sequence):
                self._sequences[member.photo.key] = sequence, place

    def _all_taken(self, photos: Sequence[PlannedPhoto]) -> list[Taken | None]:
        """Read what EXIF says of photos."""
        if any(isinstance(photo.source, RemotePath) for photo in photos):
            with ThreadPoolExecutor(_READERS_OF_A_STORE) as readers:
                return list(readers.map(self._taken, photos))
        return [self._taken(photo) for photo in photos]

    def _taken(self, photo: PlannedPhoto) -> Taken | None:
        if self._stop():
            return None
        return taken_of(_head(photo.source))

    def _candidates(self, sequence: _Sequence, place: int) -> list[int]:
        """Places of the photos that may be neighbours of one, nearest in time first."""
        if not sequence:
            return []
        here = sequence[place]
        reach = _LOOKED_AT_FIXED if self._fixed else LOOKED_AT
        first, last = place - reach, place + reach + 1
        if not self._fixed and here.is_timed:
            times = [member.at for member in sequence[max(0, first) : last]]
            offset = max(0, first)
            first = offset + bisect_left(times, here.at - WINDOW)
            last = offset + bisect_right(times, here.at + WINDOW)
        places = [
            at
            for at in range(max(0, first), min(last, len(sequence)))
            if at != place and not _is_one_picture(sequence[at], here)
        ]
        places.sort(key=lambda at: (abs(sequence[at].at - here.at), abs(at - place), at))
        return places[:reach]

    def _look_at(self, sequence: _Sequence, places: Sequence[int]) -> None:
        """Read the pictures of photos that are not remembered, and of those that follow."""
        wanted = [at for at in places if sequence[at].photo.key not in self._looks]
        if not wanted:
            return
        end = max(wanted) + 1
        # The photos that follow will be asked about next, and several are read at the same time.
        following = range(end, min(len(sequence), end + _AHEAD))
        for at in following:
            is_near = sequence[at].at - sequence[at - 1].at <= WINDOW
            if sequence[at].photo.key in self._looks or not is_near:
                break
            wanted.append(at)
        photos = [sequence[at].photo for at in wanted]
        is_remote = any(isinstance(photo.source, RemotePath) for photo in photos)
        with ThreadPoolExecutor(_READERS_OF_A_STORE if is_remote else _READERS) as readers:
            for photo, look in zip(photos, readers.map(self._look, photos), strict=True):
                self._looks[photo.key] = look
        for at in places:
            if (key := sequence[at].photo.key) in self._looks:
                self._looks.move_to_end(key)
        while len(self._looks) > _PICTURES:
            self._looks.popitem(last=False)

    def _look(self, photo: PlannedPhoto) -> _Look | None:
        """Read a photo's small picture; None if it cannot be read."""
        if self._stop():
            return None
        with suppress(PhotoError, OSError), local_copy(photo.source) as file:
            glance = read_glance(file, max_pixels=self._batch.max_pixels)
            return _Look(glance.size, outlines(glance.grey))
        return None

    def _belong(self, sequence: _Sequence, first: int, second: int) -> bool:
        """Whether two photos of a sequence, in its order, are of one series."""
        pair = sequence[first].photo.key, sequence[second].photo.key
        if pair not in self._pairs:
            one, other = (self._looks.get(key) for key in pair)
            self._pairs[pair] = one is not None and other is not None and self._fit(one, other)
            if len(self._pairs) > _PAIRS:
                self._pairs.popitem(last=False)
        return self._pairs[pair]

    def _fit(self, one: _Look, other: _Look) -> bool:
        if self._fixed:
            return one.size == other.size
        return sorted(one.size) == sorted(other.size) and are_alike(one.picture, other.picture)

    def _neighbour(self, photo: PlannedPhoto) -> Neighbour:
        """A photo as others' neighbour: one object for all of them."""
        if photo.key not in self._neighbours:
            stamp = None
            with suppress(RemoveObjectsError):
                stamp = location_stamp(photo.source)
            self._neighbours[photo.key] = Neighbour(
                str(photo.relative), photo.key, photo.source, photo.own_mask, stamp
            )
        return self._neighbours[photo.key]


def _folder(photo: PlannedPhoto) -> str:
    return str(photo.source.parent)


def _head(source: Location) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        if isinstance(source, Path):
            with open(source, "rb") as file:
                return file.read(HEAD)
        return source.read(_REMOTE_HEAD) or b""
    except (OSError, PhotoError):
        return b""


def _stem(photo: PlannedPhoto) -> str:
    return photo.source.name.rpartition(".")[0] or photo.source.name


def _natural(photo: PlannedPhoto) -> tuple[list[tuple[int, str]], str]:
    """Sorts photos as people count: 9 before 10."""
    return list(_numbers(_stem(photo).casefold())), photo.key


def _numbers(text: str) -> Iterator[tuple[int, str]]:
    for digits, letters in re.findall(r"(\d+)|(\D+)", text):
        yield (int(digits[:300]), "") if digits else (-1, letters)


def _counted(photo: PlannedPhoto) -> tuple[object, int] | None:
    """The last number of a photo's name, and the name without it; None if it has no number."""
    stem = _stem(photo).casefold()
    found = _NUMBER.search(stem)
    if found is None:
        return None
    rest = stem[: found.start()], found[2], photo.source.suffix.casefold()
    return rest, int(found[1])


def _is_one_picture(one: _Member, other: _Member) -> bool:
    """Whether two files are one picture: a RAW beside its JPEG, an edited copy."""
    if one.at != other.at:
        return False
    shorter, longer = sorted((_stem(one.photo).casefold(), _stem(other.photo).casefold()), key=len)
    return longer.startswith(shorter) and not longer[len(shorter) :][:1].isdigit()
