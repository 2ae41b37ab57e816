"""Plantings (a place, a kind, a format), and what the program makes of a file with one."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remove_objects.pipeline.errors import UnreadableError, UnwritableError
from remove_objects.pipeline.images.read import read_photo
from remove_objects.pipeline.images.save import SaveOptions, save_outcome
from remove_objects.pipeline.types import Outcome, Photo, Status

from .detector import holds_object
from .formats import HOLE, Place, cuts, places
from .kinds import Kind, kinds

#: Kinds of which the detector cannot decode a short piece.
_WHOLE = (
    *("gzip", "zlib", "base64 of zlib", "UTF-16", "base64url"),
    *("ASCII 85", "decimal numbers", "hexadecimal with spaces", "hexadecimal with colons"),
)


class Mode(Enum):
    """How the photo is saved."""

    DEFAULT = "cleaned"
    STRIPPED = "cleaned, --strip-metadata"
    UNCHANGED = "unchanged, --strip-metadata"


class Planting(NamedTuple):
    """A picture of the removed object in a file.

    Attributes:
        format: the file's ending.
        place: where the picture is.
        kind: as what.
    """

    format: str
    place: str
    kind: str

    @property
    def content(self) -> bytes:
        """The file."""
        return places()[self.format][self.place].plant(kinds()[self.kind].payload)


def plantings(kinds_at_each_place: int) -> Iterator[Planting]:
    """Yield plantings, the kinds in turn, so that all occur in every format.

    Args:
        kinds_at_each_place: how many kinds are planted in one place, as far as it takes so many.
    """
    turn = 0
    for format, found in places().items():
        for name, place in found.items():
            fitting = [
                kind
                for kind, planted in kinds().items()
                if fits(place, planted) and not (kind in _WHOLE and cuts(name))
            ]
            for _ in range(min(kinds_at_each_place, len(fitting))):
                yield Planting(format, name, fitting[turn % len(fitting)])
                turn += 1


def fits(place: Place, kind: Kind) -> bool:
    """Whether the place takes payloads of this kind."""
    return kind.is_text or not place.texts


def trial(planting: Planting, mode: Mode, folder: Path) -> str:
    """Save a photo with a planting.

    Args:
        planting: the planting.
        mode: how it is saved.
        folder: an empty folder for the files.

    Returns:
        ``gone`` or ``left`` (the result still holds the picture), or ``refused`` and the reason.
    """
    source = folder / f"s.{planting.format}"
    source.write_bytes(planting.content)
    try:
        photo = read_photo(source)
        options = SaveOptions(strip=mode is not Mode.DEFAULT)
        target = folder / f"o.{planting.format}"
        saved = save_outcome(photo, _outcome(photo, mode), target, options)
    except (UnreadableError, UnwritableError) as error:
        return f"refused: {error}".replace(f"{folder}/", "")
    content = saved.path.read_bytes()
    saved.path.unlink()
    return "left" if holds_object(content) else "gone"


def _outcome(photo: Photo, mode: Mode) -> Outcome:
    if mode is Mode.UNCHANGED:
        return Outcome(status=Status.UNCHANGED, reason="nothing found")
    hole = np.zeros(photo.size, bool)
    hole[HOLE[0] : HOLE[0] + HOLE[2], HOLE[1] : HOLE[1] + HOLE[3]] = True
    result = photo.rgb.copy()
    result[hole] = 96
    return Outcome(status=Status.OK, reason="", result=result, mask=hole)
