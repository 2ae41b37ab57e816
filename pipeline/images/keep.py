"""Write a cleaned JPEG with its own coefficients outside the hole, in its stored orientation."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast

from ..errors import UnreadableError
from ..types import Mask, Photo, Pixels
from .dct.splice import SpliceError, splice
from .fidelity import difference
from .formats import jpeg
from .modes import as_stored, upright
from .native import Coded, Sheet
from .read import read_photo


def write_kept(
    photo: Photo, sheet: Sheet, hole: Mask, coded: Coded, turn: int, handle: BinaryIO
) -> Photo:
    """Write the source's JPEG with the sheet's pixels in the hole, and check the result.

    Args:
        photo: the photo as read.
        sheet: its cleaned pixels, upright, HW or HWC.
        hole: upright, HW bool.
        coded: the source's coefficients and metadata.
        turn: the orientation 1-8 in which the source's pixels lie.
        handle: the new file.

    Returns:
        The written photo, read again.

    Raises:
        SpliceError: if the coefficients cannot be kept, or a pixel changed that no changed block
            reaches.
    """
    pixels = as_stored(cast(Pixels, sheet.pixels), turn)
    stored_hole = cast(Mask, as_stored(hole.view("u1"), turn).view(bool))
    segments, reach = splice(coded.content, pixels, stored_hole)
    jpeg.write_segments(segments, coded.metadata, handle)
    handle.flush()
    try:
        written = read_photo(Path(handle.name), max_pixels=max(1, hole.size))
    except UnreadableError as error:
        raise SpliceError("the new file cannot be read") from error
    may_differ = cast(Mask, upright(reach.view("u1"), turn).view(bool))
    if written.size != photo.size or difference(photo.rgb, written.rgb, may_differ)[0]:
        raise SpliceError("pixels away from the holes changed")
    return written
