"""Names of results and masks.

No target is an input, no two photos share a target, and nothing lands outside the output folder. A
mask is named ``masks/<path>/a.png`` for ``a.jpg``, or ``a.jpg.png`` where the short name would not
belong to one photo alone; its layers are ``a.layers.png`` beside it. ``pipeline.batch.sources``
says in which subfolder a result lies.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import UsageError
from ..images.suffixes import added_suffix
from ..storage.layout import PREVIEW_PAGE, PREVIEWS, REPORT, REPORT_PAGE, REPORT_TABLE
from ..storage.location import Location
from ..system.confined import refuse_links

#: Folder of saved masks in the output folder.
MASKS = "masks"
#: The end of the name of a mask's layers, in place of the mask's ``.png``.
LAYERS = ".layers.png"
#: Bytes of the longest name that disks allow.
_LONGEST = 255

#: Names in the output folder that no subfolder of results takes.
RESERVED = {MASKS, PREVIEWS, PREVIEW_PAGE, REPORT, REPORT_TABLE, REPORT_PAGE}


@dataclass(frozen=True, slots=True)
class InputPhoto:
    """A photo's file and its names.

    Attributes:
        source: the file.
        relative: its name relative to ``root``, or in the output folder once that is chosen.
        root: the given folder, or the folder of a given file.
        below_root: its name relative to ``root``.
        key: the text by which the journal knows the file, see ``sources.source_key``.
        missing: why a listed file cannot be cleaned; empty if it exists.
    """

    source: Location
    relative: PurePosixPath
    root: Location
    below_root: PurePosixPath
    key: str
    missing: str = ""


def refuse_collisions(
    photos: Sequence[InputPhoto], output: Location, lossless: bool, raw_output: str = "tiff"
) -> None:
    """Check that every result gets a file of its own inside the output folder.

    Args:
        photos: all photos of the run.
        output: the output folder.
        lossless: whether lossy photos are written as PNG, under one more suffix.
        raw_output: the format of RAW photos, whose suffix they get beside their own.

    Raises:
        UsageError: a result would land outside the output folder, on an input, or on another
            result.
    """
    if isinstance(output, Path):
        _refuse_links(photos, output)
    folds_case = isinstance(output, Path) and _folds_case(output)
    owners: dict[str, Location] = {}
    for photo in photos:
        names = [str(photo.relative)]
        if ending := added_suffix(names[0], lossless=lossless, raw_output=raw_output):
            names.append(f"{names[0]}{ending}")
        for name in names:
            key = folded(name) if folds_case else name
            owner = owners.setdefault(key, photo.source)
            if owner is not photo.source and owner != photo.source:
                raise UsageError(
                    f"{owner} and {photo.source} would both write {output / name}: "
                    "rename one of them, or clean one into another folder with --output"
                )


def mask_names(
    photos: Sequence[PurePosixPath], saved: Mapping[str, PurePosixPath | None] | None = None
) -> list[PurePosixPath]:
    """Choose a different mask name for every photo.

    A name is lengthened if another photo shares the stem, if another mask or its layers have it, or
    if a photo of the folder ``masks`` is itself written there. So it is if it ends as the names of
    layers do: ``a.layers.png`` always belongs to ``a.png``. Upper and lower case count as one, and
    so do Unicode's spellings, because many disks treat them so. A mask that an earlier run saved
    keeps its name.

    Args:
        photos: paths relative to the output folder.
        saved: the photos of earlier runs, by their paths, with their saved masks.

    Returns:
        The paths of their masks, relative to the output folder, in the same order.
    """
    saved = saved or {}
    given = [str(photo) for photo in photos]
    others = saved.keys() - set(given)
    names = _unique_masks([*given, *(str(PurePosixPath(name)) for name in others)])
    masks = {folded(mask) for mask in saved.values() if mask is not None}
    taken = masks | {_layers_text(mask) for mask in masks}
    chosen = []
    for photo, name in zip(given, names, strict=False):
        own = saved.get(photo)
        if own is not None and _layers_text(folded(own)) not in masks:
            chosen.append(own)
            continue
        if own is not None or {folded(name), _layers_text(folded(name))} & taken:
            name = _mask_texts(photo)[1]
        chosen.append(PurePosixPath(name))
    return chosen


def layers_name(mask: PurePosixPath) -> PurePosixPath:
    """Return the name of a mask's layers in the output folder."""
    return mask.with_name(_layers_text(mask.name))


def possible_masks(photo: PurePosixPath | str) -> tuple[PurePosixPath, PurePosixPath]:
    """Return the short and the full name that a photo's mask may have in the output folder."""
    short, full = _mask_texts(str(PurePosixPath(photo)))
    return PurePosixPath(short), PurePosixPath(full)


def _mask_texts(photo: str) -> tuple[str, str]:
    """Return ``possible_masks`` of a normal path as text: a plan asks for very many."""
    full = photo if photo.startswith("/") else f"{MASKS}/{photo}"
    folder, slash, name = full.rpartition("/")
    stem, _, suffix = name.rpartition(".")
    short = stem if stem and suffix else name
    return f"{folder}{slash}{short}.png", f"{full}.png"


def is_too_long(name: PurePosixPath) -> bool:
    """Whether a file's name, without its folders, is longer than disks allow."""
    return len(os.fsencode(name.name)) > _LONGEST


def _layers_text(mask: str) -> str:
    return f"{mask.removesuffix('.png')}{LAYERS}"


def _unique_masks(photos: Sequence[str]) -> list[str]:
    results = {folded(photo) for photo in photos}
    texts = [_mask_texts(photo) for photo in photos]
    full = [long for _, long in texts]
    names = [long if folded(short).endswith(LAYERS) else short for short, long in texts]
    while True:
        keys = [folded(name) for name in names]
        count = Counter(keys)
        clashes = [
            i
            for i, (name, key) in enumerate(zip(names, keys, strict=True))
            if name != full[i]
            and (count[key] > 1 or key in results or _layers_text(key) in results)
        ]
        if not clashes:
            return names
        for i in clashes:
            names[i] = full[i]


def _refuse_links(photos: Sequence[InputPhoto], output: Path) -> None:
    """Refuse targets in the output folder that are reached by a link, or that are an input."""
    placed = [str(photo.relative).rpartition("/") for photo in photos]
    folders = list(dict.fromkeys(folder for folder, _, _ in placed))
    refuse_links(output, (PurePosixPath(folder) for folder in folders))
    sources = {_real(photo.key): photo.source for photo in photos if isinstance(photo.source, Path)}
    real = {folder: str((output / folder).resolve()) for folder in folders}
    for photo, (folder, _, name) in zip(photos, placed, strict=True):
        if (source := sources.get(_real(os.path.join(real[folder], name)))) is not None:
            raise UsageError(
                f"{output / photo.relative} would overwrite the input {source}: "
                "name another folder with --output"
            )


def _real(file: str) -> str:
    """Return a file, whose folders are no links, as the system compares it once it is followed."""
    return os.path.normcase(os.path.realpath(file) if os.path.islink(file) else file)


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
