"""GeoTIFF's arrays (OGC 19-008r4), which are long enough for a picture: are they what they say?"""

from __future__ import annotations

import math
from typing import Any

#: Pixel scale, tie points, transformation, parameters: floating-point numbers.
_DOUBLES = frozenset((33550, 33922, 34264, 34736))
_KEYS = 34735
_PARAMETERS = (34736, 34737)
#: Metres, degrees and the sizes of planets; other bytes have exponents of any size.
_SMALLEST, _LARGEST = 1e-12, 1e12
_KEY_COLUMNS = 4


def is_plausible(tag: int, value: Any) -> bool:
    """Whether the value of a tag of GeoTIFF can be one; True for every other tag."""
    numbers = value if isinstance(value, tuple) else (value,)
    if tag in _DOUBLES:
        return all(isinstance(number, int | float) and _is_measure(number) for number in numbers)
    return tag != _KEYS or _are_keys(numbers)


def _is_measure(number: float) -> bool:
    size = abs(number)
    return math.isfinite(number) and (size == 0 or _SMALLEST < size < _LARGEST)


def _are_keys(numbers: tuple[Any, ...]) -> bool:
    """Whether this is a list of keys: version, then (key, where, count, value), keys ascending."""
    if not all(isinstance(number, int) for number in numbers) or len(numbers) % _KEY_COLUMNS:
        return False
    rows = [numbers[at : at + _KEY_COLUMNS] for at in range(0, len(numbers), _KEY_COLUMNS)]
    if not rows or rows[0][0] != 1 or rows[0][3] != len(rows) - 1:
        return False
    keys = [row[0] for row in rows[1:]]
    places = {row[1] for row in rows[1:]}
    return keys == sorted(set(keys)) and places <= {0, *_PARAMETERS}
