"""Photos below an input, in a local folder or a remote one, by the same rules.

A photo has a suffix that the program knows. Hidden files, previews and saved masks of earlier runs,
outputs of earlier runs below an input, folders of thumbnails and trash (``left_out``) and the
folders to leave out are not searched. What is passed over is counted (``passed_over``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..errors import UsageError
from ..images.suffixes import is_readable
from ..storage.layout import JOURNAL_NAME, JOURNAL_PIECES, PREVIEWS, SETTINGS_NAME
from ..storage.location import Location, RemotePath, is_plain_name
from .left_out import Exclusions, is_apple_double, is_system_folder
from .names import InputPhoto
from .passed_over import (
    BROKEN_LINK,
    EXCLUDED,
    LINKED_FOLDER,
    SETTINGS_BELOW,
    SPECIAL,
    PassedOver,
    kind_of,
)


@dataclass
class Search:
    """A search for the photos of one run.

    Attributes:
        leave_out: folders that are not searched.
        key_of: returns the key of a file, see ``sources.source_keys``.
        exclusions: the patterns of ``--exclude``.
        masks_of: returns the names of the masks, and of their layers, that earlier runs saved in a
            given folder that is their output.
        told: sentences about what somebody may miss, which the terminal shows too.
        unmissed: sentences about files that nobody misses.
    """

    leave_out: Sequence[Location]
    key_of: Callable[[Location], str]
    exclusions: Exclusions = field(default_factory=lambda: Exclusions(()))
    masks_of: Callable[[Location], Collection[str]] = lambda _: ()
    told: list[str] = field(default_factory=list)
    unmissed: list[str] = field(default_factory=list)
    _files: PassedOver = field(default_factory=PassedOver)
    _first_file: str = ""

    def photos(
        self, inputs: Iterable[Location], listed: Iterable[Location] = ()
    ) -> Iterator[InputPhoto]:
        """Yield the photos of all inputs, photos and folders.

        Args:
            inputs: files and folders that exist.
            listed: entries of the user's list; those that do not exist are ``missing`` photos.

        Raises:
            UsageError: a remote input does not exist or cannot be listed.
        """
        for given in inputs:
            yield from self._photos(given)
        for given in listed:
            if why := why_missing(given):
                name, root = PurePosixPath(given.name or "missing"), given.parent or given
                yield InputPhoto(given, name, root, name, self.key_of(given), why)
            else:
                yield from self._photos(given)
        self._tell_of_files()

    def _photos(self, given: Location) -> Iterator[InputPhoto]:
        if isinstance(given, RemotePath):
            yield from self._remote(given)
        elif given.is_file():
            yield from self._given_file(given, given.parent)
        else:
            yield from self._local(given)

    def _given_file(self, given: Location, folder: Location) -> Iterator[InputPhoto]:
        """Yield a given file if it is a photo by its name, and no pattern excludes it."""
        if self.exclusions.file(_shown(given)):
            self._files.things[EXCLUDED] += 1
        elif is_photo(given.name):
            yield _photo(given, PurePosixPath(given.name), folder, self.key_of(given))
            return
        else:
            self._files.add_file(given.name)
        self._first_file = self._first_file or str(given)

    def _tell_of_files(self) -> None:
        """Tell of given files that are no photos: whoever names a file misses it."""
        passed = self._files
        if passed.count == 1 and not passed.things:
            kind = kind_of(self._first_file)
            of_kind = f" ({kind})" if kind else ""
            self.told.append(f"{self._first_file}: not a photo by its name, passed over{of_kind}")
        elif passed.count:
            self.told.append(f"of the given files, passed over {passed}")

    def _tell(self, given: Location, passed: PassedOver) -> None:
        if text := str(passed):
            (self.told if passed.matters else self.unmissed).append(f"{given}: passed over {text}")

    def _local(self, given: Path) -> Iterator[InputPhoto]:
        passed = PassedOver()
        masks = self.masks_of(given) if (given / JOURNAL_NAME).is_file() else ()
        for folder, below, files in self._walk(given, passed):
            for name in files:
                relative = below / name
                if str(relative) not in masks and self._is_wanted(str(relative), passed):
                    path = folder / name
                    yield _photo(path, relative, given, self.key_of(path))
        self._tell(given, passed)

    def _walk(
        self, top: Path, passed: PassedOver
    ) -> Iterator[tuple[Path, PurePosixPath, list[str]]]:
        """Yield every folder from ``top`` on: itself, its name below, and its regular files."""
        skipped = {path.resolve() for path in self.leave_out if isinstance(path, Path)}
        folders = [(top, PurePosixPath())]
        while folders:
            folder, below = folders.pop()
            files = []
            for entry in self._list(folder):
                kind = _kind(entry)
                if kind == "file":
                    files.append(entry.name)
                elif kind != "folder":
                    passed.things[_THINGS[kind]] += 1
                elif is_system_folder(entry.name, folder.name):
                    passed.system += 1
                elif self.exclusions.folder(str(below / entry.name)):
                    passed.things[EXCLUDED] += 1
                elif (path := folder / entry.name).resolve() in skipped or _is_previews(path):
                    continue
                elif (path / JOURNAL_NAME).is_file():
                    self._tell_of_results(path)
                else:
                    folders.append((path, below / entry.name))
            yield folder, below, files

    def _tell_of_results(self, folder: Location) -> None:
        """Tell of an output folder below an input: its results are nobody's photos."""
        self.told.append(
            f"{folder}: left out, because it holds the results of an earlier run; name the folder "
            "itself to clean them"
        )

    def _list(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return the visible entries of a folder in the order of their names."""
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self.told.append(f"{folder}: cannot be listed ({error.strerror}), left out")
            return []
        return [entry for entry in entries if not entry.name.startswith(".")]

    def _remote(self, given: RemotePath) -> Iterator[InputPhoto]:
        files = given.files()
        if not files:
            raise UsageError(f"{given}: no such file or folder")
        if set(files) == {""}:
            if is_plain_name(given.name):
                yield from self._given_file(files[""], given.parent or given)
            return
        passed, impossible, system = PassedOver(), 0, set()
        skipped = [place for place in self.leave_out if isinstance(place, RemotePath)]
        runs = _run_folders(files)
        self._tell_of_runs(given, runs, skipped)
        masks = self.masks_of(given) if "" in runs else ()
        for name, source in _searched(files, skipped, runs):
            if not is_plain_name(name):
                impossible += bool(name.strip("/"))
            elif folder := _system_folder(name, given.name):
                system.add(folder)
            elif _is_hidden(name) or name in masks:
                continue
            elif self._is_wanted(name, passed):
                yield _photo(source, PurePosixPath(name), given, self.key_of(source))
        passed.system = len(system)
        if impossible:
            self.told.append(
                f"{given}: {impossible} left out whose name no folder can hold "
                "('..', '//' or a backslash)"
            )
        self._tell(given, passed)

    def _tell_of_runs(
        self, given: RemotePath, runs: Iterable[str], skipped: Sequence[RemotePath]
    ) -> None:
        """Tell of the outputs of earlier runs below an input."""
        for folder in (given / run.rstrip("/") for run in sorted(runs) if run):
            if not any(folder.is_below(place) for place in skipped):
                self._tell_of_results(folder)

    def _is_wanted(self, name: str, passed: PassedOver) -> bool:
        """Whether a file below a given folder is a photo to clean; counts it if it is not."""
        if self.exclusions.file(name):
            passed.things[EXCLUDED] += 1
        elif is_photo(name):
            return True
        elif name.rpartition("/")[2] == SETTINGS_NAME:
            if "/" in name:  # what the one beside the photos says is told by itself
                passed.things[SETTINGS_BELOW] += 1
        else:
            passed.add_file(name.rpartition("/")[2])
        return False


#: What a search counts, by the kind of an entry.
_THINGS = {"link to a folder": LINKED_FOLDER, "broken link": BROKEN_LINK, "other": SPECIAL}


def without_repeats(photos: Iterable[InputPhoto]) -> Iterator[InputPhoto]:
    """Yield every file once, under its first name.

    A file repeats if it is given twice, or if both a folder and a file in it are given.
    """
    seen = set()
    for photo in photos:
        if photo.key not in seen:
            seen.add(photo.key)
            yield photo


def why_missing(given: Location) -> str:
    """Say why an input is neither a file nor a folder that can be read; empty if it is one."""
    try:
        if isinstance(given, RemotePath):
            return "" if given.files() else "no such file or folder"
        if given.is_dir() or given.is_file():
            return ""
        return "neither a file nor a folder" if given.exists() else "no such file or folder"
    except OSError as error:
        return f"cannot be examined ({error.strerror})"


def is_photo(name: str) -> bool:
    """Whether a file is a photo by its name."""
    return is_readable(name) and not is_apple_double(name)


def _photo(source: Location, relative: PurePosixPath, root: Location, key: str) -> InputPhoto:
    return InputPhoto(source, relative, root, relative, key)


def _shown(given: Location) -> str:
    """Return a given file as the patterns of ``--exclude`` see it: as the user wrote it."""
    if isinstance(given, RemotePath):
        return given.name
    parts = [part for part in given.parts if part not in (given.anchor, "..")]
    return "/".join(parts)


def _kind(entry: os.DirEntry[str]) -> str:
    """Classify an entry; only regular files are read, because a pipe would block for ever."""
    try:
        if entry.is_dir():
            return "link to a folder" if entry.is_symlink() else "folder"
        if entry.is_file():
            return "file"
        return "broken link" if entry.is_symlink() and not os.path.exists(entry) else "other"
    except OSError:
        return "broken link"  # a circle of links


def _is_previews(folder: Path) -> bool:
    """Whether this is the preview folder of an earlier report, whose results are an input."""
    return folder.name == PREVIEWS and (folder.parent / JOURNAL_NAME).is_file()


def _system_folder(name: str, top: str) -> str | None:
    """Return the folder of thumbnails or trash in which a listed file lies, if it does."""
    parent, folders = top, name.split("/")[:-1]
    for count, folder in enumerate(folders, 1):
        if is_system_folder(folder, parent):
            return "/".join(folders[:count])
        parent = folder
    return None


def _searched(
    files: dict[str, RemotePath], skipped: Sequence[RemotePath], runs: Iterable[str]
) -> Iterator[tuple[str, RemotePath]]:
    """Yield the files in no skipped folder and in no other run's, sorted by name."""
    # Of the given folder's own run, only the previews are no photos.
    left_out = tuple(run or f"{PREVIEWS}/" for run in runs)
    for name, source in sorted(files.items()):
        if not name.startswith(left_out) and not any(source.is_below(place) for place in skipped):
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
