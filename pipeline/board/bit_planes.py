"""Small whole numbers of a mask's size, compressed: what an edit changed, and masks that wait."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BitPlanes:
    """Values of one byte, one compressed picture for each bit that any of them has.

    Attributes:
        size: (height, width).
        planes: the bits that occur, each with its compressed pixels.
    """

    size: tuple[int, int]
    planes: tuple[tuple[int, bytes], ...]

    @classmethod
    def pack(cls, values: NDArray[np.uint8]) -> BitPlanes:
        """Compress values, HW uint8."""
        planes = []
        for bit in range(8):
            plane = values & np.uint8(1 << bit)
            if plane.any():
                planes.append((bit, zlib.compress(np.packbits(plane).tobytes(), 1)))
        return cls((int(values.shape[0]), int(values.shape[1])), tuple(planes))

    def unpack(self) -> NDArray[np.uint8]:
        """Return the values, HW uint8."""
        height, width = self.size
        values = np.zeros(height * width, np.uint8)
        for bit, compressed in self.planes:
            packed = np.frombuffer(zlib.decompress(compressed), np.uint8)
            values |= np.unpackbits(packed, count=len(values)) << np.uint8(bit)
        return values.reshape(self.size)

    @property
    def bytes(self) -> int:
        """The memory that the compressed pixels take."""
        return sum(len(compressed) for _, compressed in self.planes)
