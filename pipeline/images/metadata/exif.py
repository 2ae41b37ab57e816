"""EXIF with the known tags only: read within bounds, checked, and written as a new block.

Nothing of the old block is copied but values that passed their rule (``exif_tags``), so nothing
between, behind or beside the tags survives. The second directory, a thumbnail's, is not read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from PIL import ExifTags

from .exif_tags import (
    EXIF_IFD,
    GPS_IFD,
    IMAGE,
    INTEROPERABILITY,
    INTEROPERABILITY_IFD,
    PHOTO,
    PLACE,
    Form,
    Rule,
)
from .hidden import may_hold_picture
from .text import SHORTEST_PIECE, are_known_texts, are_no_pieces, decoded, is_known_text

#: Bytes of a value by its type; Exif 3.0's UTF-8 is 129.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_TEXTS = frozenset((1, 2, 7, 129))
_NUMBERS = frozenset((1, 3, 4, 5, 6, 8, 9, 10, 11, 12))
_BYTES = frozenset((1, 7))
_MOST_ENTRIES = 1000
#: Bytes of a longer value are searched for pictures.
_TOO_SHORT_FOR_A_PICTURE = 48
#: Numbers of a tag whose type is unknown, or that holds fractions.
_MOST_FRACTIONS = 8
_CODES_OF_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d"}
#: By the tag that points to a directory: the directory's rules, and who may point to it.
_POINTERS = {
    EXIF_IFD: (PHOTO, 0),
    GPS_IFD: (PLACE, 0),
    INTEROPERABILITY_IFD: (INTEROPERABILITY, EXIF_IFD),
}
#: How a coded text says its encoding, and Python's names for that.
_CODES = {
    b"ASCII\0\0\0": ("utf-8", "latin-1"),
    b"UNICODE\0": (),  # UTF-16 in either byte order
    b"JIS\0\0\0\0\0": ("iso2022_jp", "utf-8"),
    bytes(8): ("utf-8", "latin-1"),
}
_ORIENTATION = 0x0112
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
_SHORT, _LONG = 3, 4


class Entry(NamedTuple):
    """A tag's value: its type, and its bytes in the block's byte order."""

    kind: int
    content: bytes


Directory = dict[int, Entry]


class KnownExif(NamedTuple):
    """A rebuilt block, from its TIFF header on (None if nothing is left), and what was dropped."""

    block: bytes | None
    dropped: tuple[str, ...]


def known_exif(exif: bytes, size: tuple[int, int], turn: int = 1) -> KnownExif:
    """Rebuild EXIF from its known tags, true for the new picture.

    Args:
        exif: EXIF from its TIFF header on.
        size: height and width of the picture's stored pixels.
        turn: the orientation 1-8 in which they lie.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return KnownExif(None, ("damaged EXIF",))
    dropped: list[str] = []
    (first,) = struct.unpack_from(f"{order}I", exif, 4)
    places = {0: first}
    directories: dict[int, Directory] = {}
    for owner, rules in ((0, {**PHOTO, **IMAGE}), *((tag, r) for tag, (r, _) in _POINTERS.items())):
        if owner in places:
            directory = _known(exif, order, places[owner], owner, rules, dropped)
            for pointer in _POINTERS.keys() & directory.keys():
                (places[pointer],) = struct.unpack(f"{order}I", directory.pop(pointer).content)
            directories[owner] = directory
    _drop_pieces(directories, dropped, order)
    _make_true(directories, order, size, turn)
    if not any(directories.values()):
        return KnownExif(None, tuple(dropped))
    return KnownExif(_written(directories, order), tuple(dropped))


def known_value(rule: Rule, kind: int, content: bytes, order: str) -> bytes | None:
    """Return a tag's value if it has the form and the size that its rule allows.

    Args:
        rule: the tag's rule.
        kind: the value's type.
        content: its bytes in the block's byte order.
        order: ``<`` or ``>``.

    Returns:
        The value, a text without what is behind its end; None if it is not allowed.
    """
    if rule.form is Form.NUMBERS:
        fits = kind in _NUMBERS and len(content) <= rule.most * SIZES[kind]
    elif rule.form is Form.BYTES:
        fits = kind in _BYTES and len(content) <= rule.most
    else:
        return _known_text(rule, content, order) if kind in _TEXTS else None
    if len(content) > _TOO_SHORT_FOR_A_PICTURE and may_hold_picture(content):
        return None
    return content if fits else None


