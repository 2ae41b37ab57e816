"""Pictures hidden in metadata, in which an object removed from the photo would still be visible."""

from __future__ import annotations

import re

from ..containers.jpeg import parse

_JPEG = re.compile(rb"\xff\xd8\xff")
#: Among numbers those three bytes are common; a table of quantisation or a text follows a JPEG's.
_JPEG_AMONG_NUMBERS = re.compile(
    rb"\xff\xd8\xff(?:\xdb\0[\x43\x84\xc5]|[\xe0-\xfe]..[ -~]{4})", re.DOTALL
)
_BINARY = re.compile(
    rb"\x89PNG\r\n\x1a\n|RIFF....WEBP|ftyp(?:avif|heic|heix|mif1|mp4|isom|qt  )",
    re.DOTALL,
)
_BASE64 = re.compile(rb"(?:/9j/|iVBORw0KGgo|UklGR)[A-Za-z0-9+/=]{48}")
_HEXADECIMAL = re.compile(rb"(?:ffd8ff|89504e470d0a1a0a)[0-9a-f]{48}", re.IGNORECASE)
_LINE_BREAKS = re.compile(rb"\s|&#x?[0-9A-Fa-f]+;|\\n")
# Some cameras overwrite a preview's first byte; the bytes behind it still identify a JPEG.
_SPOILED = re.compile(rb"[^\xff]\xd8\xff[\xdb\xe0\xe1]")


def may_hold_picture(content: bytes, *, numbers: bool = False) -> bool:
    """Whether ``content`` contains the start of a picture (JPEG, PNG, WebP, HEIC, AVIF) or a film.

    Raw bytes, base64 and hexadecimal digits are searched.

    Args:
        content: what is searched.
        numbers: whether it is a table of numbers, which has no line breaks, and any three bytes.
    """
    jpeg = _JPEG_AMONG_NUMBERS if numbers else _JPEG
    if jpeg.search(content) or _BINARY.search(content):
        return True
    joined = content if numbers else _LINE_BREAKS.sub(b"", content)
    return bool(_BASE64.search(joined) or _HEXADECIMAL.search(joined))


def blank_jpegs(data: bytearray) -> None:
    """Zero every JPEG in ``data``; one that runs to the end of ``data`` is cut off.

    Each is zeroed up to its own end, because a preview may hold a thumbnail.
    """
    start = data.find(b"\xff\xd8\xff")
    while start >= 0:
        blank(data, start, _end(data, start))
        start = data.find(b"\xff\xd8\xff", start)
    at = 0
    while match := _SPOILED.search(data, at):
        end, at = _end(data, match.start()), match.end()
        if end < len(data) or data.endswith(b"\xff\xd9"):  # otherwise a chance match, no picture
            blank(data, match.start(), end)


def blank(data: bytearray, start: int, end: int) -> None:
    """Zero the bytes, or cut them off if nothing follows them."""
    if end >= len(data):
        del data[start:]
    else:
        data[start:end] = bytes(end - start)


def _end(data: bytearray, start: int) -> int:
    """Return where the JPEG at ``start`` ends.

    If its segments are malformed, this is the next end marker, or else the end of ``data``.
    """
    parsed = parse(bytes(data[start:]))
    if parsed.ended:
        return len(data) - len(parsed.trailer)
    end = data.find(b"\xff\xd9", start)
    return len(data) if end < 0 else end + 2
