"""Write a HEIC or AVIF file anew from its coded pictures, without decoding a pixel.

The file is a tree of boxes (ISO/IEC 14496-12). Its ``meta`` box names items, the extents of their
bytes and their properties (ISO/IEC 23008-12). The new file has the items and properties that the
primary picture needs, and nothing else: what is not known is not copied.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .bmff import boxes
from .coded_items import ALPHA, Plain, plain_data, plain_property

_BRANDS = frozenset(
    b"mif1 mif2 mif3 miaf heic heix heim heis hevc hevx hevm hevs avif avis avio msf1 MA1A MA1B"
    b" MiHB MiHE MiHA MiPr".split()
)
#: References that the primary picture needs: its tiles, its alpha channel, how that is applied.
_DERIVED, _AUXILIARY, _PREMULTIPLIED, _DESCRIBES = b"dimg", b"auxl", b"prem", b"cdsc"
_EXIF = b"Exif"
_HIDDEN = 1


class Box(NamedTuple):
    """A box's type and content."""

    type: bytes
    body: bytes


@dataclass(slots=True)
class _Item:
    """An item: its type, whether it is hidden, its bytes, its properties (essential, property)."""

    kind: bytes
    hidden: bool = False
    data: bytes = b""
    properties: list[tuple[bool, Box]] = field(default_factory=list)


class _Reference(NamedTuple):
    kind: bytes
    source: int
    targets: tuple[int, ...]


def without_metadata(content: bytes, exif: bytes | None, profile: Plain) -> bytes:
    """Return a file of the primary picture, with its tiles, its alpha channel and new EXIF.

    Args:
        content: the file.
        exif: the new EXIF from its TIFF header on; None for none.
        profile: returns a colour profile without foreign data, or None.

    Raises:
        ValueError: if the file's structure is not supported.
    """
    try:
        parts = list(_boxes(content))
        if any(box.type in (b"moov", b"moof") for box in parts):
            raise ValueError("it holds a film, whose metadata is not removed")
        inside = {b.type: b.body for b in _boxes(_first(parts, b"meta")[4:])}
        items = _items(content, inside, profile)
        references = list(_references(inside.get(b"iref", bytes(4))))
        primary = int.from_bytes(inside[b"pitm"][4:], "big")
        kept = _needed(items, references, primary)
        return _written(_brands(parts), kept, references, primary, exif)
    except (struct.error, LookupError, OverflowError) as error:
        raise ValueError("its structure is damaged") from error


def _boxes(content: bytes) -> Iterator[Box]:
    for box in boxes(content, 0, len(content)):
        yield Box(box.type, content[box.body : box.end])


def _first(parts: Iterable[Box], kind: bytes) -> bytes:
    return next((box.body for box in parts if box.type == kind), b"")


def _brands(parts: Iterable[Box]) -> bytes:
    """Return the content of ``ftyp`` with the known brands."""
    body = _first(parts, b"ftyp")
    known = [body[at : at + 4] for at in (0, *range(8, len(body), 4))]
    known = [brand for brand in known if brand in _BRANDS]
    return known[0] + bytes(4) + b"".join(dict.fromkeys(known))


def _items(content: bytes, inside: dict[bytes, bytes], profile: Plain) -> dict[int, _Item]:
    """Return the items, by number, with their bytes and their known properties."""
    items = {}
    for box in _boxes(inside[b"iinf"][6 if inside[b"iinf"][0] == 0 else 8 :]):
        version = box.body[0]
        if box.type != b"infe" or version not in (2, 3):
            raise ValueError(f"its items are described in version {version}")
        at = 6 if version == 2 else 8
        number = int.from_bytes(box.body[4:at], "big")
        items[number] = _Item(box.body[at + 2 : at + 6], bool(box.body[3] & _HIDDEN))
    for number, spans in _extents(inside[b"iloc"]):
        if number in items:
            items[number].data = b"".join(
                _piece(inside.get(b"idat", b"") if in_idat else content, start, length)
                for in_idat, start, length in spans
            )
    _add_properties(items, list(_boxes(inside[b"iprp"])), profile)
    return items


def _add_properties(items: dict[int, _Item], parts: list[Box], profile: Plain) -> None:
    """Give the items their known properties; one that lacks an essential one has no known kind."""
    known = []
    for kind, body in _boxes(_first(parts, b"ipco")):
        plain = plain_property(kind, body, profile)
        known.append(None if plain is None else Box(kind, plain))
    links = (link for box in parts if box.type == b"ipma" for link in _associations(box.body))
    for number, essential, index in links:
        if number not in items or not index:
            continue
        if (found := known[index - 1]) is not None:
            items[number].properties.append((essential, found))
        elif essential:
            items[number].kind = bytes(4)


def _piece(content: bytes, start: int, length: int) -> bytes:
    if not length or start + length > len(content):
        raise ValueError("an item lies beyond the end of the file")
    return content[start : start + length]


class _Numbers:
    """Reads big-endian integers one after the other."""

    def __init__(self, body: bytes, at: int) -> None:
        self._body, self._at = body, at

    def take(self, size: int) -> int:
        """Read an integer of ``size`` bytes."""
        self._at += size
        if self._at > len(self._body):
            raise ValueError("a list of its items is truncated")
        return int.from_bytes(self._body[self._at - size : self._at], "big")


