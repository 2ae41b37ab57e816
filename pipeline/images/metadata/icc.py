"""Colour profiles (ICC.1) with their standard tags only; colours stay exactly as they were.

A profile may hold private tags, long texts, and bytes that belong to no tag. A profile of standard
tags without gaps stays to the byte; any other is written anew from its standard tags.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from .hidden import may_hold_picture
from .icc_tables import size_of_table
from .text import are_known_texts, decoded

_HEADER_BYTES, _ENTRY_BYTES = 128, 12
_MAGIC = slice(36, 40)
_FLAGS, _INTENT, _ID, _RESERVED = slice(44, 48), slice(64, 68), slice(84, 100), slice(100, 128)
_MOST_TAGS = 100
#: Bytes of the largest profile: a printer's tables take two megabytes.
_LARGEST = 8 << 20
_LONGEST_TEXT, _LONGEST_COPYRIGHT = 256, 1000
_COPYRIGHT = b"cprt"
_TEXTS = frozenset(b"desc cprt dmnd dmdd vued dscm".split())
#: Bytes of the tags of a fixed size.
_FIXED = {
    b"wtpt": 20, b"bkpt": 20, b"rXYZ": 20, b"gXYZ": 20, b"bXYZ": 20, b"lumi": 20, b"chad": 44,
    b"chrm": 36, b"meas": 36, b"tech": 12, b"view": 36, b"calt": 20, b"cicp": 12, b"rig0": 12,
    b"rig2": 12,
}  # fmt: skip
_TABLES = frozenset(
    b"rTRC gTRC bTRC kTRC aarg aagg aabg gamt A2B0 A2B1 A2B2 B2A0 B2A1 B2A2".split()
)
#: Bytes of ``desc`` behind its ASCII text: language, length; script, length, text.
_UNICODE_HEAD, _SCRIPT_BYTES = 8, 70


class KnownProfile(NamedTuple):
    """A profile (None if it cannot be kept), and what was dropped of it."""

    profile: bytes | None
    dropped: tuple[str, ...]


class _Tag(NamedTuple):
    signature: bytes
    content: bytes
    place: int


def plain_profile(profile: bytes | None) -> bytes | None:
    """Return the known part of a profile; None for no profile, and for one that cannot be kept."""
    return known_profile(profile).profile if profile else None


@lru_cache(maxsize=8)  # the photos of a folder share a profile or two
def known_profile(profile: bytes) -> KnownProfile:
    """Return a profile without private tags, unknown texts and bytes between its tags."""
    tags = _tags(profile)
    if tags is None:
        return KnownProfile(None, ("a damaged colour profile",))
    kept, dropped = [], []
    for tag in tags:
        content = _known(tag)
        if content is None:
            dropped.append(f"ICC {tag.signature.decode('latin-1').strip()!r}")
        else:
            kept.append(tag._replace(content=content))
    if not {tag.signature for tag in kept} - _TEXTS:
        return KnownProfile(None, ("a damaged colour profile",))
    if not dropped and kept == tags and _is_tight(profile, tags):
        return KnownProfile(profile, ())
    return KnownProfile(_written(profile, kept), tuple(dropped))


def _tags(profile: bytes) -> list[_Tag] | None:
    """Return the tags in the order of the table; None if the profile is damaged or too large."""
    if not _HEADER_BYTES + 4 <= len(profile) <= _LARGEST or profile[_MAGIC] != b"acsp":
        return None
    (count,) = struct.unpack_from(">I", profile, _HEADER_BYTES)
    end = _HEADER_BYTES + 4 + _ENTRY_BYTES * count
    if count > _MOST_TAGS or end > len(profile):
        return None
    tags = []
    for at in range(_HEADER_BYTES + 4, end, _ENTRY_BYTES):
        signature, place, size = struct.unpack_from(">4sII", profile, at)
        if place < end or place + size > len(profile) or size < 8:
            return None
        tags.append(_Tag(signature, profile[place : place + size], place))
    return tags


def _known(tag: _Tag) -> bytes | None:
    """Return a tag's content as it is kept; None if it is private, too long or no such content."""
    signature, content = tag.signature, tag.content
    if signature in _TEXTS:
        longest = _LONGEST_COPYRIGHT if signature == _COPYRIGHT else _LONGEST_TEXT
        return _known_text(content, longest)
    if signature in _FIXED:
        size = _FIXED[signature]
        return content[:size] if len(content) >= size else None
    size_of = size_of_table(content) if signature in _TABLES else None
    if size_of is None or may_hold_picture(content[:size_of], numbers=True):
        return None
    return content[:size_of]


