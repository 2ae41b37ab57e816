"""Which photo is which: the photos of an output folder by their source files.

A relative name does not tell photos apart, because cameras number every card alike. So the journal
holds each photo's source, and the results of several source folders lie side by side:

- The photos of one source folder lie directly in a new output folder.
- Every other source folder gets a subfolder with its name.
- A photo that the journal knows keeps its name, and so does its folder. A source folder that was
  moved or renamed is recognised by the content of its photos.
- Another photo at the same path, taken at another time, is not known: the next memory card has the
  path of the last one. Its source folder gets a subfolder like any other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, count
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from ..images.taken import taken_mark
from ..storage.location import Location, is_plain_name
from ..storage.stamp import content_hash, has_same_times, is_mark, mark
from .names import RESERVED, InputPhoto, folded

if TYPE_CHECKING:
    from .journal import JournalRow
    from .output.claims import LeftClaim

_TOP = PurePosixPath()
#: Stands for ``://``: a bucket's address is one component, which PurePath would split at slashes.
_SCHEME = ":\0\0"
_T = TypeVar("_T")


def source_key(source: Location) -> str:
    """Return the text by which the journal knows a photo's file.

    An absolute path whose folders are no links, or an address without passwords.
    """
    return source_keys()(source)


def source_keys() -> Callable[[Location], str]:
    """Return ``source_key`` for many files: it follows the links of every folder only once."""
    resolved = cache(os.path.realpath)

    def key_of(source: Location) -> str:
        if not isinstance(source, Path):
            return str(source)
        folder, name = os.path.split(source)
        return os.path.join(resolved(folder), name)

    return key_of


@dataclass(frozen=True)
class KnownPhotos:
    """The photos that the journal of an output folder knows.

    Attributes:
        rows: its rows by the photos' names.
        names: names by ``source_key``, the latest first: several photos may have had one path.
            Rows of version 0.1.0 know no source.
    """

    rows: Mapping[str, JournalRow] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Mapping[str, JournalRow], claims: Iterable[LeftClaim] = ()) -> KnownPhotos:
        """Return the photos of a journal's rows, and of claims that a killed run left.

        A damaged or forged row must not lead out of the output folder, nor to another file name.
        """
        known = {claim.photo: claim.row for claim in claims} | dict(rows)
        plain = {name: row for name, row in known.items() if is_plain_name(name)}
        names: dict[str, tuple[str, ...]] = {}
        for name, row in plain.items():
            if (source := row.get("source")) and _split(source)[1] == _split(name)[1]:
                names[source] = (name, *names.get(source, ()))
        return cls(plain, names)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every ``source_key`` with each of its names."""
        return ((key, name) for key, names in self.names.items() for name in names)

    def name_of(self, photo: InputPhoto) -> str | None:
        """Return the name of a photo by its file; None if no photo of that path is this one."""
        known = self.names.get(photo.key, ())
        return next((n for n in known if not is_another(photo.source, self.rows[n])), None)


def source_of_each(rows: Mapping[str, JournalRow]) -> dict[str, str]:
    """Return the ``source_key`` of each original by its name, as far as journal rows know it."""
    recorded = {name: row.get("source") for name, row in rows.items()}
    return {name: source for name, source in recorded.items() if isinstance(source, str)}


def is_another(source: Location, row: JournalRow) -> bool:
    """Whether a local file holds another photo than a row's: one taken at another time.

    An edited photo is the same one; so is a file that does not tell when it was taken.
    """
    taken, recorded = row.get("taken"), row.get("source_mark")
    if taken is None or not isinstance(source, Path) or has_same_times(source, recorded):
        return False
    now = taken_mark(source)
    return now is not None and now != taken


