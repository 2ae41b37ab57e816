"""The one table of image formats. A new format is one file beside this one and one line here."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from ...errors import UnwritableError
from ..native import Native, Sheet
from .avif import AVIF
from .bmp import BMP
from .format import Format
from .gif import GIF
from .heif import HEIF
from .jpeg import JPEG
from .png import PNG
from .raw import RAW
from .tiff import TIFF
from .webp import WEBP

FORMATS: tuple[Format, ...] = (JPEG, PNG, WEBP, TIFF, BMP, GIF, AVIF, HEIF, RAW)

_BY_NAME = {name: record for record in FORMATS for name in (record.name, *record.aliases)}
_BY_SUFFIX = {suffix: record for record in FORMATS for suffix in record.suffixes}


def format_named(name: str | None) -> Format:
    """Return the format of Pillow's name for it.

    Raises:
        KeyError: if no format has this name.
    """
    return _BY_NAME[str(name)]


def format_of_suffix(suffix: str) -> Format | None:
    """Return the format of a file name's ending (with its dot, in any case); None if unknown."""
    return _BY_SUFFIX.get(suffix.lower())


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write ``sheet`` in the format of ``native`` with its metadata.

    Raises:
        UnwritableError: if the format cannot hold it.
    """
    record = format_named(native.format)
    if sheet.pixels.dtype == np.uint16 and not record.deep:
        raise UnwritableError(
            f"{native.format} cannot hold 16 bits per channel; write a PNG or TIFF"
        )
    record.encode(sheet, native, handle)
