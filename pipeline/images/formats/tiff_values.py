"""A TIFF tag's value as Python's objects, and back, without loss."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

from PIL.TiffImagePlugin import IFDRational

from ..containers.tiff import CODES, SIZES, Content, Tiff, Value

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL, DOUBLE = 1, 2, 3, 4, 5, 7, 10, 12
_SBYTE = 6
_SHORTEST_LONG, _LARGEST_LONG = 1 << 16, 1 << 32
_LARGEST_TERM = {RATIONAL: _LARGEST_LONG - 1, SRATIONAL: (1 << 31) - 1}


def as_object(value: Value, file: Tiff) -> Any:
    """Return a value as bytes (BYTE, UNDEFINED), a text (ASCII) or a tuple of numbers.

    A text's bytes that are no UTF-8 become surrogates, as in file names. A fraction keeps its
    numerator and denominator.
    """
    if value.kind in (BYTE, UNDEFINED):
        return value.content
    if value.kind == ASCII:
        return value.content.rstrip(b"\0").decode("utf-8", "surrogateescape")
    if value.kind == _SBYTE:
        return struct.unpack(f"{len(value.content)}b", value.content)
    numbers = file.numbers(value)
    if value.kind in (RATIONAL, SRATIONAL):
        return tuple(IFDRational(n, d) for n, d in zip(numbers[::2], numbers[1::2], strict=True))
    return numbers


def as_value(kind: int, value: Any) -> Value:
    """Return an object as a value in little-endian bytes: the inverse of ``as_object``.

    Args:
        kind: its type; 0 chooses one. Bytes become the content of any type.
        value: bytes, a text, a number or a tuple of numbers.

    Raises:
        struct.error, ValueError, TypeError: if the object does not fit the type.
    """
    if isinstance(value, str):
        return Value(ASCII, value.encode("utf-8", "surrogateescape") + b"\0")
    if isinstance(value, bytes):
        kind = kind or UNDEFINED
        return Value(kind, value + bytes(-len(value) % SIZES[kind]))
    numbers = value if isinstance(value, tuple | list) else (value,)
    kind = kind or _kind(numbers)
    if kind in (RATIONAL, SRATIONAL):
        terms = [term for number in numbers for term in _terms(number, kind)]
        return Value(kind, struct.pack(f"<{len(terms)}{CODES[kind][0]}", *terms))
    code = {BYTE: "B", UNDEFINED: "B", _SBYTE: "b"}.get(kind) or CODES[kind]
    return Value(kind, struct.pack(f"<{len(numbers)}{code}", *numbers))


def as_content(values: Mapping[int, Any], kinds: Mapping[int, int]) -> Content:
    """Return a directory's objects as values; one that does not fit its type is left out."""
    content: dict[int, Value] = {}
    for tag, value in values.items():
        try:
            content[tag] = as_value(kinds.get(tag, 0), value)
        except (struct.error, ValueError, TypeError, OverflowError):
            continue
    return content


def _kind(numbers: tuple[Any, ...] | list[Any]) -> int:
    if all(isinstance(number, int) for number in numbers):
        return SHORT if all(0 <= number < _SHORTEST_LONG for number in numbers) else LONG
    if all(isinstance(number, IFDRational) for number in numbers):
        return SRATIONAL if any(number < 0 for number in numbers) else RATIONAL
    return DOUBLE


def _terms(number: Any, kind: int) -> tuple[int, int]:
    """Return numerator and denominator, its own where they fit."""
    if isinstance(number, IFDRational | Fraction | int):
        own = int(cast(int, number.numerator)), int(number.denominator)
        if max(map(abs, own)) <= _LARGEST_TERM[kind]:
            return own
    near = Fraction(number).limit_denominator(1_000_000)
    return near.numerator, near.denominator