def name_photos(
    photos: Sequence[InputPhoto], known: KnownPhotos, notes: list[str]
) -> list[InputPhoto]:
    """Give every photo its name in the output folder and in the report.

    Args:
        photos: photos with their names relative to the given folders.
        known: the photos of earlier runs into the same output folder.
        notes: receives a sentence about every folder of results that nobody would expect.

    Returns:
        The photos in the same order, with their names as ``relative``.
    """
    keys = [photo.key for photo in photos]
    found = {photo.key: known.name_of(photo) for photo in photos}
    names = {key: name for key, name in found.items() if name is not None}
    moved = _moved(
        [(k, p) for k, p in zip(keys, photos, strict=True) if k not in names],
        known,
        set(names.values()),
    )
    names |= moved
    others = [photo for photo in photos if photo.key in known.names and photo.key not in names]
    bases = _bases([*names.items(), *_outside(known, others)])
    taken = _Taken(known, moved, names.values())
    sources = {photo.key: photo for photo in photos}
    new = {key: _split(key) for key in keys if key not in names}
    known_folders = _by_folder(new.values(), lambda folder: _result_folder(folder, bases))
    for key, (folder, file) in new.items():
        if (result := known_folders[folder]) is not None:
            name = _join(result, file)
            if taken.take(name, sources[key]):
                names[key] = name
    new = {key: place for key, place in new.items() if key not in names}
    roots = _roots_of(photos)
    new_roots = set(_by_folder(new.values(), lambda folder: _root_of(folder, roots)).values())
    prefixes = _Prefixes(known, bool(bases), [*known.rows, *names.values()])
    by_root = prefixes.choose(sorted(new_roots), _roots_of(others))
    notes += _notes(others, by_root, prefixes.numbered)
    new_folders = _by_folder(new.values(), lambda folder: _result_folder(folder, by_root))
    names |= {key: _join(new_folders[folder] or _TOP, file) for key, (folder, file) in new.items()}
    return [_named(photo, names[photo.key]) for photo in photos]


def _outside(known: KnownPhotos, others: Sequence[InputPhoto]) -> Iterator[tuple[str, str]]:
    """Return the pairs of ``known`` whose source folder does not hold other photos now.

    The next memory card's results do not mix with the last one's.
    """
    roots = _roots_of(others)
    if not roots:
        return known.pairs()
    pairs = [(key, _split(key)[0], name) for key, name in known.pairs()]
    inside = _by_folder(
        ((folder, name) for _, folder, name in pairs),
        lambda folder: any(place in roots for place in (folder, *folder.parents)),
    )
    return ((key, name) for key, folder, name in pairs if not inside[folder])


def _roots_of(photos: Iterable[InputPhoto]) -> set[PurePath]:
    """Return the given folders of photos."""
    return _outermost(source_key(root / "x") for root in {photo.root for photo in photos})


def _notes(
    others: Sequence[InputPhoto],
    by_root: Mapping[PurePath, PurePosixPath],
    numbered: Collection[PurePath],
) -> Iterator[str]:
    """Yield sentences about source folders whose results lie where nobody would expect them."""
    if others:
        what = "1 photo has" if len(others) == 1 else f"{len(others)} photos have"
        yield (
            f"{what} the path of an earlier photo and was taken at another time "
            f"({others[0].source}): another photo, whose result gets a folder of its own"
        )
    for root in sorted(numbered):
        yield (
            f"{str(root).replace(_SCHEME, '://')}: its results go to the folder "
            f"{by_root[root]}, because the folder's own name is taken"
        )


def _by_folder(places: Iterable[tuple[str, str]], of: Callable[[PurePath], _T]) -> dict[str, _T]:
    """Return a value for every folder of the places: there are few folders, and many photos."""
    return {folder: of(_path(_parts(folder))) for folder in {folder for folder, _ in places}}


def _join(folder: PurePosixPath, file: str) -> str:
    return file if folder == _TOP else f"{folder}/{file}"


def _named(photo: InputPhoto, name: str) -> InputPhoto:
    if name == str(photo.relative):
        return photo
    return replace(photo, relative=PurePosixPath(name))


def _moved(
    photos: Iterable[tuple[str, InputPhoto]], known: KnownPhotos, taken: set[str]
) -> dict[str, str]:
    """Return the known names of photos whose whole folder was moved, by their new keys.

    Such a photo has the same name below its folder and the same content, and its old file is gone.
    """
    by_tail: dict[str, list[tuple[str, JournalRow]]] = {}
    used = set(taken)
    waiting = [(key, photo) for key, photo in photos if isinstance(photo.source, Path)]
    for source, name in known.pairs() if waiting else ():
        row = known.rows[name]
        if name not in used and is_mark(row.get("source_mark")) and _is_gone(Path(source), row):
            by_tail.setdefault(_split(name)[1], []).append((name, row))
    names: dict[str, str] = {}
    for key, photo in waiting:
        tail = f"/{photo.relative}"
        for name, row in by_tail.get(photo.relative.name, ()):
            if name not in used and f"/{name}".endswith(tail) and _is_content(photo.source, row):
                names[key] = name
                used.add(name)
                break
    return names