def known_object(rule: Rule | None, kind: int, value: Any) -> Any:
    """Return a tag's value as Pillow gives it, if its rule allows it.

    Args:
        rule: the tag's rule; None for a tag without one.
        kind: the value's type; 0 if it is unknown.
        value: a text, bytes, a number or a tuple of numbers.

    Returns:
        The value; None if it is not allowed.
    """
    if rule is None:
        return None
    if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], str | bytes):
        (value,) = value
    if isinstance(value, str):
        text = known_value(rule, kind or 2, value.encode("utf-8", "surrogateescape"), "<")
        return None if text is None else text.decode("utf-8", "surrogateescape").rstrip("\0")
    if isinstance(value, bytes):
        return known_value(rule, kind or 7, value, "<")
    numbers = value if isinstance(value, tuple) else (value,)
    if rule.form not in (Form.NUMBERS, Form.BYTES) or len(numbers) > rule.most:
        return None
    if kind in _CODES_OF_NUMBERS:
        try:
            content = struct.pack(f"<{len(numbers)}{_CODES_OF_NUMBERS[kind]}", *numbers)
        except struct.error:
            return None
        return None if may_hold_picture(content) else value
    return value if len(numbers) <= _MOST_FRACTIONS else None


def name_of(tag: int, rules: dict[int, Rule] | None = None) -> str:
    """Return a tag's name for people."""
    names = ExifTags.GPSTAGS if rules is PLACE else ExifTags.TAGS
    return str(names.get(tag) or f"tag 0x{tag:04X}")


def _known(
    exif: bytes, order: str, at: int, owner: int, rules: dict[int, Rule], dropped: list[str]
) -> Directory:
    """Return a directory's known entries, and its pointers; names of others go to ``dropped``."""
    known: Directory = {}
    for tag, entry in _entries(exif, order, at):
        if tag in known:
            continue
        if tag in _POINTERS and _POINTERS[tag][1] == owner and len(entry.content) == 4:
            known[tag] = entry
            continue
        value = None
        if tag in rules:
            value = known_value(rules[tag], *entry, order)
        if value is None:
            dropped.append(name_of(tag, rules))
        elif value:
            known[tag] = Entry(entry.kind, value)
    return known


def _entries(exif: bytes, order: str, at: int) -> Iterator[tuple[int, Entry]]:
    """Yield a directory's entries whose values lie within the block."""
    if not 8 <= at <= len(exif) - 2:
        return
    (count,) = struct.unpack_from(f"{order}H", exif, at)
    for place in range(at + 2, at + 2 + 12 * min(count, _MOST_ENTRIES), 12):
        if place + 12 > len(exif):
            return
        tag, kind, length = struct.unpack_from(f"{order}HHI", exif, place)
        size = SIZES.get(kind, 0) * length
        start = place + 8 if size <= 4 else struct.unpack_from(f"{order}I", exif, place + 8)[0]
        if kind in SIZES and start + size <= len(exif):
            yield tag, Entry(kind, exif[start : start + size])


def _known_text(rule: Rule, content: bytes, order: str) -> bytes | None:
    if len(content) > 4 * rule.most + 4096:  # some cameras pad a comment with a few kilobytes
        return None
    match rule.form:
        case Form.WIDE_TEXT:
            return _wide(content, rule.most)
        case Form.CODED_TEXT:
            return _coded(content, rule.most, order)
    parts = content.rstrip(b"\0").split(b"\0", 1)
    texts = [decoded(part) for part in parts]  # a copyright is the photographer's and the editor's
    known = [text for text in texts if text is not None]
    if len(known) < len(texts) or not are_known_texts(known, rule.most):
        return None
    return b"\0".join(_encoded(text, part) for text, part in zip(known, parts, strict=True)) + b"\0"


def _encoded(text: str, source: bytes) -> bytes:
    """Return a decoded text in the encoding that its source has."""
    encoded = text.encode()
    return encoded if source.startswith(encoded) else text.encode("latin-1")


