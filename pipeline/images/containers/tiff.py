"""The directories of a TIFF file, or of a camera's file that is built like one."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, TypeAlias, Union

#: Bytes of one value of each type.
SIZES = {
    **{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4},
    **{16: 8, 17: 8, 18: 8},
}
#: How ``struct`` names the parts of a value of more than one byte; of a fraction it has two.
CODES = {3: "H", 4: "I", 5: "II", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I"} | {
    **{16: "Q", 17: "q", 18: "Q"}
}
_CLASSIC, _BIG = 42, 43
#: The version numbers of Olympus and Panasonic, whose files are classic otherwise.
_CAMERAS = frozenset((0x4F52, 0x5352, 0x0055))
_WIDTH, _HEIGHT, _EXIF, _GPS, _SUB_DIRECTORIES = 256, 257, 34665, 34853, 330
_LONG = 4
#: BigTIFF's types, and the ones that a classic file has for them.
_CLASSIC_KIND = {16: 4, 17: 9, 18: 4}
_MOST_ENTRIES, _MOST_DIRECTORIES = 4096, 4096
_LARGEST_VALUE = 64 << 20


class Value(NamedTuple):
    """A tag's value.

    Attributes:
        kind: its type.
        content: its bytes in the file's byte order.
    """

    kind: int
    content: bytes


#: What a directory is to hold: a value in little-endian bytes, or another directory, by tag.
Content: TypeAlias = Mapping[int, Union[Value, "Content"]]


class Directory(NamedTuple):
    """A directory.

    Attributes:
        values: the values that lie within the file, by tag.
        link_at: where the place of the next directory is written.
        next: that place; 0 for none.
    """

    values: dict[int, Value]
    link_at: int
    next: int


class Tiff:
    """Reads directories at their places.

    Attributes:
        order: ``<`` or ``>``, the byte order.
        big: whether it is a BigTIFF.
        first: the place of the first directory.

    Raises:
        ValueError: if the file is none of this kind.
    """

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._size = handle.seek(0, os.SEEK_END)
        handle.seek(0)
        head = handle.read(16).ljust(16, b"\0")
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        version = struct.unpack_from(f"{self.order or '<'}H", head, 2)[0]
        if not self.order or version not in {_CLASSIC, _BIG} | _CAMERAS:
            raise ValueError("it is no TIFF")
        self.big = version == _BIG
        self._link = f"{self.order}{'Q' if self.big else 'I'}"
        (self.first,) = struct.unpack_from(self._link, head, 8 if self.big else 4)

    def directory(self, at: int) -> Directory:
        """Read the directory at a place.

        Raises:
            ValueError: if none can be there.
        """
        counted, entry_bytes = (8, 20) if self.big else (2, 12)
        head = self._read(at, counted)
        count = int.from_bytes(head, "little" if self.order == "<" else "big")
        if at < 8 or len(head) < counted or not 0 < count <= _MOST_ENTRIES:
            raise ValueError("there is no directory")
        table = self._read(at + counted, count * entry_bytes)
        if len(table) < count * entry_bytes:
            raise ValueError("its directory is cut off")
        values: dict[int, Value] = {}
        left = self._size  # the values of a sound directory do not overlap
        for start in range(0, len(table), entry_bytes):
            tag, value = self._entry(table[start : start + entry_bytes], left)
            if value is not None and tag not in values:
                values[tag] = value
                left -= len(value.content)
        link_at = at + counted + count * entry_bytes
        link = self._read(link_at, struct.calcsize(self._link))
        following = struct.unpack(self._link, link)[0] if len(link) == len(self._zero) else 0
        return Directory(values, link_at, following)

    def numbers(self, value: Value | None) -> tuple[Any, ...]:
        """Return a value's numbers; a fraction gives two."""
        if value is None:
            return ()
        if value.kind not in CODES:
            return tuple(value.content)
        code = CODES[value.kind]
        count = len(value.content) // SIZES[value.kind]
        return struct.unpack(f"{self.order}{code * count}", value.content)

    def pages(self) -> Iterator[Directory]:
        """Yield the chain of directories, up to a link that leads to none."""
        at, seen = self.first, set[int]()
        while at and at not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(at)
            try:
                page = self.directory(at)
            except ValueError:
                return
            yield page
            at = page.next

    @property
    def _zero(self) -> bytes:
        return bytes(struct.calcsize(self._link))

    def _entry(self, entry: bytes, most: int) -> tuple[int, Value | None]:
        tag, kind, count = struct.unpack_from(f"{self.order}HH{'Q' if self.big else 'I'}", entry)
        own = entry[12:] if self.big else entry[8:]
        size = SIZES.get(kind, 0) * count
        if kind not in SIZES or size > min(most, _LARGEST_VALUE):
            return tag, None
        if size <= len(own):
            return tag, Value(kind, own[:size])
        content = self._read(struct.unpack(self._link, own)[0], size)
        return tag, Value(kind, content) if len(content) == size else None

    def _read(self, at: int, size: int) -> bytes:
        if at >= self._size:
            return b""
        self._handle.seek(at)
        return self._handle.read(size)


