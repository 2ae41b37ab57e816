"""The chunks of a WebP file (RIFF), without decoding its pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_PICTURE = frozenset((b"VP8 ", b"VP8L", b"ALPH", b"ICCP", b"ANIM", b"ANMF"))
_HEADER, _EXIF = b"VP8X", b"EXIF"
_HAS_EXIF, _HAS_XMP = 0x08, 0x04


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, payload) in file order, up to the end of the file or of its RIFF."""
    at, end = 12, min(len(content), 8 + int.from_bytes(content[4:8], "little"))
    while at + 8 <= end:
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        yield name, content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def without_metadata(content: bytes, exif: bytes | None) -> bytes:
    """Return the file without XMP, unknown chunks and bytes behind its end.

    Args:
        content: the file.
        exif: the new EXIF from its TIFF header on; None for none.
    """
    kept = []
    extended = False
    for name, payload in chunks(content):
        if name == _HEADER and payload:
            extended = True
            flags = payload[0] & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if exif else 0)
            kept.append((name, bytes((flags,)) + payload[1:]))
        elif name in _PICTURE:
            kept.append((name, payload))
    if exif and extended:
        kept.append((_EXIF, exif))
    body = b"".join(
        name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)
        for name, payload in kept
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
