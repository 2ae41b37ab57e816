"""No target is an input, no two photos share a target, nothing lands outside the output folder."""
# DOC: """Names of saved masks: ``masks/<path>/a.png`` for ``a.jpg``, and ``a.jpg.png`` where the short name would not be one photo's own."""
#

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import UsageError
from ..images.suffixes import LOSSY_SUFFIXES
from ..storage.location import Location


@dataclass(frozen=True, slots=True)
class InputPhoto:
    """A photo and its name relative to the folder it was found in."""

    source: Location
    relative: PurePosixPath


def refuse_collisions(found: Sequence[InputPhoto], output: Location, lossless: bool) -> None:
    """Raise ``UsageError`` where a result would land outside the output folder, on an input, or where another lands."""
    if isinstance(output, Path):
        _refuse_links(found, output)
    folds = isinstance(output, Path) and _folds_case(output)
    taken: dict[str, Location] = {}
    for item in found:
        names = [item.relative.as_posix()]
        if lossless and item.relative.suffix.lower() in LOSSY_SUFFIXES:
            names.append(f"{names[0]}.png")
        for name in names:
            key = unicodedata.normalize("NFC", name).casefold() if folds else name
            if taken.setdefault(key, item.source) != item.source:
                raise UsageError(
                    f"{taken[key]} and {item.source} would both write {output / name}: rename one, or clean them in two runs"
                )


def _refuse_links(found: Sequence[InputPhoto], output: Path) -> None:
    real_output = output.resolve()
    sources = {
        item.source.resolve(): item.source for item in found if isinstance(item.source, Path)
    }
    folders: dict[Path, Path] = {}
    for item in found:
        target = output / item.relative
        folder = folders.setdefault(target.parent, target.parent.resolve())
        if not folder.is_relative_to(real_output):
            raise UsageError(
                f"{target.parent} is a link that leaves the output folder: remove it, or name another output"
            )
        if (source := sources.get((folder / target.name).resolve())) is not None:
            raise UsageError(
                f"{target} would overwrite the input {source}: name another folder with --output"
            )


def _folds_case(folder: Path) -> bool:
    """Whether the file system of ``folder`` (or of its nearest parent that exists) takes ``A`` and ``a`` for one name."""
    existing = next((p for p in (folder, *folder.parents) if p.exists()), folder)
    for path in (existing, *existing.parents):
        other = path.with_name(path.name.swapcase()) if path.name else path
        if other.name != path.name:
            try:
                return other.exists() and other.samefile(path)
            except OSError:
                return False
    return False


FOLDER = "masks"


def mask_names(photos: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """For each photo (a path relative to the output folder) the path of its mask, relative to the same. All different.

    A name is lengthened where another photo shares the stem, where another mask took it, and where a photo of the folder
    ``masks`` is itself written there. Upper and lower case count as one, because on many disks they are.
    """
    results = {_key(photo) for photo in photos}
    short = [PurePosixPath(FOLDER, photo).with_suffix(".png") for photo in photos]
    full = [PurePosixPath(FOLDER, f"{photo}.png") for photo in photos]
    names = list(short)
    while True:
        count = Counter(_key(name) for name in names)
        clashes = [
            i
            for i, name in enumerate(names)
            if name != full[i] and (count[_key(name)] > 1 or _key(name) in results)
        ]
        if not clashes:
            return names
        for i in clashes:
            names[i] = full[i]


def _key(path: PurePosixPath) -> str:
    return str(path).casefold()