def encoded(content: Content, at: int = 8, order: str = "<") -> bytes:
    """Encode a classic directory with its values, and the directories in it.

    Args:
        content: what it holds, in the byte order; an empty directory is left out.
        at: its place in the file, an even number.
        order: the byte order.
    """
    tags = sorted(tag for tag, value in content.items() if value)
    behind = at + 2 + 12 * len(tags) + 4
    table, values = [struct.pack(f"{order}H", len(tags))], b""
    for tag in tags:
        value = content[tag]
        place = behind + len(values)
        if not isinstance(value, Value):
            block = encoded(value, place, order)
            value = Value(_LONG, struct.pack(f"{order}I", place))
        elif len(value.content) > 4:
            block = value.content
        else:
            block = b""
        own = struct.pack(f"{order}I", place) if block else value.content.ljust(4, b"\0")
        count = len(value.content) // SIZES[value.kind]
        table.append(struct.pack(f"{order}HHI", tag, value.kind, count) + own)
        values += block + bytes(len(block) % 2)
    return b"".join((*table, bytes(4), values))


def classic(value: Value, order: str, target: str = "<") -> Value:
    """Return a value in another byte order; one of BigTIFF's long numbers gets 32 bits.

    Raises:
        struct.error: if it does not fit.
    """
    code = CODES.get(value.kind)
    if code is None:
        return value
    count = len(value.content) // SIZES[value.kind]
    numbers = struct.unpack(f"{order}{code * count}", value.content)
    kind = _CLASSIC_KIND.get(value.kind, value.kind)
    return Value(kind, struct.pack(f"{target}{CODES[kind] * count}", *numbers))


def as_classic(handle: BinaryIO) -> bytes | None:
    """Return a big-endian BigTIFF of one page, which Pillow does not open, as a classic file.

    Returns:
        None if the file is of another kind.

    Raises:
        ValueError: if it has several pages.
    """
    try:
        file = Tiff(handle)
    except ValueError:
        return None
    if not file.big or file.order != ">":
        return None
    pages = list(file.pages())
    if len(pages) != 1:
        raise ValueError(f"it has {len(pages)} pages")
    content = _classic_content(file, pages[0].values)
    for pointer in (_EXIF, _GPS):
        if places := file.numbers(pages[0].values.get(pointer)):
            with suppress(ValueError):
                content[pointer] = _classic_content(file, file.directory(places[0]).values)
    handle.seek(0)
    data = bytearray(handle.read())
    data += bytes(len(data) % 2)
    struct.pack_into(">2sHI", data, 0, b"MM", _CLASSIC, len(data))
    return bytes(data) + encoded(content, len(data), ">")


def _classic_content(file: Tiff, values: Mapping[int, Value]) -> dict[int, Value | Content]:
    return {
        tag: classic(value, file.order, file.order)
        for tag, value in values.items()
        if tag not in (_EXIF, _GPS, _SUB_DIRECTORIES)
    }


def without_broken_link(handle: BinaryIO) -> bytes | None:
    """Return the file with its list of pages ended before a link that leads to no page.

    Returns:
        None if no link is broken, or if there is not even a first page.
    """
    try:
        file = Tiff(handle)
    except ValueError:
        return None
    last: Directory | None = None
    places = {file.first}
    for page in file.pages():
        if not page.values.keys() >= {_WIDTH, _HEIGHT}:
            break
        last = page
        if page.next in places:
            return None
        places.add(page.next)
    if last is None or not last.next:
        return None
    handle.seek(0)
    content = bytearray(handle.read())
    size = 8 if file.big else 4
    content[last.link_at : last.link_at + size] = bytes(size)
    return bytes(content)
