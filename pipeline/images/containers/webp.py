"""The chunks of a WebP file (RIFF), without decoding its pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

_HEADER, _PROFILE, _ALPHA, _EXIF = b"VP8X", b"ICCP", b"ALPH", b"EXIF"
_LOSSY, _LOSSLESS = b"VP8 ", b"VP8L"
_ANIMATION, _FRAME = b"ANIM", b"ANMF"
_HAS_PROFILE, _HAS_ALPHA, _HAS_EXIF, _ANIMATED = 0x20, 0x10, 0x08, 0x02
_HEADER_BYTES, _ANIMATION_BYTES, _FRAME_BYTES = 10, 6, 16
#: Where each chunk stands in a file, and in a frame of an animation.
_ORDER = (_HEADER, _PROFILE, _ANIMATION, _FRAME, _ALPHA, _LOSSY, _LOSSLESS)
_FRAME_ORDER = (_ALPHA, _LOSSY, _LOSSLESS)


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, payload) in file order, up to the end of the file or of its RIFF."""
    return _chunks(content, 12, 8 + int.from_bytes(content[4:8], "little"))


def _chunks(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    while at + 8 <= min(len(content), end):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        yield name, content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def without_metadata(content: bytes, exif: bytes | None, icc: bytes | None) -> bytes:
    """Return the file of its one picture, a profile and EXIF, and of nothing else.

    Args:
        content: the file.
        exif: the new EXIF from its TIFF header on; None for none.
        icc: the new colour profile; None for none.

    Raises:
        ValueError: if the file holds no picture.
    """
    kept = _first_of_each(chunks(content), _ORDER)
    if _HEADER not in kept:
        kept = {name: kept[name] for name in (_LOSSY, _LOSSLESS) if name in kept}
    else:
        flags = kept[_HEADER][0] & (_HAS_ALPHA | _ANIMATED)
        flags |= (_HAS_EXIF if exif else 0) | (_HAS_PROFILE if icc else 0)
        size = kept[_HEADER][4:_HEADER_BYTES]
        kept = {**kept, _HEADER: bytes((flags, 0, 0, 0)) + size, _PROFILE: icc or b""}
        if flags & _ANIMATED:
            kept[_ANIMATION] = kept.get(_ANIMATION, b"")[:_ANIMATION_BYTES]
            kept[_FRAME] = _frame(kept.get(_FRAME, b""))
        else:
            kept = {n: p for n, p in kept.items() if n not in (_ANIMATION, _FRAME)}
        kept[_EXIF] = exif or b""
    if not any(name in kept for name in (_LOSSY, _LOSSLESS, _FRAME)):
        raise ValueError("it holds no picture")
    body = _joined((name, kept[name]) for name in (*_ORDER, _EXIF) if kept.get(name))
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def with_shorter_chunk(content: bytes, name: bytes, length: int) -> bytes:
    """Return the file with all chunks of a name cut to a length."""
    body = _joined((n, p[:length] if n == name else p) for n, p in chunks(content))
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _first_of_each(
    found: Iterable[tuple[bytes, bytes]], names: tuple[bytes, ...]
) -> dict[bytes, bytes]:
    """Return the first chunk of each name, of the one picture only."""
    kept: dict[bytes, bytes] = {}
    for name, payload in found:
        if name in names and not (name in (_LOSSY, _LOSSLESS) and {_LOSSY, _LOSSLESS} & set(kept)):
            kept.setdefault(name, payload)
    return kept


def _frame(payload: bytes) -> bytes:
    """Return the frame of an animation with its picture only."""
    kept = _first_of_each(_chunks(payload, _FRAME_BYTES, len(payload)), _FRAME_ORDER)
    return payload[:_FRAME_BYTES] + _joined((n, kept[n]) for n in _FRAME_ORDER if n in kept)


def _joined(parts: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(
        name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)
        for name, payload in parts
    )
