"""A cleaned JPEG with its own coefficients outside the hole, in the orientation it was stored in; checked before it is believed."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast

from ..errors import UnreadableError
from ..types import Mask, Photo
from .dct.splice import SpliceError, splice
from .encoders import jpeg
from .fidelity import difference
from .modes import as_stored, upright
from .native import Coded, Sheet
from .read import read_photo


def write_kept(
    photo: Photo, sheet: Sheet, hole: Mask, coded: Coded, turn: int, handle: BinaryIO
) -> Photo:
    """Write ``sheet`` (upright, HW or HWC) where ``hole`` (upright, HW) is True into the file that ``coded`` is of; gives it as read again.

    ``turn``: the orientation 1-8 in which that file's pixels lie.

    Raises:
        SpliceError: its coefficients cannot be kept, or a pixel changed that no changed block reaches.
    """
    pixels, where = (
        as_stored(sheet.pixels, turn),
        cast(Mask, as_stored(hole.view("u1"), turn).view(bool)),
    )
    segments, reach = splice(coded.content, pixels, where)
    jpeg.put(segments, coded.metadata, handle)
    handle.flush()
    try:
        written = read_photo(Path(handle.name), max_pixels=max(1, hole.size))
    except UnreadableError as error:
        raise SpliceError("what came of it cannot be read again") from error
    may_differ = cast(Mask, upright(reach.view("u1"), turn).view(bool))
    if written.size != photo.size or difference(photo.rgb, written.rgb, may_differ)[0]:
        raise SpliceError("pixels away from the holes changed")
    return written