def _wide(content: bytes, most: int) -> bytes | None:
    text = content[: len(content) // 2 * 2].decode("utf-16-le", "replace").partition("\0")[0]
    return text.encode("utf-16-le") + b"\0\0" if is_known_text(text, most) else None


def _coded(content: bytes, most: int, order: str) -> bytes | None:
    if not content.removeprefix(content[:8] if content[:8] in _CODES else b"").strip(b"\0 "):
        return b""
    for code, text, encoding in _readings(content, order):
        if is_known_text(text, most):
            return code + text.encode(encoding)
    return None


def _readings(content: bytes, order: str) -> Iterator[tuple[bytes, str, str]]:
    """Yield (code, text, Python's name of the encoding) as a coded text may be read."""
    code = content[:8] if content[:8] in _CODES else b""
    wide = ("utf-16-le", "utf-16-be") if order == "<" else ("utf-16-be", "utf-16-le")
    for encoding in _CODES.get(code) or (wide if code else ("utf-8", *wide)):
        with suppress(UnicodeDecodeError):
            yield code, content[len(code) :].decode(encoding).rstrip("\0 "), encoding


def _drop_pieces(directories: dict[int, Directory], dropped: list[str], order: str) -> None:
    """Drop the longer texts if they are a picture in pieces."""
    texts = [
        (directory, tag, _plain(tag, entry.content, order))
        for directory in directories.values()
        for tag, entry in directory.items()
        if entry.kind in _TEXTS and len(entry.content) >= SHORTEST_PIECE
    ]
    if not are_no_pieces(text for _, _, text in texts):
        for directory, tag, _ in texts:
            dropped.append(name_of(tag))
            del directory[tag]


def _plain(tag: int, content: bytes, order: str) -> str:
    """Return a known text's letters."""
    rule = IMAGE.get(tag) or PHOTO.get(tag) or PLACE.get(tag)
    if rule is None or rule.form is Form.TEXT:
        return decoded(content.replace(b"\0", b"\n")) or ""
    if rule.form is Form.WIDE_TEXT:
        return content.decode("utf-16-le").rstrip("\0")
    return next((text for _, text, _ in _readings(content, order) if is_known_text(text)), "")


def _make_true(
    directories: dict[int, Directory], order: str, size: tuple[int, int], turn: int
) -> None:
    """Set orientation and sizes where they are declared."""
    upright = Entry(_SHORT, struct.pack(f"{order}H", turn))
    if turn != 1:
        directories[0][_ORIENTATION] = upright
    for directory in directories.values():
        for tag, entry in directory.items():
            if tag == _ORIENTATION:
                directory[tag] = upright
            elif tag in (*_WIDTHS, *_HEIGHTS) and entry.kind in (_SHORT, _LONG):
                value = size[1] if tag in _WIDTHS else size[0]
                directory[tag] = Entry(_LONG, struct.pack(f"{order}I", value))


def _written(directories: dict[int, Directory], order: str) -> bytes:
    """Return a block of the directories that are not empty."""
    # The inner ones first: their places are values of the outer ones.
    block = bytearray(8)
    for pointer in (INTEROPERABILITY_IFD, EXIF_IFD, GPS_IFD):
        directory = directories.get(pointer)
        if directory:
            place = Entry(_LONG, struct.pack(f"{order}I", _append(block, directory, order)))
            directories.setdefault(_POINTERS[pointer][1], {})[pointer] = place
    first = _append(block, directories[0], order)
    struct.pack_into(f"{order}2sHI", block, 0, b"II" if order == "<" else b"MM", 42, first)
    return bytes(block)


def _append(block: bytearray, directory: Directory, order: str) -> int:
    """Append a directory and its values to a block; returns its place."""
    at = len(block)
    behind = at + 2 + 12 * len(directory) + 4
    entries, values = struct.pack(f"{order}H", len(directory)), bytearray()
    for tag, (kind, content) in sorted(directory.items()):
        entries += struct.pack(f"{order}HHI", tag, kind, len(content) // SIZES[kind])
        if len(content) <= 4:
            entries += content.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", behind + len(values))
            values += content + b"\0" * (len(content) % 2)
    block += entries + bytes(4) + values
    return at
