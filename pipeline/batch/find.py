"""The photos of a folder elsewhere, by the same rules as those of a folder here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from ..errors import UsageError
from ..images.suffixes import SUFFIXES
from ..storage import layout
from ..storage.location import Location, RemotePath, is_plain_name
from .names import InputPhoto


def find_photos(
    given: Location, leave_out: Sequence[Location], notes: list[str]
) -> Iterator[InputPhoto]:
    """The photos of one input, and notes on what is passed over."""
    if isinstance(given, RemotePath):
        yield from find_remote(given, leave_out, notes)
        return
    skipped = [path.resolve() for path in leave_out if isinstance(path, Path)]
    if given.is_file():
        if given.suffix.lower() in SUFFIXES:
            yield InputPhoto(given, PurePosixPath(given.name))
        else:
            notes.append(f"{given}: not a photo by its name, ignored")
        return
    others = 0
    folders = [given]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            notes.append(f"{folder}: cannot be listed ({error.strerror}), left out")
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = Path(folder, entry.name)
            kind = _kind(entry)
            if kind == "folder":
                if path.resolve() not in skipped and not _is_previews(path):
                    folders.append(path)
            elif kind == "link to a folder":
                notes.append(f"{path}: a link to a folder, not followed")
            elif kind == "file" and path.suffix.lower() in SUFFIXES:
                yield InputPhoto(path, PurePosixPath(path.relative_to(given).as_posix()))
            else:
                others += 1
    if others:
        notes.append(f"{given}: {others} other {'file' if others == 1 else 'files'} ignored")


def _is_previews(folder: Path) -> bool:
    """Whether this is the folder of small pictures of an earlier run's report: results may be cleaned again, these are none."""
    return folder.name == layout.PREVIEWS and (folder.parent / layout.JOURNAL_NAME).is_file()


def _kind(entry: os.DirEntry[str]) -> str:
    """Only regular files (and links to them) are ever read: a pipe or a device would wait for ever."""
    try:
        if entry.is_dir():
            return "link to a folder" if entry.is_symlink() else "folder"
        return "file" if entry.is_file() else "other"
    except OSError:
        return "other"


def without_repeats(found: Iterable[InputPhoto]) -> Iterator[InputPhoto]:
    """The same file reached twice (given twice, or a folder and a file in it) counts once, under the name it had first."""
    seen = set()
    for item in found:
        source = item.source
        real = (
            str(source.parent.resolve() / source.name) if isinstance(source, Path) else str(source)
        )
        if real not in seen:
            seen.add(real)
            yield item


def find_remote(
    given: RemotePath, leave_out: Sequence[Location], notes: list[str]
) -> Iterator[InputPhoto]:
    """The photos below ``given``, without hidden ones and what lies in ``leave_out``; ``notes`` gets what was passed over.

    Raises:
        UsageError: there is nothing, or it cannot be listed.
    """
    files = given.files()
    if not files:
        raise UsageError(f"{given}: no such file or folder")
    if set(files) == {""}:
        if PurePosixPath(given.name).suffix.lower() in SUFFIXES and is_plain_name(given.name):
            yield InputPhoto(files[""], PurePosixPath(given.name))
        else:
            notes.append(f"{given}: not a photo by its name, ignored")
        return
    skipped = [place for place in leave_out if isinstance(place, RemotePath)]
    runs = {
        name.removesuffix(layout.JOURNAL_NAME)
        for name in files
        if name.rpartition("/")[2] == layout.JOURNAL_NAME
    }
    runs |= {
        name.partition(layout.JOURNAL_PIECES)[0]
        for name in files
        if f"/{layout.JOURNAL_PIECES}/" in f"/{name}"
    }
    others = odd = 0
    for name, source in sorted(files.items()):
        if any(source.is_below(folder) for folder in skipped) or any(
            name.startswith(f"{run}{layout.PREVIEWS}/") for run in runs
        ):
            continue
        if not is_plain_name(name):
            odd += bool(name.strip("/"))
        elif any(part.startswith(".") for part in name.split("/")):
            continue
        elif PurePosixPath(name).suffix.lower() in SUFFIXES:
            yield InputPhoto(source, PurePosixPath(name))
        else:
            others += 1
    if odd:
        notes.append(
            f"{given}: {odd} left out whose name no folder can hold ('..', '//' or a backslash)"
        )
    if others:
        notes.append(f"{given}: {others} other {'file' if others == 1 else 'files'} ignored")
