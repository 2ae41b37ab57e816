"""The size that a WebP file declares, corrected where it is not that of its chunks."""

from __future__ import annotations

import struct

#: The chunks of the standard. Behind the last whole one is rubbish, or one that is cut off.
_KNOWN = frozenset(
    (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP", b"ANIM", b"ANMF", b"EXIF", b"XMP ")
)
_CODED = frozenset((b"VP8 ", b"VP8L", b"ANMF"))


def with_true_size(content: bytes) -> bytes | None:
    """Return the file with the size of its chunks, and without one that is cut off.

    Returns:
        None if the declared size is possible, or if the picture itself is cut off.
    """
    declared = 8 + int.from_bytes(content[4:8], "little")
    end, has_picture = _end_of_chunks(content)
    if end <= declared <= len(content) and declared % 2 == 0:
        return None
    if not has_picture:
        return None
    body = content[8:end]
    body += bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _end_of_chunks(content: bytes) -> tuple[int, bool]:
    """Return where the last whole chunk of a known name ends, and whether one is a picture."""
    at, has_picture = 12, False
    while at + 8 <= len(content) and (name := content[at : at + 4]) in _KNOWN:
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        if at + 8 + size > len(content):
            break
        has_picture |= name in _CODED
        at = min(at + 8 + size + size % 2, len(content))
    return at, has_picture
