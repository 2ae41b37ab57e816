"""A photo's samples at other depths: 8 bits for what shows or looks at it, float for what computes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import FloatArray


def eight_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 as it is (the same array), uint16 reduced so that white stays white."""
    return samples if samples.dtype == np.uint8 else (samples // 257).astype(np.uint8)


def as_float(samples: NDArray[Any]) -> FloatArray:
    """uint8 or uint16 -> float32 in [0, 1]; floats as they are (the same array)."""
    if samples.dtype.kind == "f":
        return samples
    return as_own_float(samples)


def as_own_float(samples: NDArray[Any]) -> FloatArray:
    """``as_float`` in memory of its own, to be written into."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    return samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)