def _extents(iloc: bytes) -> Iterator[tuple[int, list[tuple[bool, int, int]]]]:
    """Yield (item's number, the extents of its bytes: whether in ``idat``, start, length)."""
    version = iloc[0]
    offset_size, length_size, base_size = iloc[4] >> 4, iloc[4] & 15, iloc[5] >> 4
    index_size = iloc[5] & 15 if version else 0
    numbers = _Numbers(iloc, 6)
    wide = 4 if version == 2 else 2
    for _ in range(numbers.take(wide)):
        item = numbers.take(wide)
        method = numbers.take(2) & 15 if version else 0
        if numbers.take(2):
            raise ValueError("an item lies in another file")
        base = numbers.take(base_size)
        spans = []
        for _ in range(numbers.take(2)):
            numbers.take(index_size)
            start = base + numbers.take(offset_size)
            spans.append((method == 1, start, numbers.take(length_size)))
        if method > 1:
            raise ValueError("an item is made of other items")
        yield item, spans


def _associations(ipma: bytes) -> Iterator[tuple[int, bool, int]]:
    """Yield (item's number, whether the property is essential, the property's number)."""
    numbers = _Numbers(ipma, 4)
    size = 2 if ipma[3] & 1 else 1
    for _ in range(numbers.take(4)):
        item = numbers.take(4 if ipma[0] else 2)
        for _ in range(numbers.take(1)):
            value, flag = numbers.take(size), 0x80 << 8 * (size - 1)
            yield item, bool(value & flag), value & (flag - 1)


def _references(iref: bytes) -> Iterator[_Reference]:
    wide = 4 if iref[0] else 2
    for box in _boxes(iref[4:]):
        numbers = _Numbers(box.body, 0)
        source = numbers.take(wide)
        targets = tuple(numbers.take(wide) for _ in range(numbers.take(2)))
        yield _Reference(box.type, source, targets)


def _needed(
    items: dict[int, _Item], references: list[_Reference], primary: int
) -> dict[int, _Item]:
    """Return the primary item, what it is derived from, and the alpha channels of these."""
    needed, waiting = set(), {primary}
    while waiting:
        needed |= waiting
        derived = {t for r in references if r.kind == _DERIVED and r.source in needed for t in r[2]}
        alpha = {
            r.source
            for r in references
            if r.kind == _AUXILIARY and needed & set(r.targets) and _is_alpha(items[r.source])
        }
        waiting = (derived | alpha) - needed
    kept = {number: items[number] for number in sorted(needed)}
    for item in kept.values():
        item.data = plain_data(item.kind, item.data, {b.type: b.body for _, b in item.properties})
    return kept


def _is_alpha(item: _Item) -> bool:
    return any(b.type == b"auxC" and b.body[4:] in ALPHA for _, b in item.properties)


def _written(
    brands: bytes,
    items: dict[int, _Item],
    references: list[_Reference],
    primary: int,
    exif: bytes | None,
) -> bytes:
    """Write the items, numbered from 1, and EXIF as the last item."""
    numbers = {old: new for new, old in enumerate(items, 1)}
    links = [
        _Reference(r.kind, numbers[r.source], tuple(numbers[t] for t in r.targets if t in numbers))
        for r in references
        if r.source in numbers and r.kind in (_DERIVED, _AUXILIARY, _PREMULTIPLIED)
    ]
    all_items = [*items.values()]
    if exif:
        # The first four bytes are the offset of the TIFF header, counted from behind themselves.
        all_items.append(_Item(_EXIF, data=bytes(4) + exif))
        links.append(_Reference(_DESCRIBES, len(all_items), (numbers[primary],)))
    file_type = _box(b"ftyp", brands)
    start = len(file_type) + len(_meta(all_items, links, numbers[primary], 0)) + 8
    data = b"".join(item.data for item in all_items)
    return file_type + _meta(all_items, links, numbers[primary], start) + _box(b"mdat", data)


def _meta(items: list[_Item], links: list[_Reference], primary: int, start: int) -> bytes:
    """Build the ``meta`` box for items whose bytes begin at ``start`` of the file."""
    descriptions, places = b"", b""
    for number, item in enumerate(items, 1):
        descriptions += _box(
            b"infe", struct.pack(">B3xHH4sx", 2, number, 0, item.kind), flags=item.hidden
        )
        extents = struct.pack(">HII", 1, start, len(item.data)) if item.data else bytes(2)
        places += struct.pack(">HH", number, 0) + extents
        start += len(item.data)
    linked = b"".join(
        _box(r.kind, struct.pack(f">HH{len(r.targets)}H", r.source, len(r.targets), *r.targets))
        for r in links
        if r.targets
    )
    parts = [
        _box(b"hdlr", bytes(8) + b"pict" + bytes(13)),
        _box(b"pitm", struct.pack(">4xH", primary)),
        _box(b"iloc", struct.pack(">4xBBH", 0x44, 0, len(items)) + places),
        _box(b"iinf", struct.pack(">4xH", len(items)) + descriptions),
        _box(b"iref", bytes(4) + linked) if linked else b"",
        _properties(items),
    ]
    return _box(b"meta", bytes(4) + b"".join(parts))


def _properties(items: list[_Item]) -> bytes:
    """Build the box of the properties, each of which it holds once."""
    found = [prop for item in items for _, prop in item.properties]
    places = {prop: number for number, prop in enumerate(dict.fromkeys(found), 1)}
    listed = [(number, item) for number, item in enumerate(items, 1) if item.properties]
    links = struct.pack(">B2xBI", 0, 1, len(listed))
    for number, item in listed:
        links += struct.pack(">HB", number, len(item.properties))
        for essential, prop in item.properties:
            links += struct.pack(">H", essential << 15 | places[prop])
    listed_once = b"".join(_box(prop.type, prop.body) for prop in places)
    return _box(b"iprp", _box(b"ipco", listed_once) + _box(b"ipma", links))


def _box(kind: bytes, body: bytes, *, flags: int = 0) -> bytes:
    if flags:
        body = body[:3] + bytes((flags,)) + body[4:]
    return struct.pack(">I4s", len(body) + 8, kind) + body