def _is_gone(source: Path, row: JournalRow) -> bool:
    """Whether a row's photo is no longer at its path: nothing is, or another photo."""
    return not source.exists() or is_another(source, row)


class _Taken:
    """Names in the output folder that belong to photos, so that no other photo gets them."""

    def __init__(self, known: KnownPhotos, moved: Mapping[str, str], names: Iterable[str]) -> None:
        """Begin with the names of known photos, and of this run's so far.

        Args:
            known: the photos of earlier runs.
            moved: the names of photos whose folder was moved, by their new keys.
            names: the names that photos of this run have.
        """
        self._rows = known.rows
        owners = {name: row["source"] for name, row in known.rows.items() if "source" in row}
        self._owners = owners | {name: key for key, name in moved.items()}
        self._moves = set(_moves(self._owners))
        self._names = set(names)

    def take(self, name: str, photo: InputPhoto) -> bool:
        """Give a name to a photo; returns False if it is another photo's."""
        if name in self._names or not self._may_have(name, photo):
            return False
        self._names.add(name)
        return True

    def _may_have(self, name: str, photo: InputPhoto) -> bool:
        """Whether nobody has the name, or the photo itself had it: moved, and changed since."""
        owner = self._owners.get(name)
        return owner is None or (
            self._is_moved(_parts(owner)[:-1], _parts(photo.key)[:-1])
            and not is_another(photo.source, self._rows[name])
        )

    def _is_moved(self, old: tuple[str, ...], new: tuple[str, ...]) -> bool:
        """Whether a folder was moved, by itself or with a folder around it."""
        while (old, new) not in self._moves:
            if not old or not new or old[-1] != new[-1]:
                return False
            old, new = old[:-1], new[:-1]
        return True


