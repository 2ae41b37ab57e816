"""Find the removed object in a file, whatever its encoding, by decoding everything that decodes."""

from __future__ import annotations

import base64
import binascii
import html
import re
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from functools import cache

import numpy as np

from .kinds import encoded

#: Bytes of a piece of the picture, and from one to the next.
_PIECE, _STEP = 16, 4
_DEPTH = 3
#: Characters of a text that is not in lines: joining lines loses hyphens, which base64url has.
_UNBROKEN = 200
_ZLIB = re.compile(rb"[\x08\x18\x28\x38\x48\x58\x68\x78][\x01\x5e\x9c\xda]")
_GZIP = re.compile(rb"\x1f\x8b\x08")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{48,}")
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{48,}")
_ASCII_85 = re.compile(rb"[!-uz]{64,}")
_DECIMAL = re.compile(rb"(?:\d{1,3}[\s,;]+){24,}\d{1,3}")
_TAG = re.compile(rb"<[^<>]{1,200}>")
_ESCAPES = re.compile(rb"\\u00([0-9a-fA-F]{2})|\\(.)|%([0-9a-fA-F]{2})")
_BETWEEN = re.compile(rb"[\s:,;\0-]+|\\[nrt]")


class _Pieces:
    """Pieces of the picture, found in data by their first eight bytes."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if len(piece) >= 12]
        self._starts = np.sort([int.from_bytes(piece[:8], "little") for piece in self._pieces])

    def are_in(self, data: bytes) -> bool:
        """Whether the data contain one of the pieces."""
        if len(data) < 12:
            return False
        view = np.frombuffer(data, np.uint8)
        words = np.lib.stride_tricks.sliding_window_view(view, 8)[:, ::-1]
        numbers = np.ascontiguousarray(words).view(">u8").ravel().astype(np.uint64)
        places = np.searchsorted(self._starts, numbers).clip(max=len(self._starts) - 1)
        if not (self._starts[places] == numbers).any():
            return False
        return any(piece in data for piece in self._pieces)


@cache
def _pieces() -> tuple[_Pieces, _Pieces]:
    """The pieces of every raw form, and the same without zeros."""
    forms = [encoded(name) for name in ("JPEG", "PNG", "WEBP", "RGB")]
    # The tables of a JPEG's header stand in any other JPEG, too.
    forms[0] = forms[0][forms[0].index(b"\xff\xda") + 14 :]
    forms[1] = forms[1][forms[1].index(b"IDAT") + 10 : -20]
    forms[2] = forms[2][40:]
    cut = [f[at : at + _PIECE] for f in forms for at in range(0, len(f) - _PIECE, _STEP)]
    return _Pieces(cut), _Pieces([piece.replace(b"\0", b"") for piece in cut])


def holds_object(content: bytes) -> bool:
    """Whether a file holds a part of the removed object (20 bytes or more of its encoding)."""
    if any(_pieces()[0].are_in(data) for data in _from_numbers(content)):
        return True
    seen: set[int] = set()
    waiting = deque([(content, _DEPTH)])
    while waiting:
        data, depth = waiting.popleft()
        if hash(data) in seen:
            continue
        seen.add(hash(data))
        if _is_in(data):
            return True
        if depth:
            waiting += [(found, depth - 1) for found in _decoded(data)]
    return False


def _is_in(data: bytes) -> bool:
    pieces, without_zeros = _pieces()
    return pieces.are_in(data) or without_zeros.are_in(data.replace(b"\0", b""))


def _decoded(data: bytes) -> Iterator[bytes]:
    """Yield everything that some decoder makes of the data."""
    yield from _inflated(data)
    text = data.replace(b"\0", b"")
    yield from _from_text(text)
    if b"<" in text:
        yield _TAG.sub(b"", text)
    unescaped = _ESCAPES.sub(_unescape, text)
    if unescaped != text:
        yield unescaped
    if b"&" in text:
        yield html.unescape(text.decode("latin-1")).encode("latin-1", "replace")


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1] or match[3]
    return bytes.fromhex(code.decode()) if code else match[2]


def _inflated(data: bytes) -> Iterator[bytes]:
    for pattern, bits in ((_ZLIB, 15), (_GZIP, 31)):
        for match in pattern.finditer(data):
            try:
                inflated = zlib.decompressobj(bits).decompress(data[match.start() :], 1 << 20)
            except zlib.error:
                continue
            yield inflated


def _from_text(text: bytes) -> Iterator[bytes]:
    yield from _from_digits(_BETWEEN.sub(b"", text), 0)
    yield from _from_digits(text, _UNBROKEN)
    for match in _ASCII_85.finditer(text.replace(b"\n", b"")):
        run = match[0].removeprefix(b"<~")
        for start in range(5):
            try:
                yield base64.a85decode(run[start : start + (len(run) - start) // 5 * 5])
            except ValueError:
                continue
    for match in _DECIMAL.finditer(text):
        values = [int(value) for value in re.findall(rb"\d+", match[0])]
        yield bytes(value for value in values if value < 256)


def _from_digits(text: bytes, least: int) -> Iterator[bytes]:
    """Decode base64 and hexadecimal digits, at each place where they may begin."""
    for match in _BASE64.finditer(text):
        run = match[0].translate(bytes.maketrans(b"-_", b"+/"))
        for start in range(4 if len(run) >= least else 0):
            yield binascii.a2b_base64(run[start : start + (len(run) - start) // 4 * 4])
    for match in _HEXADECIMAL.finditer(text):
        run = match[0]
        for start in range(2 if len(run) >= least else 0):
            yield bytes.fromhex(run[start : start + (len(run) - start) // 2 * 2].decode())


def _from_numbers(data: bytes) -> Iterator[bytes]:
    """Yield the data in the other byte order, and numbers that are each one byte's value."""
    yield from (data[start::8] for start in range(8))  # fractions of one
    for size in (2, 4, 8):
        for start in range(size):
            part = data[start : start + (len(data) - start) // size * size]
            yield np.frombuffer(part, f"<u{size}").byteswap().tobytes()
    for form in ("<f8", ">f8", "<f4", ">f4"):
        size = int(form[2])
        for start in range(size):
            part = data[start : start + (len(data) - start) // size * size]
            values = np.frombuffer(part, form)
            with np.errstate(invalid="ignore"):
                whole = values[(values >= 0) & (values < 256) & (values == np.floor(values))]
            if len(whole) > _PIECE:
                yield whole.astype(np.uint8).tobytes()


def rationals(payload: bytes) -> bytes:
    """Each byte as a fraction of one, for tags of rationals."""
    return b"".join(struct.pack("<II", value, 1) for value in payload)
