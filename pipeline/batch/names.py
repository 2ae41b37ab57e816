"""Names of results and masks.

No target is an input, no two photos share a target, and nothing lands outside the output folder. A
mask is named ``masks/<path>/a.png`` for ``a.jpg``, or ``a.jpg.png`` where the short name would not
belong to one photo alone. ``pipeline.batch.sources`` says in which subfolder a result lies.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import UsageError
from ..images.suffixes import LOSSY_SUFFIXES
from ..storage.layout import PREVIEWS
from ..storage.location import Location
from ..system.confined import refuse_links

#: Folder of saved masks in the output folder.
MASKS = "masks"

#: Names in the output folder that no subfolder of results takes.
RESERVED = {MASKS, PREVIEWS, "report.json", "report.csv", "report.html"}


@dataclass(frozen=True, slots=True)
class InputPhoto:
    """A photo's file and its names.

    Attributes:
        source: the file.
        relative: its name relative to ``root``, or in the output folder once that is chosen.
        root: the given folder, or the folder of a given file.
        below_root: its name relative to ``root``.
    """

    source: Location
    relative: PurePosixPath
    root: Location
    below_root: PurePosixPath


def refuse_collisions(photos: Sequence[InputPhoto], output: Location, lossless: bool) -> None:
    """Check that every result gets a file of its own inside the output folder.

    Args:
        photos: all photos of the run.
        output: the output folder.
        lossless: whether lossy photos are written as PNG, under one more suffix.

    Raises:
        UsageError: a result would land outside the output folder, on an input, or on another
            result.
    """
    if isinstance(output, Path):
        _refuse_links(photos, output)
    folds_case = isinstance(output, Path) and _folds_case(output)
    owners: dict[str, Location] = {}
    for photo in photos:
        names = [photo.relative.as_posix()]
        if lossless and photo.relative.suffix.lower() in LOSSY_SUFFIXES:
            names.append(f"{names[0]}.png")
        for name in names:
            key = folded(name) if folds_case else name
            owner = owners.setdefault(key, photo.source)
            if owner != photo.source:
                raise UsageError(
                    f"{owner} and {photo.source} would both write {output / name}: "
                    "rename one of them, or clean one into another folder with --output"
                )


def mask_names(
    photos: Sequence[PurePosixPath], saved: Mapping[str, PurePosixPath | None] | None = None
) -> list[PurePosixPath]:
    """Choose a different mask name for every photo.

    A name is lengthened if another photo shares the stem, if another mask has it, or if a photo of
    the folder ``masks`` is itself written there. Upper and lower case count as one, because many
    disks treat them so. A mask that an earlier run saved keeps its name.

    Args:
        photos: paths relative to the output folder.
        saved: the photos of earlier runs, by their paths, with their saved masks.

    Returns:
        The paths of their masks, relative to the output folder, in the same order.
    """
    saved = saved or {}
    given = {str(photo) for photo in photos}
    everyone = [*photos, *(PurePosixPath(name) for name in saved if name not in given)]
    names = _unique_masks(everyone)
    taken = {_key(mask) for mask in saved.values() if mask is not None}
    chosen = []
    for photo, name in zip(photos, names, strict=False):
        own = saved.get(str(photo))
        if own is None and _key(name) in taken:
            name = PurePosixPath(MASKS, f"{photo}.png")
        chosen.append(own or name)
    return chosen


def possible_masks(photo: PurePosixPath | str) -> tuple[PurePosixPath, PurePosixPath]:
    """Return the short and the full name that a photo's mask may have in the output folder."""
    return PurePosixPath(MASKS, photo).with_suffix(".png"), PurePosixPath(MASKS, f"{photo}.png")


def _unique_masks(photos: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    results = {_key(photo) for photo in photos}
    full = [possible_masks(photo)[1] for photo in photos]
    names = [possible_masks(photo)[0] for photo in photos]
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


def _refuse_links(photos: Sequence[InputPhoto], output: Path) -> None:
    """Refuse targets in the output folder that are reached by a link, or that are an input."""
    refuse_links(output, (PurePosixPath(photo.relative).parent for photo in photos))
    sources = {
        photo.source.resolve(): photo.source for photo in photos if isinstance(photo.source, Path)
    }
    folders: dict[Path, Path] = {}
    for photo in photos:
        target = output / photo.relative
        folder = folders.setdefault(target.parent, target.parent.resolve())
        if (source := sources.get((folder / target.name).resolve())) is not None:
            raise UsageError(
                f"{target} would overwrite the input {source}: name another folder with --output"
            )


def _folds_case(folder: Path) -> bool:
    """Whether the file system of ``folder``, or of its nearest parent, equates ``A`` and ``a``."""
    existing = next((p for p in (folder, *folder.parents) if p.exists()), folder)
    for path in (existing, *existing.parents):
        other = path.with_name(path.name.swapcase()) if path.name else path
        if other.name != path.name:
            try:
                return other.exists() and other.samefile(path)
            except OSError:
                return False
    return False


def folded(name: PurePosixPath | str) -> str:
    """Return a name as a disk compares it that equates cases and Unicode's spellings."""
    return unicodedata.normalize("NFC", str(name)).casefold()


def _key(path: PurePosixPath) -> str:
    return str(path).casefold()
