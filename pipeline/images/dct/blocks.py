"""The blocks of a JPEG that a hole touches, and their new DCT coefficients (ITU-T T.81, A.3).

A block is 8 x 8 samples of one component. In a touched block only the samples under the hole are
new; the others are decoded from the old coefficients. So outside the hole the block changes by no
more than its own quantisation error.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...types import Mask

#: The files of a request, in the folder that ``splice`` shares with its child process ``worker``.
REQUEST, SOURCE, TARGET = "request.npz", "source.jpg", "target.jpg"

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
    """Split pixels into the file's components.

    Args:
        pixels: grey (HW) or RGB (HWC).
        rgb: whether the file stores RGB as it is; otherwise YCbCr by JFIF's formula.

    Returns:
        One HW float32 array per component, 0 to 255.
    """
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
    """Cut a full-size plane into a component's blocks.

    Args:
        plane: HW, a multiple of 8 x ``step``.
        step: the pixels (down, across) that make one sample of the component.

    Returns:
        Rows x columns x 8 x 8. A sample is the average of its pixels, as encoders compute it; a
        mask's sample is True if any of its pixels is.
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
    """Compute the coefficients of N blocks with new samples under the hole.

    Args:
        old: N x 8 x 8, the blocks' coefficients.
        table: 8 x 8, the component's quantisation table.
        samples: N x 8 x 8, 0 to 255, used where ``hole`` is True.
        hole: N x 8 x 8; where False, the sample is the one that ``old`` decodes to.
    """
    steps = table.astype(np.float32)
    decoded = _DCT.T @ (old * steps) @ _DCT + 128
    wanted = np.where(hole, samples, decoded) - 128
    coefficients = np.rint(_DCT @ wanted @ _DCT.T / steps)
    limited = np.where(_DC, coefficients.clip(-1024, 1023), coefficients.clip(-1023, 1023))
    return cast(Blocks, limited.astype(np.int16))
