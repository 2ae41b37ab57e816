"""When a photo was taken, from its EXIF: what edits keep, and what tells two photos apart."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

#: EXIF lies near a file's beginning, in every format.
_HEAD = 1 << 20
#: Headers of EXIF's TIFF structure, and how many are tried: pixels may look like one.
_HEADER, _TRIED = re.compile(rb"II\*\0|MM\0\*"), 8
_EXIF_IFD, _ORIGINAL, _FRACTION = 0x8769, 0x9003, 0x9291


def time_taken(path: Path) -> str | None:
    """Return EXIF's ``DateTimeOriginal`` with its fraction of a second.

    Args:
        path: a photo of any format; nothing is decoded.

    Returns:
        The text as EXIF has it; None if the file has none, or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    for number, header in enumerate(_HEADER.finditer(head)):
        if number == _TRIED:
            return None
        if (taken := _original(head[header.start() :])) is not None:
            return taken
    return None


def taken_mark(path: Path) -> str | None:
    """Return a hash of ``time_taken``: the journal tells photos apart and holds no metadata."""
    taken = time_taken(path)
    return None if taken is None else hashlib.sha256(taken.encode()).hexdigest()[:16]


def _original(tiff: bytes) -> str | None:
    from PIL import Image

    from .open import quiet

    exif = Image.Exif()
    try:
        with quiet():  # Pillow would warn of damaged EXIF on the terminal
            exif.load(tiff)
            tags = exif.get_ifd(_EXIF_IFD)
        original, fraction = tags.get(_ORIGINAL), tags.get(_FRACTION)
    except Exception:  # Pillow raises whatever a damaged structure leads to
        return None
    if not isinstance(original, str) or not any(digit in original for digit in "123456789"):
        return None  # cameras without a clock write zeros or blanks
    parts = [original, fraction] if isinstance(fraction, str) else [original]
    return ".".join(part.strip("\0 ") for part in parts)[:64]
