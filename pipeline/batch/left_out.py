"""Folders that hold no photos of the user, and the patterns of ``--exclude``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from ..errors import UsageError

#: Folders of thumbnails, trash and snapshots, in lower case. Hidden ones (``.thumbnails``,
#: ``.@__thumb``, ``.Trashes``) are never searched anyway.
_SYSTEM_FOLDERS = frozenset(
    (
        # Synology
        *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin"),
        # QNAP, Asustor, Terramaster
        *("@recycle", "@recently-snapshot", "@thumb", "@__thumb", "#recently-snapshot"),
        # macOS: archives that it packed, network volumes, iTunes
        *("__macosx", "network trash folder", "temporary items", "ipod photo cache"),
        # Windows
        *("$recycle.bin", "recycler", "recycled", "system volume information"),
        # Linux, and synchronisation programs
        *("lost+found", "_gsdata_"),
    )
)

#: Endings of folders that programs show as one file: Lightroom's previews, projects of films.
_PACKAGES = (".lrdata", ".lrcat-data", ".fcpbundle", ".imovielibrary")

#: Libraries of Photos, iPhoto and Aperture: one folder holds the photos, the others hold
#: thumbnails, previews and faces.
_LIBRARIES = (".photoslibrary", ".photolibrary", ".aplibrary", ".migratedphotolibrary")
_ORIGINALS = ("originals", "masters")


def is_system_folder(name: str, parent: str) -> bool:
    """Whether a folder holds no photos of the user: thumbnails, trash, a catalogue's previews.

    Args:
        name: the folder's name.
        parent: the name of the folder that holds it.
    """
    folded = name.casefold()
    return (
        folded in _SYSTEM_FOLDERS
        or folded.endswith(_PACKAGES)
        or (parent.casefold().endswith(_LIBRARIES) and folded not in _ORIGINALS)
    )


def is_apple_double(name: str) -> bool:
    """Whether macOS wrote the file beside another one, on a disk that cannot hold its attributes.

    ``._a.jpg`` has the name of a photo and holds none.
    """
    return name.rpartition("/")[2].startswith("._")


class Exclusions:
    """The patterns of ``--exclude``, which are those of a ``.gitignore``.

    The last pattern that fits decides, ``!`` takes back, and what lies in an excluded folder stays
    excluded. Unlike in a file, ``#`` begins no comment.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        """Read the patterns.

        Raises:
            UsageError: one of them is no pattern.
        """
        self._spec = _spec(tuple(patterns)) if patterns else None
        self._folder = cache(self._is_folder_excluded)

    def folder(self, name: str) -> bool:
        """Whether a folder is excluded, by its name relative to the given folder."""
        return self._spec is not None and self._folder(name)

    def file(self, name: str) -> bool:
        """Whether a file is excluded, by its name relative to the given folder."""
        if self._spec is None:
            return False
        above = name.rpartition("/")[0]
        return bool((above and self._folder(above)) or self._spec.match_file(name))

    def _is_folder_excluded(self, name: str) -> bool:
        above = name.rpartition("/")[0]
        assert self._spec is not None
        return bool((above and self._folder(above)) or self._spec.match_file(f"{name}/"))


@lru_cache(maxsize=8)
def _spec(patterns: tuple[str, ...]) -> Any:
    from pathspec import GitIgnoreSpec

    lines = [f"\\{pattern}" if pattern.startswith("#") else pattern for pattern in patterns]
    for pattern, line in zip(patterns, lines, strict=True):
        if why := _why_never(pattern, line):
            raise UsageError(f"--exclude {pattern!r}: {why}")
    return GitIgnoreSpec.from_lines(lines)


def _why_never(pattern: str, line: str) -> str:
    """Say why a pattern can match no file; empty if it may.

    Args:
        pattern: as the user wrote it.
        line: the same, as it stands in a ``.gitignore``.
    """
    from pathspec import GitIgnoreSpec

    if not pattern.strip() or "\n" in pattern:
        return "is no pattern; give one such as 'thumbs/'"
    if "[[:" in pattern:
        return "classes such as [:digit:] are not understood; write [0-9]"
    if {".", "..", ""} & set(pattern.removeprefix("!").strip("/").split("/")):
        return (
            "matches no file, because no name relative to a given folder has an empty part, "
            "'.' or '..'; give a pattern such as 'thumbs/' or '/raw'"
        )
    try:
        (compiled,) = GitIgnoreSpec.from_lines([line]).patterns
    except (ValueError, re.error) as error:
        return f"is no pattern ({error}); give one as in a .gitignore"
    if compiled.include is None:
        return "matches no file; a bracket that means itself is written \\[ (or ? for any letter)"
    return ""
