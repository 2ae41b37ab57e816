"""A colour profile without foreign data: only the tags that colours need, each as long as it is.

An ordinary profile passes unchanged, byte for byte (ICC.1:2022, sections 7 to 10).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from .hidden import may_hold_picture

_HEADER_BYTES, _SIGNATURE_AT, _RESERVED_AT = 128, 36, 100
_TABLE_AT = _HEADER_BYTES + 4
_MOST_TAGS = 100
#: Text that people read: a name, a copyright line. No picture fits into one.
_LONGEST_TEXT, _LONGEST_WORD, _MOST_LANGUAGES = 512, 64, 100
_TEXTS = frozenset(b"desc cprt dmnd dmdd vued dscm".split())
_NUMBERS = frozenset(
    b"wtpt bkpt rXYZ gXYZ bXYZ lumi chad chrm rTRC gTRC bTRC kTRC aarg aagg aabg tech rig0 rig2"
    b" meas view calt cicp ciis gamt A2B0 A2B1 A2B2 A2B3 A2M0 B2A0 B2A1 B2A2 B2A3 M2A0"
    b" D2B0 D2B1 D2B2 D2B3 B2D0 B2D1 B2D2 B2D3".split()
)
_TABLES = frozenset((b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet"))
#: The most bytes of a tag whose length does not depend on its content, by its type.
_LONGEST: Mapping[bytes, int] = {
    b"XYZ ": 20,
    b"para": 40,
    b"sf32": 44,
    b"chrm": 36,
    b"sig ": 12,
    b"meas": 36,
    b"view": 36,
    b"dtim": 20,
    b"cicp": 12,
}


class _Tag(NamedTuple):
    name: bytes
    at: int
    body: bytes


def plain_profile(profile: bytes | None) -> bytes | None:
    """Return the profile without private tags, long texts and bytes between or behind its tags.

    Args:
        profile: an ICC profile, or None.

    Returns:
        The same bytes if nothing has to go; None for no profile, and for one that is malformed or
        whose curves and tables are none.
    """
    if not profile or profile[_SIGNATURE_AT : _SIGNATURE_AT + 4] != b"acsp":
        return None
    try:
        tags = list(_tags(profile))
        kept = [tag for tag in tags if tag.name in _NUMBERS or _is_text(tag)]
    except (struct.error, UnicodeDecodeError):
        return None
    if not kept or not all(tag.name in _TEXTS or _is_plausible(tag.body) for tag in kept):
        return None
    return profile if kept == tags and _is_whole(profile, tags) else _built(profile, kept)


def _tags(profile: bytes) -> Iterator[_Tag]:
    """Yield the tags.

    Raises:
        struct.error: if one does not lie within the profile.
    """
    (count,) = struct.unpack_from(">I", profile, _HEADER_BYTES)
    for number in range(count):
        name, at, size = struct.unpack_from(">4sII", profile, _TABLE_AT + 12 * number)
        if number >= _MOST_TAGS or at < _TABLE_AT + 12 * count or at + size > len(profile):
            raise struct.error
        yield _Tag(name, at, profile[at : at + size])


def _is_plausible(body: bytes) -> bool:
    """Whether a tag of numbers has the length of its type, and its numbers can be a curve."""
    kind = body[:4]
    if kind in _TABLES:
        return not may_hold_picture(body)
    if kind != b"curv":
        return len(body) <= _LONGEST.get(kind, 0)
    count = int.from_bytes(body[8:12], "big")
    if not 0 <= len(body) - 12 - 2 * count < 4:  # up to three bytes align it
        return False
    steps = np.diff(np.frombuffer(body, ">u2", count, 12).astype(int))
    backward = min(np.count_nonzero(steps < 0), np.count_nonzero(steps > 0))
    return bool(backward <= len(steps) / 16)


def _is_text(tag: _Tag) -> bool:
    read = _TEXT_TYPES.get(tag.body[:4])
    texts = None if tag.name not in _TEXTS or read is None else read(tag.body)
    return texts is not None and all(_is_readable(text) for text in texts)


def _is_readable(text: str) -> bool:
    words = text.rstrip("\0").split()
    return len(text) <= _LONGEST_TEXT and max(map(len, words), default=0) <= _LONGEST_WORD


def _plain(body: bytes) -> list[str]:
    return [body[8:].decode("latin-1")]


def _described(body: bytes) -> list[str] | None:
    """Return the texts of a textDescriptionType: ASCII, Unicode, and 67 bytes for a Macintosh."""
    (count,) = struct.unpack_from(">I", body, 8)
    at = 12 + count
    (_, wide) = struct.unpack_from(">II", body, at)
    mac_at = at + 8 + 2 * wide
    _, used = struct.unpack_from(">HB", body, mac_at)
    end = mac_at + 3 + 67
    if used > 67 or any(body[mac_at + 3 + used : end]) or any(body[end:]) or len(body) > end + 3:
        return None
    return [
        body[12:at].decode("latin-1"),
        body[at + 8 : mac_at].decode("utf-16-be"),
        body[mac_at + 3 : mac_at + 3 + used].decode("latin-1"),
    ]


def _localized(body: bytes) -> list[str] | None:
    """Return the texts of a multiLocalizedUnicodeType; None if it holds anything besides."""
    count, size = struct.unpack_from(">II", body, 8)
    if size != 12 or count > _MOST_LANGUAGES:
        return None
    texts, covered = [], bytearray(body)
    covered[: 16 + 12 * count] = bytes(16 + 12 * count)
    for number in range(count):
        _, length, at = struct.unpack_from(">4sII", body, 16 + 12 * number)
        texts.append(body[at : at + length].decode("utf-16-be"))
        covered[at : at + length] = bytes(length)
    padding = 3  # to four bytes, and some writers do not clear it
    return None if any(covered[:-padding]) or len(covered) != len(body) else texts


_TEXT_TYPES: Mapping[bytes, Callable[[bytes], list[str] | None]] = {
    b"text": _plain,
    b"desc": _described,
    b"mluc": _localized,
}


def _is_whole(profile: bytes, tags: list[_Tag]) -> bool:
    """Whether the profile consists of its header and its tags, with zeros that align them."""
    rest = bytearray(profile)
    ahead = _TABLE_AT + 12 * len(tags)
    rest[:_RESERVED_AT] = bytes(_RESERVED_AT)
    rest[_HEADER_BYTES:ahead] = bytes(ahead - _HEADER_BYTES)
    for tag in tags:
        rest[tag.at : tag.at + len(tag.body)] = bytes(len(tag.body))
    return not any(rest) and int.from_bytes(profile[:4], "big") == len(profile)


def _built(profile: bytes, tags: list[_Tag]) -> bytes:
    """Write a new profile of the old header and these tags."""
    table, data, places = bytearray(), bytearray(), {}
    first = _TABLE_AT + 12 * len(tags)
    for tag in tags:
        if tag.body not in places:
            places[tag.body] = first + len(data)
            data += tag.body + bytes(-len(tag.body) % 4)
        table += struct.pack(">4sII", tag.name, places[tag.body], len(tag.body))
    # The ID, at 84, is a hash of the old content; what follows it is reserved.
    head = profile[4:84].ljust(_HEADER_BYTES - 4, b"\0")
    size = struct.pack(">I", first + len(data))
    return size + head + struct.pack(">I", len(tags)) + bytes(table + data)
