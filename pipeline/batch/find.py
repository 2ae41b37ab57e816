"""Photos below an input, in a local folder or a remote one, by the same rules.

A photo has a suffix that the program knows. Hidden files, previews of earlier reports and the
folders to leave out are not searched. Notes tell the user what was ignored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from ..errors import UsageError
from ..images.suffixes import SUFFIXES
from ..storage.layout import JOURNAL_NAME, JOURNAL_PIECES, PREVIEWS
from ..storage.location import Location, RemotePath, is_plain_name
from .names import InputPhoto


def find_photos(
    given: Location,
    leave_out: Sequence[Location],
    notes: list[str],
    key_of: Callable[[Location], str],
) -> Iterator[InputPhoto]:
    """Yield the photos of one input.

    Args:
        given: a photo or a folder.
        leave_out: folders that are not searched.
        notes: receives a sentence about every kind of file that is ignored.
        key_of: returns the key of a file, see ``sources.source_keys``.

    Raises:
        UsageError: a remote input does not exist or cannot be listed.
    """
    if isinstance(given, RemotePath):
        yield from _remote_photos(given, leave_out, notes, key_of)
    else:
        yield from _local_photos(given, leave_out, notes, key_of)


def without_repeats(photos: Iterable[InputPhoto]) -> Iterator[InputPhoto]:
    """Yield every file once, under its first name.

    A file repeats if it is given twice, or if both a folder and a file in it are given.
    """
    seen = set()
    for photo in photos:
        if photo.key not in seen:
            seen.add(photo.key)
            yield photo


def _local_photos(
    given: Path,
    leave_out: Sequence[Location],
    notes: list[str],
    key_of: Callable[[Location], str],
) -> Iterator[InputPhoto]:
    if given.is_file():
        if _has_photo_suffix(given.name):
            yield _photo(given, PurePosixPath(given.name), given.parent, key_of(given))
        else:
            notes.append(_not_a_photo(given))
        return
    skipped = {path.resolve() for path in leave_out if isinstance(path, Path)}
    others = 0
    for folder, files in _walk(given, skipped, notes):
        below = PurePosixPath(folder.relative_to(given).as_posix())
        for name, is_regular in files:
            if is_regular and _has_photo_suffix(name):
                path = folder / name
                yield _photo(path, below / name, given, key_of(path))
            else:
                others += 1
    _note_others(given, others, notes)


def _photo(source: Location, relative: PurePosixPath, root: Location, key: str) -> InputPhoto:
    return InputPhoto(source, relative, root, relative, key)


def _walk(
    top: Path, skipped: set[Path], notes: list[str]
) -> Iterator[tuple[Path, list[tuple[str, bool]]]]:
    """Yield every folder from ``top`` on with its files: names, and whether they are regular."""
    folders = [top]
    while folders:
        folder, files = folders.pop(), []
        for entry in _list(folder, notes):
            kind = _kind(entry)
            if kind == "folder":
                path = folder / entry.name
                if path.resolve() not in skipped and not _is_previews(path):
                    folders.append(path)
            elif kind == "link to a folder":
                notes.append(f"{folder / entry.name}: a link to a folder, not followed")
            else:
                files.append((entry.name, kind == "file"))
        yield folder, files


def _list(folder: Path, notes: list[str]) -> list[os.DirEntry[str]]:
    """Return the visible entries of a folder in the order of their names."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        notes.append(f"{folder}: cannot be listed ({error.strerror}), left out")
        return []
    return [entry for entry in entries if not entry.name.startswith(".")]


def _kind(entry: os.DirEntry[str]) -> str:
    """Classify an entry; only regular files are read, because a pipe would block for ever."""
    try:
        if entry.is_dir():
            return "link to a folder" if entry.is_symlink() else "folder"
        return "file" if entry.is_file() else "other"
    except OSError:
        return "other"


def _is_previews(folder: Path) -> bool:
    """Whether this is the preview folder of an earlier report.

    Results may be inputs again; previews may not.
    """
    return folder.name == PREVIEWS and (folder.parent / JOURNAL_NAME).is_file()


def _remote_photos(
    given: RemotePath,
    leave_out: Sequence[Location],
    notes: list[str],
    key_of: Callable[[Location], str],
) -> Iterator[InputPhoto]:
    files = given.files()
    if not files:
        raise UsageError(f"{given}: no such file or folder")
    if set(files) == {""}:
        if _has_photo_suffix(given.name) and is_plain_name(given.name):
            source = files[""]
            yield _photo(source, PurePosixPath(given.name), given.parent or given, key_of(source))
        else:
            notes.append(_not_a_photo(given))
        return
    others = impossible = 0
    for name, source in _searched(files, leave_out):
        if not is_plain_name(name):
            impossible += bool(name.strip("/"))
        elif _is_hidden(name):
            continue
        elif _has_photo_suffix(name):
            yield _photo(source, PurePosixPath(name), given, key_of(source))
        else:
            others += 1
    if impossible:
        notes.append(
            f"{given}: {impossible} left out whose name no folder can hold "
            "('..', '//' or a backslash)"
        )
    _note_others(given, others, notes)


def _searched(
    files: dict[str, RemotePath], leave_out: Sequence[Location]
) -> Iterator[tuple[str, RemotePath]]:
    """Yield the files outside ``leave_out`` and outside every preview folder, sorted by name."""
    skipped = [place for place in leave_out if isinstance(place, RemotePath)]
    previews = tuple(f"{run}{PREVIEWS}/" for run in _run_folders(files))
    for name, source in sorted(files.items()):
        if not name.startswith(previews) and not any(source.is_below(place) for place in skipped):
            yield name, source


def _run_folders(files: Iterable[str]) -> set[str]:
    """Return the output folders of earlier runs, with a trailing slash, by their journals."""
    journals = {
        name.removesuffix(JOURNAL_NAME) for name in files if name.rpartition("/")[2] == JOURNAL_NAME
    }
    pieces = {
        name.partition(JOURNAL_PIECES)[0] for name in files if f"/{JOURNAL_PIECES}/" in f"/{name}"
    }
    return journals | pieces


def _is_hidden(name: str) -> bool:
    return any(component.startswith(".") for component in name.split("/"))


def _has_photo_suffix(name: str) -> bool:
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    return bool(stem) and f".{ending.lower()}" in SUFFIXES


def _not_a_photo(given: Location) -> str:
    return f"{given}: not a photo by its name, ignored"


def _note_others(given: Location, count: int, notes: list[str]) -> None:
    if count:
        notes.append(f"{given}: {count} other {'file' if count == 1 else 'files'} ignored")
