"""When a photo was taken, from its EXIF: what edits keep, and what tells two photos apart."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

#: EXIF lies near a file's beginning, in every format.
HEAD = 1 << 20
#: Headers of EXIF's TIFF structure, and how many are tried: pixels may look like one.
_HEADER, _TRIED = re.compile(rb"II\*\0|MM\0\*"), 8
_EXIF_IFD, _ORIGINAL, _FRACTION, _MAKE, _MODEL = 0x8769, 0x9003, 0x9291, 0x010F, 0x0110
#: ``Taken.time`` with an optional fraction.
_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")


class Taken(NamedTuple):
    """What EXIF says of how a photo was taken.

    Attributes:
        time: ``DateTimeOriginal`` with its fraction of a second, as EXIF has it.
        camera: maker and model; empty if EXIF names none.
    """

    time: str
    camera: str

    @property
    def seconds(self) -> float | None:
        """The time in seconds since some day; None if the text is no time."""
        found = _TIME.fullmatch(self.time)
        if found is None:
            return None
        year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
        try:
            moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
        except ValueError:
            return None
        return moment.timestamp() + float(f"0.{found[7] or 0}")


def time_taken(path: Path) -> str | None:
    """Return EXIF's ``DateTimeOriginal`` with its fraction of a second.

    Args:
        path: a photo of any format; nothing is decoded.

    Returns:
        The text as EXIF has it; None if the file has none, or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError:
        return None
    taken = taken_of(head)
    return None if taken is None else taken.time


def taken_of(head: bytes) -> Taken | None:
    """Return what EXIF says of how a photo was taken.

    Args:
        head: the first bytes of its file, ``HEAD`` at most.

    Returns:
        None if EXIF has no time.
    """
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


def _original(tiff: bytes) -> Taken | None:
    from PIL import Image

    from .open import quiet

    exif = Image.Exif()
    try:
        with quiet():  # Pillow would warn of damaged EXIF on the terminal
            exif.load(tiff)
            tags = exif.get_ifd(_EXIF_IFD)
        original, fraction = tags.get(_ORIGINAL), tags.get(_FRACTION)
        camera = " ".join(str(exif.get(tag, "")).strip("\0 ") for tag in (_MAKE, _MODEL)).strip()
    except Exception:  # Pillow raises whatever a damaged structure leads to
        return None
    if not isinstance(original, str) or not any(digit in original for digit in "123456789"):
        return None  # cameras without a clock write zeros or blanks
    parts = [original, fraction] if isinstance(fraction, str) else [original]
    return Taken(".".join(part.strip("\0 ") for part in parts)[:64], camera[:128])
