"""The boxes of a HEIC or AVIF file (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple


class BmffBox(NamedTuple):
    """A box of the file.

    Attributes:
        type: its four-letter type.
        start: where the box begins in the file.
        body: where its content begins.
        end: where both end.
    """

    type: bytes
    start: int
    body: int
    end: int


def boxes(data: bytes | bytearray, at: int, end: int) -> Iterator[BmffBox]:
    """Yield the boxes between two places of a file.

    Raises:
        ValueError: if a box does not fit.
    """
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        stop = at + size if size else end
        if stop < body or stop > end:
            raise ValueError(f"its box {kind!r} does not fit into its parent")
        yield BmffBox(kind, at, body, stop)
        at = stop
