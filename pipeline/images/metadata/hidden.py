"""Pictures that hide in metadata: what was removed from the photo would still be seen in them."""

from __future__ import annotations

import re

from ..containers.jpeg import parse

_BINARY = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF....WEBP|ftyp(?:avif|heic|heix|mif1|mp4|isom|qt  )",
    re.DOTALL,
)
_BASE64 = re.compile(rb"(?:/9j/|iVBORw0KGgo|UklGR)[A-Za-z0-9+/=]{48}")
_HEXADECIMAL = re.compile(rb"(?:ffd8ff|89504e470d0a1a0a)[0-9a-f]{48}", re.IGNORECASE)
_LINE_BREAKS = re.compile(rb"\s|&#x?[0-9A-Fa-f]+;|\\n")
# Some cameras spoil a preview's first byte; two that follow SOI tell it all the same.
_SPOILED = re.compile(rb"[^\xff]\xd8\xff[\xdb\xe0\xe1]")


def may_hold_picture(content: bytes) -> bool:
    """Whether a JPEG, PNG, WebP, HEIC, AVIF or a film begins somewhere in it: as it is, in base 64, or in hexadecimal digits."""
    if _BINARY.search(content):
        return True
    joined = _LINE_BREAKS.sub(b"", content)
    return bool(_BASE64.search(joined) or _HEXADECIMAL.search(joined))


def blank_jpegs(data: bytearray) -> None:
    """Zero every JPEG in ``data``, each from its beginning to its own end (a preview may hold a thumbnail); the last one is cut off."""
    start = data.find(b"\xff\xd8\xff")
    while start >= 0:
        blank(data, start, _end(data, start))
        start = data.find(b"\xff\xd8\xff", start)
    at = 0
    while match := _SPOILED.search(data, at):
        end, at = _end(data, match.start()), match.end()
        if end < len(data) or data.endswith(b"\xff\xd9"):  # else it is a chance, and no picture
            blank(data, match.start(), end)


def blank(data: bytearray, start: int, end: int) -> None:
    """Zero the bytes, or cut them off where nothing follows them."""
    if end >= len(data):
        del data[start:]
    else:
        data[start:end] = bytes(end - start)


def _end(data: bytearray, start: int) -> int:
    """Where a JPEG ends, or, where its segments make no sense, the next end of any; the end of ``data`` where there is none."""
    parsed = parse(bytes(data[start:]))
    if parsed.ended:
        return len(data) - len(parsed.trailer)
    end = data.find(b"\xff\xd9", start)
    return len(data) if end < 0 else end + 2