def _known_text(content: bytes, longest: int) -> bytes | None:
    match content[:4]:
        case b"text":
            text = decoded(content[8:])
            if text is not None and are_known_texts([text], longest):
                return content[:8] + content[8:].partition(b"\0")[0] + b"\0"
        case b"desc":
            return _known_description(content, longest)
        case b"mluc":
            return _known_translations(content, longest)
    return None


def _known_description(content: bytes, longest: int) -> bytes | None:
    """Return version 2's text in ASCII, UTF-16 and a Macintosh script, each if it is known."""
    if len(content) < 12:
        return None
    (count,) = struct.unpack_from(">I", content, 8)
    unicode_at = 12 + count
    text = decoded(content[12:unicode_at])
    if text is None or not are_known_texts([text], longest):
        return None
    if len(content) >= unicode_at + _UNICODE_HEAD:
        (letters,) = struct.unpack_from(">I", content, unicode_at + 4)
        script_at = unicode_at + _UNICODE_HEAD + 2 * letters
        wide = content[unicode_at + _UNICODE_HEAD : script_at].decode("utf-16-be", "replace")
        script = decoded(content[script_at + 3 : script_at + _SCRIPT_BYTES].rstrip(b"\0"))
        end = script_at + _SCRIPT_BYTES
        known = script is not None and are_known_texts([wide.rstrip("\0"), script], longest)
        if known and len(content) >= end and b"\0" not in content[12 : unicode_at - 1]:
            return content[:end]
    ascii_text = text.encode("ascii", "replace") + b"\0"
    rest = bytes(_UNICODE_HEAD + _SCRIPT_BYTES)
    return b"desc" + bytes(4) + struct.pack(">I", len(ascii_text)) + ascii_text + rest


def _known_translations(content: bytes, longest: int) -> bytes | None:
    """Return version 4's text in several languages."""
    if len(content) < 16:
        return None
    count, size = struct.unpack_from(">II", content, 8)
    if size != _ENTRY_BYTES or 16 + size * count > len(content):
        return None
    records = [
        struct.unpack_from(">4sII", content, 16 + _ENTRY_BYTES * number) for number in range(count)
    ]
    texts = [content[at : at + length].decode("utf-16-be", "replace") for _, length, at in records]
    if not are_known_texts([text.rstrip("\0") for text in set(texts)], longest):
        return None
    first = 16 + size * count
    spans = [(0, first), *((at, at + length) for _, length, at in records)]
    if all(at >= first for at, _ in spans[1:]) and _is_covered(content, spans):
        return content
    head, values = b"mluc" + bytes(4) + struct.pack(">II", count, _ENTRY_BYTES), b""
    for (language, _, _), text in zip(records, texts, strict=True):
        encoded = text.encode("utf-16-be")
        head += struct.pack(">4sII", language, len(encoded), first + len(values))
        values += encoded
    return head + values


def _is_tight(profile: bytes, tags: list[_Tag]) -> bool:
    """Whether every byte of a profile belongs to its header, its table or a tag."""
    table_end = _HEADER_BYTES + 4 + _ENTRY_BYTES * len(tags)
    (size,) = struct.unpack_from(">I", profile)
    return (
        size == len(profile)
        and not any(profile[_RESERVED])
        and _is_covered(
            profile,
            [(0, table_end), *((tag.place, tag.place + len(tag.content)) for tag in tags)],
        )
    )


def _is_covered(content: bytes, spans: Iterable[tuple[int, int]]) -> bool:
    """Whether the spans cover the content, but for zeros that align them to four bytes."""
    covered = 0
    for start, end in [*sorted(spans), (len(content), len(content))]:
        gap = content[covered:start]
        if len(gap) > 3 or any(gap):
            return False
        covered = max(covered, end)
    return covered <= len(content)


def _written(profile: bytes, tags: list[_Tag]) -> bytes:
    """Return a profile of these tags under the header of the old one."""
    places: dict[bytes, int] = {}
    at = _HEADER_BYTES + 4 + _ENTRY_BYTES * len(tags)
    table, values = struct.pack(">I", len(tags)), bytearray()
    for tag in tags:
        if tag.content not in places:
            places[tag.content] = at + len(values)
            values += tag.content + bytes(-len(tag.content) % 4)
        table += struct.pack(">4sII", tag.signature, places[tag.content], len(tag.content))
    header = bytearray(profile[:_HEADER_BYTES])
    header[_RESERVED] = bytes(28)
    struct.pack_into(">I", header, 0, at + len(values))
    if any(header[_ID]):
        unmarked = header.copy()
        for part in (_FLAGS, _INTENT, _ID):
            unmarked[part] = bytes(part.stop - part.start)
        digest = hashlib.md5(unmarked + table + values, usedforsecurity=False)
        header[_ID] = digest.digest()
    return bytes(header + table + values)
