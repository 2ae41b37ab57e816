"""Which blocks of a JPEG a hole touches, and their new DCT coefficients (ITU-T T.81, A.3).

A block is 8 x 8 samples of one component. Inside a touched block only the samples under the hole are new, the others are those that the
old coefficients say; so what the old block showed outside the hole changes by no more than the quantisation of the new one.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...types import Mask

Samples = NDArray[np.float32]
#: Rows x columns of blocks x 8 x 8, each block in natural order (vertical frequency first).
Blocks = NDArray[np.int16]

BLOCK = 8
_FREQUENCY, _PLACE = np.mgrid[:BLOCK, :BLOCK]
_WAVES = np.sqrt(2 / BLOCK) * np.cos((2 * _PLACE + 1) * _FREQUENCY * np.pi / (2 * BLOCK))
_DCT = np.where(_FREQUENCY == 0, np.sqrt(1 / BLOCK), _WAVES).astype(np.float32)
_DC = np.arange(64).reshape(BLOCK, BLOCK) == 0
_LUMA, _BLUE, _RED = (0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)


def components(pixels: NDArray[np.uint8], *, rgb: bool) -> list[Samples]:
    """Grey (HW) or RGB (HWC) pixels as the file's components, HW float32, 0 to 255: YCbCr by JFIF's formula, or ``rgb`` as they are."""
    if pixels.ndim == 2:
        return [pixels.astype(np.float32)]
    if rgb:
        return [pixels[..., band].astype(np.float32) for band in range(3)]
    weights = np.array([_LUMA, _BLUE, _RED], np.float32)
    return [
        pixels @ row + np.float32(centre)
        for row, centre in zip(weights, (0, 128, 128), strict=True)
    ]


def blocks_of(plane: Samples | Mask, step: tuple[int, int]) -> Samples | Mask:
    """A component's blocks (rows x columns x 8 x 8) of a full-size plane, of which ``step`` (down, across) pixels make one sample.

    Samples are averages, as encoders make them; a mask's sample is True where any of its pixels is. The plane is a multiple of
    8 x ``step``.
    """
    down, across = step
    height, width = plane.shape
    cells = plane.reshape(height // down, down, width // across, across)
    small = (
        cells.any(axis=(1, 3)) if plane.dtype == bool else cells.mean(axis=(1, 3), dtype=np.float32)
    )
    rows, columns = small.shape
    return cast(
        "Samples | Mask",
        small.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).swapaxes(1, 2),
    )


def refilled(old: Blocks, table: NDArray[np.uint16], samples: Samples, hole: Mask) -> Blocks:
    """New coefficients of N blocks (each argument but ``table`` N x 8 x 8): ``samples`` where ``hole`` is True, else what ``old`` shows."""
    steps = table.astype(np.float32)
    shown = _DCT.T @ (old * steps) @ _DCT + 128
    wanted = np.where(hole, samples, shown) - 128
    found = np.rint(_DCT @ wanted @ _DCT.T / steps)
    return cast(
        Blocks, np.where(_DC, found.clip(-1024, 1023), found.clip(-1023, 1023)).astype(np.int16)
    )
