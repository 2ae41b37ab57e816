"""What makes a file a bomb although its header declares few pixels. Told from the file's bytes, before anything is decoded.

What cannot be told so (a TIFF's vast tiles, whatever nobody has thought of yet) meets the limits of ``pipeline.image_decoder``.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from pipeline.errors import UnreadableError

#: No picture within the pixel limit is larger, at 16 bits and with alpha; some decoders take the whole file into memory first.
MAX_FILE_BYTES = 2 << 30
#: Encoders write a dozen scans of a progressive JPEG. Each costs a pass over all its pixels, and may take a few bytes of the file.
MOST_SCANS = 200


def refuse_vast_file(handle: BinaryIO) -> None:
    """Raise ``UnreadableError`` for more than ``MAX_FILE_BYTES``."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    if size > MAX_FILE_BYTES:
        raise UnreadableError(f"the file has {size:,} bytes, more than any photo within the limits of this program; scale it down first")


def refuse_endless_scans(handle: BinaryIO) -> None:
    """Raise ``UnreadableError`` for a progressive JPEG of more than ``MOST_SCANS`` scans, those of further pictures within it included."""
    handle.seek(0)
    scans, last = 0, b""
    while block := handle.read(1 << 20):
        scans += (last + block).count(b"\xff\xda")
        last = block[-1:] if block[-1:] == b"\xff" else b""
    if scans > MOST_SCANS:
        raise UnreadableError(
            f"it has {scans:,} scans where a progressive JPEG has a dozen, and would take for ever to decode; save it again"
        )
