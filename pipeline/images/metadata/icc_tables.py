"""The curves and tables of a colour profile (ICC.1, section 10): how long they are, and smooth."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

#: The sum of a curve's steps, in units of its range. A rising curve has 1; noise of 256 values 85.
_MOST_VARIATION = 3.0
#: The mean step between neighbours in a table of colours. Noise and compressed pictures have 0.33.
_ROUGHEST_TABLE = 0.2
_SHORTEST = 16
#: Parameters of a parametric curve by its function.
_PARAMETERS = (1, 3, 4, 5, 7)
_MOST_CHANNELS = 15


def size_of_table(content: bytes) -> int | None:
    """Return the bytes that a curve or table takes; None if it is none, or too rough to be one."""
    try:
        match content[:4]:
            case b"curv" | b"para":
                return _curve(content, 0)
            case b"mft1":
                return _lut(content, 48, 1, 256, 256)
            case b"mft2":
                return _lut(content, 52, 2, *struct.unpack_from(">HH", content, 48))
            case b"mAB " | b"mBA ":
                return _stages(content)
    except (struct.error, ValueError, IndexError):
        pass
    return None


def _curve(content: bytes, at: int) -> int:
    """Return where the curve at ``at`` ends.

    Raises:
        ValueError: it is no curve.
        struct.error: it is cut off.
    """
    if content[at : at + 4] == b"para":
        (function,) = struct.unpack_from(">H", content, at + 8)
        if function >= len(_PARAMETERS):
            raise ValueError
        return _within(content, at + 12 + 4 * _PARAMETERS[function])
    if content[at : at + 4] != b"curv":
        raise ValueError
    (count,) = struct.unpack_from(">I", content, at + 8)
    end = _within(content, at + 12 + 2 * count)
    _check_curve(_values(content, at + 12, count, 2))
    return end


def _lut(content: bytes, at: int, width: int, inputs: int, outputs: int) -> int:
    """Return where a table of 8 or 16 bits ends: input curves, colours, output curves."""
    channels, results, grid = content[8:11]
    if not 0 < channels <= _MOST_CHANNELS or not 0 < results <= _MOST_CHANNELS:
        raise ValueError
    colours = grid**channels * results
    end = _within(content, at + width * (inputs * channels + colours + outputs * results))
    for _ in range(channels):
        _check_curve(_values(content, at, inputs, width))
        at += width * inputs
    _check_colours(_values(content, at, colours, width).reshape(-1, results))
    at += width * colours
    for _ in range(results):
        _check_curve(_values(content, at, outputs, width))
        at += width * outputs
    return end


def _stages(content: bytes) -> int:
    """Return where a table of stages ends; bytes between its stages are an error."""
    inputs, results = content[8:10]
    b_curves, matrix, m_curves, colours, a_curves = struct.unpack_from(">5I", content, 12)
    is_to_device = content[:4] == b"mBA "
    spans = [(0, 32)]
    if matrix:
        spans.append((matrix, _within(content, matrix + 48)))
    if colours:
        spans.append((colours, _grid(content, colours, inputs, results)))
    ends = (inputs, results) if is_to_device else (results, inputs)
    for place, count in ((b_curves, ends[0]), (m_curves, 3), (a_curves, ends[1])):
        at = place
        for _ in range(count if place else 0):
            end = _curve(content, at)
            spans.append((at, end))
            at = (end + 3) // 4 * 4
    covered = 0
    for start, end in sorted(spans):
        if any(content[covered:start]):
            raise ValueError
        covered = max(covered, end)
    return covered


def _grid(content: bytes, at: int, inputs: int, results: int) -> int:
    points = content[at : at + 16]
    if (
        not 0 < inputs <= _MOST_CHANNELS
        or not 0 < results <= _MOST_CHANNELS
        or any(points[inputs:])
    ):
        raise ValueError
    count = results
    for number in points[:inputs]:
        count *= number
    width = content[at + 16]
    if width not in (1, 2) or any(content[at + 17 : at + 20]):
        raise ValueError
    end = _within(content, at + 20 + width * count)
    _check_colours(_values(content, at + 20, count, width).reshape(-1, results))
    return end


def _within(content: bytes, end: int) -> int:
    if end > len(content):
        raise ValueError
    return end


def _values(content: bytes, at: int, count: int, width: int) -> NDArray[np.float32]:
    """Return integers in units of the largest one."""
    kind = np.dtype(f">u{width}")
    values = np.frombuffer(content, kind, count, at).astype(np.float32)
    return values / np.float32(np.iinfo(kind).max)


def _check_curve(values: NDArray[np.float32]) -> None:
    if len(values) > _SHORTEST and float(np.abs(np.diff(values)).sum()) > _MOST_VARIATION:
        raise ValueError


def _check_colours(values: NDArray[np.float32]) -> None:
    if len(values) > _SHORTEST and float(np.abs(np.diff(values, axis=0)).mean()) > _ROUGHEST_TABLE:
        raise ValueError
