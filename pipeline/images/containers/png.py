"""The chunks of a PNG file and their checksums, without decoding its pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"IEND"
_BLOCK_BYTES = 1 << 20
_LARGEST_PROFILE = 16 << 20


class Chunk(NamedTuple):
    """A chunk of the file.

    Attributes:
        name: its four-letter name.
        start: where it begins in the file.
        end: where it ends, its checksum included.
        is_sound: whether its checksum is that of its content.
    """

    name: bytes
    start: int
    end: int
    is_sound: bool

    @property
    def is_critical(self) -> bool:
        """Whether no pixel can be decoded without it."""
        return not self.name[0] & 0x20


def chunks(handle: BinaryIO) -> Iterator[Chunk]:
    """Yield the chunks up to the end of the picture, or to where the file ends within one."""
    at = len(SIGNATURE)
    while True:
        handle.seek(at)
        head = handle.read(8)
        if len(head) < 8:
            return
        size, name = struct.unpack(">I4s", head)
        checksum, left = zlib.crc32(name), size
        while left and (block := handle.read(min(left, _BLOCK_BYTES))):
            checksum, left = zlib.crc32(block, checksum), left - len(block)
        stored = handle.read(4)
        if name == END:
            yield Chunk(name, at, at + 12 + size, stored == struct.pack(">I", checksum))
            return
        if left or len(stored) < 4:
            return
        yield Chunk(name, at, at + 12 + size, stored == struct.pack(">I", checksum))
        at += 12 + size


def mended(handle: BinaryIO, damaged: list[Chunk]) -> tuple[bytes, list[Chunk]]:
    """Return the file without chunks whose checksum is wrong, and those chunks.

    A colour profile whose own checksum, that of its compression, proves it whole gets a right one
    instead.

    Args:
        handle: the file.
        damaged: its damaged chunks in file order.
    """
    handle.seek(0)
    content = handle.read()
    at, kept, dropped = 0, [], []
    for chunk in damaged:
        kept.append(content[at : chunk.start])
        at = chunk.end
        body = content[chunk.start + 4 : chunk.end - 4]
        if chunk.name == b"iCCP" and _inflates(body.partition(b"\0")[2][1:]):
            checksum = struct.pack(">I", zlib.crc32(body))
            kept.append(content[chunk.start : chunk.end - 4] + checksum)
        else:
            dropped.append(chunk)
    return b"".join([*kept, content[at:]]), dropped


def _inflates(compressed: bytes) -> bool:
    stream = zlib.decompressobj()
    try:
        stream.decompress(compressed, _LARGEST_PROFILE)
    except zlib.error:
        return False
    return stream.eof
