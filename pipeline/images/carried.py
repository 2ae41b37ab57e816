"""Which of a photo's metadata its result gets, made true for the new picture.

``Keep.KNOWN``, the default, goes by lists of what is known to hold no picture. ``Keep.ALL`` keeps
everything but the pictures that are found, and ``Keep.NEEDED`` what the pixels need.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum

from .formats.table import format_named
from .metadata.exif import known_exif
from .metadata.exif_xmp import essential_exif, orientation, upright_exif, upright_xmp
from .metadata.icc import known_profile
from .metadata.xmp import known_xmp
from .native import Metadata, Native

#: Begins the sentence that names what was dropped.
DROPPED = "dropped metadata: "
#: Names of dropped metadata in one sentence.
_MOST_NAMES = 8


class Keep(Enum):
    """Which metadata a result keeps."""

    #: What says when, where, with what and by whom a photo was taken, what it shows, its colours.
    KNOWN = "known"
    #: Also what this program does not know, in which a picture of what was removed may survive.
    ALL = "all"
    #: What the pixels need to look the same: colours, density, orientation.
    NEEDED = "needed"


def carried(native: Native, size: tuple[int, int], keep: Keep) -> tuple[Native, tuple[str, ...]]:
    """Return a photo's ``Native`` with the metadata that its result gets.

    Args:
        native: the photo's, with the metadata of its file.
        size: height and width of the upright photo.
        keep: which metadata stay.

    Returns:
        The new ``Native``, and sentences about what was dropped.
    """
    names: tuple[str, ...] = ()
    if keep is Keep.KNOWN:
        native, names = format_named(native.format).known(native)
    elif keep is Keep.NEEDED:
        native = format_named(native.format).bare(native)
    change = {Keep.KNOWN: _known, Keep.ALL: _all, Keep.NEEDED: _needed}[keep]
    metadata, notes = change(native.metadata, size, 1)
    coded = native.coded
    if coded is not None and native.turn == 1:
        coded = replace(coded, metadata=metadata)
    elif coded is not None:
        stored = size if native.turn < 5 else size[::-1]
        coded = replace(coded, metadata=change(coded.metadata, stored, native.turn)[0])
    if keep is Keep.KNOWN:
        notes = _told([*notes, *names, *native.dropped])
    return replace(native, metadata=metadata, coded=coded), notes


def _all(metadata: Metadata, size: tuple[int, int], turn: int) -> tuple[Metadata, tuple[str, ...]]:
    """Return the metadata without the pictures that are found in them, and what was lost."""
    exif, xmp, notes = metadata.exif, metadata.xmp, []
    if exif and (exif := upright_exif(exif, size, turn)) is None:
        notes.append("its EXIF is damaged: the cleaned file has none")
    if xmp and (xmp := upright_xmp(xmp, turn)) is None:
        notes.append(
            "its XMP describes or holds a further picture, which the cleaned file does not have: "
            "XMP is dropped"
        )
    return _turned(replace(metadata, exif=exif, xmp=xmp), turn), tuple(notes)


def _known(
    metadata: Metadata, size: tuple[int, int], turn: int
) -> tuple[Metadata, tuple[str, ...]]:
    """Return the known metadata, and the names of the others."""
    metadata, dropped = _with_known_profile(metadata)
    exif = known_exif(metadata.exif, size, turn) if metadata.exif else None
    xmp = known_xmp(metadata.xmp, size, turn) if metadata.xmp else None
    rebuilt = replace(metadata, exif=exif and exif.block, xmp=xmp and xmp.block)
    names = [name for part in (exif, xmp) if part for name in part.dropped]
    return _turned(rebuilt, turn), (*names, *dropped)


def _needed(
    metadata: Metadata, size: tuple[int, int], turn: int
) -> tuple[Metadata, tuple[str, ...]]:
    """Return a bare photo's metadata with a known profile."""
    return _with_known_profile(metadata)[0], ()


def _with_known_profile(metadata: Metadata) -> tuple[Metadata, tuple[str, ...]]:
    if metadata.icc is None:
        return metadata, ()
    known = known_profile(metadata.icc)
    return replace(metadata, icc=known.profile), known.dropped


def _turned(metadata: Metadata, turn: int) -> Metadata:
    """Return metadata that declare the orientation in which pixels are stored."""
    if turn == 1 or orientation(metadata.exif, metadata.xmp) == turn:
        return metadata
    return replace(metadata, exif=essential_exif(turn))


def _told(names: Iterable[str]) -> tuple[str, ...]:
    """Return the sentence that names what was dropped, if anything was."""
    different = list(dict.fromkeys(names))
    if not different:
        return ()
    shown = ", ".join(different[:_MOST_NAMES])
    more = len(different) - _MOST_NAMES
    return (f"{DROPPED}{shown}{f' and {more} more' if more > 0 else ''}",)
