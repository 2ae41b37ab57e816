"""The file name endings by which a file is taken for a photo, and those that a result may add."""

from __future__ import annotations

from pathlib import PurePosixPath

from ..types import Photo
from .formats.raw import OUTPUTS, is_installed
from .formats.table import FORMATS, format_named

#: Of cameras' RAW files, which need the extra ``raw``.
RAW_SUFFIXES = frozenset(format_named("RAW").suffixes)
#: Of all formats that are read here.
SUFFIXES = frozenset(suffix for record in FORMATS for suffix in record.suffixes) - (
    frozenset() if is_installed() else RAW_SUFFIXES
)
#: Of those that may be lossy; ``--lossless`` writes them as PNG.
LOSSY_SUFFIXES = frozenset(
    suffix for record in FORMATS if record.lossy for suffix in record.suffixes
)

_LOSSLESS = format_named("PNG").suffixes[0]


def is_readable(name: str) -> bool:
    """Whether a file, by its name or a path with slashes, has a format that is read."""
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    return bool(stem) and f".{ending.lower()}" in SUFFIXES


def added_suffix(name: str, *, lossless: bool, raw_output: str) -> str:
    """Return the ending that a photo's result has behind the photo's name if it is changed.

    Args:
        name: the photo's name.
        lossless: whether lossy formats are written as PNG.
        raw_output: "tiff" or "jpeg", the format of a developed RAW.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in RAW_SUFFIXES:
        return OUTPUTS[raw_output][1]
    return _LOSSLESS if lossless and suffix in LOSSY_SUFFIXES else ""


def result_names(name: str) -> tuple[str, ...]:
    """Return all names that a photo's result may have, the photo's own first."""
    if PurePosixPath(name).suffix.lower() in RAW_SUFFIXES:
        return (name, *(f"{name}{ending}" for _, ending in OUTPUTS.values()))
    return name, f"{name}{_LOSSLESS}"


def usual_suffix(photo: Photo) -> str:
    """Return the ending that files of a photo's own format have; that of PNG if it has none."""
    try:
        return format_named(getattr(photo.native, "format", None)).suffixes[0]
    except KeyError:
        return _LOSSLESS
