"""IPTC (IIM) and Photoshop's image resources with their known fields only, each within its size."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from .text import LONGEST_LIST, LONGEST_TEXT, are_no_pieces, decoded, is_known_text

_IPTC, _RESOLUTION, _COPYRIGHTED, _ADDRESS = 1028, 1005, 1034, 1035
_FIELD = 0x1C
_ENVELOPE, _APPLICATION = 1, 2
_VERSION, _CHARACTER_SET = 0, 90
#: Fields of the application record that are kept, with their names.
_NAMES = {
    3: "type", 4: "attribute", 5: "title", 7: "status", 8: "update", 10: "urgency",
    12: "subject", 15: "category", 20: "supplemental category", 22: "fixture", 25: "keywords",
    26: "location code", 27: "location", 30: "release date", 35: "release time",
    37: "expiration date", 38: "expiration time", 40: "instructions", 42: "action",
    47: "reference date", 55: "date", 60: "time", 62: "digital date", 63: "digital time",
    65: "program", 70: "program version", 75: "cycle", 80: "creator", 85: "creator's title",
    90: "city", 92: "sublocation", 95: "state", 100: "country code", 101: "country",
    103: "reference", 105: "headline", 110: "credit", 115: "source", 116: "copyright",
    118: "contact", 120: "caption", 121: "local caption", 122: "caption writer",
    130: "image type", 131: "image orientation", 135: "language",
}  # fmt: skip
#: Characters of a field. The standard says 32 or 64 for most, but programs write longer names.
_LONGEST = 256
_CAPTIONS = frozenset((40, 105, 116, 120))
_MOST_FIELDS = 2000


class KnownBlock(NamedTuple):
    """A rebuilt block (None if nothing is left), and what was dropped."""

    block: bytes | None
    dropped: tuple[str, ...]


def known_resources(resources: bytes) -> KnownBlock:
    """Keep IPTC's known fields, density, copyright flag and address of Photoshop's resources.

    Args:
        resources: a list of 8BIM blocks.
    """
    kept = bytearray()
    dropped: list[str] = []
    for number, content in _resources(resources):
        if number == _IPTC:
            fields = known_iptc(content)
            dropped += fields.dropped
            content = fields.block or b""
        elif not _is_known(number, content):
            dropped.append(f"Photoshop {number}")
            continue
        if content:
            kept += b"8BIM" + struct.pack(">HHI", number, 0, len(content))
            kept += content + b"\0" * (len(content) % 2)
    return KnownBlock(bytes(kept) or None, tuple(dropped))


def known_iptc(content: bytes) -> KnownBlock:
    """Keep IPTC's known fields whose texts are short enough and no encoded picture."""
    kept: dict[tuple[int, int], list[bytes]] = defaultdict(list)
    dropped = []
    for record, field, value in _fields(content):
        if _is_known_field(record, field, value):
            kept[record, field].append(value)
        elif value:
            dropped.append(_name_of(record, field))
    texts = {key: [decoded(value) or "" for value in values] for key, values in kept.items()}
    for record, field in texts:
        if record == _APPLICATION and not is_known_text(
            "\n".join(texts[record, field]), LONGEST_LIST
        ):
            dropped.append(_name_of(record, field))
            del kept[record, field]
    if not are_no_pieces(text for key in kept for text in texts[key]):
        dropped += [_name_of(*key) for key in kept]
        kept.clear()
    block = bytearray()
    for (record, field), contents in kept.items():
        for value in contents:
            block += struct.pack(">BBBH", _FIELD, record, field, len(value)) + value
    return KnownBlock(bytes(block) or None, tuple(dropped))


def _name_of(record: int, field: int) -> str:
    name = _NAMES.get(field) if record == _APPLICATION else None
    return f"IPTC {name or f'{record}:{field}'}"


def _is_known(number: int, content: bytes) -> bool:
    if number == _ADDRESS:
        text = decoded(content)
        return text is not None and is_known_text(text, _LONGEST) and b"\0" not in content
    return len(content) == {_RESOLUTION: 16, _COPYRIGHTED: 1}.get(number, -1)


def _is_known_field(record: int, field: int, value: bytes) -> bool:
    if field == _VERSION and record in (_ENVELOPE, _APPLICATION):
        return len(value) == 2
    if record == _ENVELOPE:
        return field == _CHARACTER_SET and len(value) <= 8
    text = decoded(value)
    longest = LONGEST_TEXT if field in _CAPTIONS else _LONGEST
    return (
        record == _APPLICATION
        and field in _NAMES
        and text is not None
        and b"\0" not in value
        and is_known_text(text, longest)
    )


def _resources(resources: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number, content) up to where the list is malformed."""
    at = 0
    while resources[at : at + 4] == b"8BIM" and at + 12 <= len(resources):
        (number,) = struct.unpack_from(">H", resources, at + 4)
        size_at = at + 6 + (resources[at + 6] + 2) // 2 * 2  # a Pascal string, padded to even
        if size_at + 4 > len(resources):
            return
        (size,) = struct.unpack_from(">I", resources, size_at)
        yield number, resources[size_at + 4 : size_at + 4 + size]
        at = size_at + 4 + (size + 1) // 2 * 2


def _fields(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (record, field, value) up to where the list is malformed."""
    at = 0
    for _ in range(_MOST_FIELDS):
        if at + 5 > len(content) or content[at] != _FIELD:
            return
        record, field, size = struct.unpack_from(">BBH", content, at + 1)
        at += 5
        if size > 0x7FFF or at + size > len(content):  # an extended field: no text is so long
            return
        yield record, field, content[at : at + size]
        at += size
