"""No target is an input, no two photos share a target, nothing lands outside the output folder."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import UsageError
from pipeline.remote import Location
from pipeline.suffixes import LOSSY_SUFFIXES


@dataclass(frozen=True, slots=True)
class Found:
    """A photo and its name relative to the folder it was found in."""

    source: Location
    relative: PurePosixPath


def refuse_collisions(found: Sequence[Found], output: Location, lossless: bool) -> None:
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
                raise UsageError(f"{taken[key]} and {item.source} would both write {output / name}: rename one, or clean them in two runs")


def _refuse_links(found: Sequence[Found], output: Path) -> None:
    real_output = output.resolve()
    sources = {item.source.resolve(): item.source for item in found if isinstance(item.source, Path)}
    folders: dict[Path, Path] = {}
    for item in found:
        target = output / item.relative
        folder = folders.setdefault(target.parent, target.parent.resolve())
        if not folder.is_relative_to(real_output):
            raise UsageError(f"{target.parent} is a link that leaves the output folder: remove it, or name another output")
        if (source := sources.get((folder / target.name).resolve())) is not None:
            raise UsageError(f"{target} would overwrite the input {source}: name another folder with --output")


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
