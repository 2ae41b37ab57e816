"""How a HEIC or AVIF file codes its samples: depth, chroma, colours and the HEVC profile."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from .bmff import BmffBox, boxes

#: Boxes on the way to the properties of the file's items; ``meta`` is a full box.
_WAY = {b"meta": 4, b"iprp": 0, b"ipco": 0}
_NCLX = b"nclx"
_LARGEST_META = 4 << 20
_HIGH_DEPTH, _TWELVE_BITS, _MONO, _HALF_WIDTH, _HALF_HEIGHT = 0x40, 0x20, 0x10, 0x08, 0x04

#: A 10-bit still of x265 declares "Main 10 Intra", a profile of the Range Extensions, as profile,
#: compatibility and constraint flags; as the decoder configuration has them, and as the parameter
#: sets do, with their emulation prevention bytes.
_MAIN_10_INTRA = (
    bytes.fromhex("04 08000000 9db800000000"),
    bytes.fromhex("04 0800000300 9db80000030000"),
)
#: "Main 10" in as many bytes: progressive, frames only, one picture only.
_MAIN_10 = (
    bytes.fromhex("02 20000000 901000000000"),
    bytes.fromhex("02 2000000300 90100000030000"),
)


class Coding(NamedTuple):
    """The coding of an AVIF file's picture.

    Attributes:
        bits: per channel.
        subsampling: of its chroma, as Pillow names it: "4:2:0", "4:2:2", "4:4:4"; "4:0:0" is grey.
    """

    bits: int
    subsampling: str


def av1_coding(handle: BinaryIO) -> Coding:
    """Return the coding that an AVIF file declares; 8 bits and whole chroma if it has none."""
    codings = []
    head = _head(handle)
    for box in _properties(head):
        if box.type == b"av1C" and box.end - box.body >= 4:
            flags = head[box.body + 2]
            bits = (12 if flags & _TWELVE_BITS else 10) if flags & _HIGH_DEPTH else 8
            halves = bool(flags & _HALF_WIDTH), bool(flags & _HALF_HEIGHT)
            subsampling = {(True, True): "4:2:0", (True, False): "4:2:2"}.get(halves, "4:4:4")
            codings.append(Coding(bits, "4:0:0" if flags & _MONO else subsampling))
    # An alpha channel is a grey picture beside the photo.
    coloured = [coding for coding in codings if coding.subsampling != "4:0:0"]
    return next(iter(coloured or codings), Coding(8, "4:4:4"))


def colour_numbers(handle: BinaryIO) -> tuple[int, int] | None:
    """Return the colour primaries and transfer (ITU-T H.273) that a file declares, if it does."""
    head = _head(handle)
    found = [struct.unpack_from(">HH", head, at) for at in _nclx(head)]
    return found[0] if found else None


def with_colour_numbers(content: bytes, numbers: tuple[int, int]) -> bytes:
    """Return the file with other primaries and transfer, where it declares some."""
    data = bytearray(content)
    for at in _nclx(content):
        struct.pack_into(">HH", data, at, *numbers)
    return bytes(data)


def as_main_10(content: bytes) -> bytes:
    """Return a HEIC file that declares HEVC's profile Main 10 in place of "Main 10 Intra".

    Both profiles decode such a file, because its one picture uses no tool of the Range Extensions.
    Windows and Apple's older systems do not open files of the latter. A file whose declaration is
    another one stays as it is.
    """
    data = bytearray(content)
    for box in _properties(content):
        if box.type == b"hvcC":
            body = content[box.body : box.end]
            for intra, plain in zip(_MAIN_10_INTRA, _MAIN_10, strict=True):
                body = body.replace(intra, plain)
            data[box.body : box.end] = body
    return bytes(data)


def _head(handle: BinaryIO) -> bytes:
    """Return the file up to the end of its ``meta`` box."""
    handle.seek(0)
    start = 0
    while len(head := handle.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind == b"meta" and size <= _LARGEST_META:
            handle.seek(0)
            return handle.read(start + size)
        if size < 8:  # up to the end, or a length of 64 bits, which only samples have
            break
        start += size
        handle.seek(start)
    return b""


def _properties(content: bytes) -> Iterator[BmffBox]:
    """Yield the properties of the file's items; of a damaged file those before the damage."""

    def inside(start: int, end: int) -> Iterator[BmffBox]:
        for box in boxes(content, start, end):
            if box.type == b"ipco":
                yield from boxes(content, box.body, box.end)
            elif box.type in _WAY:
                yield from inside(box.body + _WAY[box.type], box.end)

    with suppress(ValueError, struct.error):
        yield from inside(0, len(content))


def _nclx(content: bytes) -> Iterator[int]:
    """Yield the places of the colour numbers."""
    for box in _properties(content):
        numbers = content[box.body : box.end]
        if box.type == b"colr" and numbers.startswith(_NCLX) and len(numbers) >= 11:
            yield box.body + 4