def _moves(owners: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield the source folders that were moved, each with a folder where it may be now.

    The photos of a moved folder that are recognised keep their names, so some results of one
    folder are from the new place, and those of changed photos still from the old one. The rows
    tell it to every later run, as they tell it to the run that recognises them.

    Args:
        owners: the photos' files by their names.
    """
    folders: dict[str, dict[str, None]] = {}
    for name, owner in owners.items():
        folders.setdefault(name.rpartition("/")[0], {})[_split(owner)[0]] = None
    for sources in folders.values():
        local = [source for source in sources if os.path.isabs(source)]
        gone = [source for source in local if _is_empty(source)] if len(local) > 1 else []
        yield from ((_parts(old), _parts(new)) for old in gone for new in local if new != old)


def _is_empty(folder: str) -> bool:
    """Whether a folder of this machine is gone, or is empty."""
    try:
        with os.scandir(folder) as listing:
            return next(listing, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _is_content(source: Location, row: JournalRow) -> bool:
    """Whether a local file has the content of a row's photo; it is read if the sizes are equal."""
    recorded = row.get("source_mark")
    try:
        if not isinstance(source, Path) or not recorded or source.stat().st_size != recorded[0]:
            return False
    except OSError:
        return False
    return content_hash(mark(source)) == content_hash(recorded)


def _bases(named: Sequence[tuple[str, str]]) -> dict[PurePath, PurePosixPath]:
    """Return pairs of a source folder and the folder of its results, by known photos.

    Of ``/p/rome/a.jpg`` with the name ``italy/rome/a.jpg`` the results of ``/p/rome`` lie in
    ``italy/rome``, and those of ``/p`` in ``italy``, unless another source's photos lie there.
    """
    bases: dict[PurePath, PurePosixPath] = {}
    owners: dict[PurePosixPath, PurePath] = {}
    folders = dict.fromkeys((_split(key)[0], name.rpartition("/")[0]) for key, name in named)
    for source_folder, result_folder in folders:
        source, result = _path(_parts(source_folder)), PurePosixPath(result_folder)
        if source not in bases:
            bases[source] = result
            owners.setdefault(result, source)
    for source, result in list(bases.items()):
        while result != _TOP and source.name == result.name:
            source, result = source.parent, result.parent
            if owners.setdefault(result, source) != source:
                break
            bases.setdefault(source, result)
    return bases


def _result_folder(
    folder: PurePath, bases: Mapping[PurePath, PurePosixPath]
) -> PurePosixPath | None:
    """Return the folder of a source folder's results, by the innermost known one around it."""
    for place in (folder, *folder.parents):
        if place in bases:
            return bases[place] / _below(folder, place)
    return None


def _outermost(children: Iterable[str]) -> set[PurePath]:
    """Return the folders of paths that lie in no other of these folders."""
    roots = {_path(_parts(_split(child)[0])) for child in children}
    return {root for root in roots if not any(parent in roots for parent in root.parents)}


def _root_of(folder: PurePath, roots: set[PurePath]) -> PurePath:
    return next(place for place in (folder, *folder.parents) if place in roots)


def _below(folder: PurePath, place: PurePath) -> PurePosixPath:
    return PurePosixPath(*folder.relative_to(place).parts)


def _split(key: str) -> tuple[str, str]:
    """Split the path or the address of a file into the folder and the file's name."""
    folder, name = os.path.split(key)
    if name not in ("", ".") and not folder.endswith(":"):
        return folder, name
    # A forged path, or a bucket, which is one component.
    parts = _parts(key)
    return os.path.join("", *parts[:-1]), "".join(parts[-1:])


def _parts(key: str) -> tuple[str, ...]:
    """Split a path or an address; ``s3://bucket`` is one component."""
    scheme, separator, rest = key.partition("://")
    if separator and "/" not in scheme:
        bucket, _, path = rest.partition("/")
        return (f"{scheme}://{bucket}", *(part for part in path.split("/") if part))
    return PurePath(key).parts


def _path(parts: tuple[str, ...]) -> PurePath:
    return PurePath(*(part.replace("://", _SCHEME) for part in parts))


class _Prefixes:
    """Chooses the subfolders of source folders that are new to an output folder.

    Attributes:
        numbered: the source folders whose own names, and their parents', were taken.
    """

    def __init__(self, known: KnownPhotos, has_bases: bool, names: Iterable[str]) -> None:
        """Begin with the names in use.

        Args:
            known: the photos of earlier runs.
            has_bases: whether the results of a known source folder lie in the output.
            names: all names of known photos.
        """
        # Photos of version 0.1.0 have no source: a single folder may be theirs, and identities
        # decide.
        self._top_is_free = not has_bases and all("source" not in r for r in known.rows.values())
        names = set(names)
        folders = [PurePosixPath(folder) for folder in {name.rpartition("/")[0] for name in names}]
        places = {place for folder in folders for place in (folder, *folder.parents)}
        self._taken = {folded(place) for place in names | places}
        self.numbered: set[PurePath] = set()

    def choose(
        self, roots: Sequence[PurePath], again: Collection[PurePath]
    ) -> dict[PurePath, PurePosixPath]:
        """Return a folder for each new source folder; the top for a single one if it is free.

        Args:
            roots: the source folders.
            again: those that held other photos before: their parents' names tell nothing apart.
        """
        if len(roots) == 1 and self._top_is_free:
            return {roots[0]: _TOP}
        chosen: dict[PurePath, PurePosixPath] = {}
        tails = {root: _tails(root)[: 1 if root in again else None] for root in roots}
        for root in roots:
            others = {folded(tail) for other in roots if other != root for tail in tails[other]}
            chosen[root] = next(
                tail
                for tail in chain(tails[root], _numbered(tails[root]))
                if self._is_free(tail, others)
            )
            if chosen[root] not in tails[root]:
                self.numbered.add(root)
            self._taken.add(folded(chosen[root]))
        return chosen

    def _is_free(self, tail: PurePosixPath, others: set[str]) -> bool:
        """Whether no known photo and no other new source folder uses a name, or part of it."""
        used = self._taken | others
        return folded(tail) not in used and all(
            folded(parent) not in self._taken for parent in tail.parents if parent != _TOP
        )


def _tails(root: PurePath) -> list[PurePosixPath]:
    """Return possible names for a source folder: its own, and with its parents'."""
    parts = [part.rpartition(_SCHEME)[2] for part in root.parts if part != root.anchor]
    names = [PurePosixPath(*parts[-length:]) for length in range(1, len(parts) + 1)]
    return [name for name in names if _is_usable(name)]


def _numbered(tails: Sequence[PurePosixPath]) -> Iterator[PurePosixPath]:
    """Yield further names for a source folder, should all its own be taken.

    They have one component, so that no taken parent keeps all of them from being free.
    """
    last = tails[0].name if tails else ""
    name = last if last and not last.startswith(".") and ":" not in last else "photos"
    return (PurePosixPath(f"{name}-{number}") for number in count(2))


def _is_usable(name: PurePosixPath) -> bool:
    first = name.parts[0]
    return not first.startswith(".") and first not in RESERVED and ":" not in first
