"""BMP."""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np

from ..native import Native, Sheet
from .format import Format, encoded

_METRES_PER_INCH = 0.0254
_HEADER_BYTES = 14
_BITFIELDS = 3
_RGBA_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write a BMP.

    Pillow writes all modes but RGBA: its header does not declare the alpha channel, which takes a
    version 4 header with channel masks.
    """
    dpi = native.metadata.dpi or (96.0, 96.0)
    if sheet.mode != "RGBA":
        handle.write(encoded(sheet, "BMP", dpi=dpi))
        return
    height, width = sheet.pixels.shape[:2]
    bottom_up_bgra = np.ascontiguousarray(sheet.pixels[::-1, :, [2, 1, 0, 3]])
    size = bottom_up_bgra.nbytes
    densities = (round(value / _METRES_PER_INCH) for value in dpi)
    header = struct.pack(
        "<IiiHHIIii2I4I4s48x",
        *(108, width, height, 1, 32, _BITFIELDS, size, *densities, 0, 0, *_RGBA_MASKS, b"BGRs"),
    )
    start = _HEADER_BYTES + len(header)
    handle.write(struct.pack("<2sIHHI", b"BM", start + size, 0, 0, start) + header)
    handle.write(bottom_up_bgra.data)


BMP = Format(name="BMP", title="BMP", suffixes=(".bmp",), lossy=False, encode=encode)
