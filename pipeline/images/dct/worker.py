"""The child process that replaces blocks among a JPEG's own coefficients, for ``splice``.

The library below is written in C and reads untrusted files: a crash ends this process alone, and
the library's messages, temporary files and global state stay in it. The process ends when its
standard input does, so it never outlives its parent.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...system.memory import give_back
from ...types import Mask
from .blocks import BLOCK, REQUEST, SOURCE, TARGET, Samples, blocks_of, components, refilled

#: The library's codecs: the reader, the writer, and the only one that writes progressive files (and
#: nothing else).
_READER, _WRITER, _PROGRESSIVE_WRITER = "turbo210", "turbo210", "mozjpeg403"
_NAMES = ("Y", "Cb", "Cr")
#: A number instead of tables: the library then keeps the source's tables and component names.
_KEEP_TABLES = 0


def splice(folder: Path) -> None:
    """Write ``TARGET`` in ``folder``: ``SOURCE`` with the pixels of ``REQUEST`` under its hole.

    ``REQUEST`` is an ``.npz`` of a window whose place and size are multiples of the MCU: ``pixels``
    (HW or HWC uint8), ``hole`` (HW bool), ``at`` (row, column), ``rgb`` and ``progressive`` (bool).

    Raises:
        ValueError: if the JPEG's components do not match the pixels.
        OSError: if the library fails.
    """
    # Imported here: the parent process imports this module, but must not load the library.
    import jpeglib

    tempfile.tempdir = str(folder)  # the library's copies of the photo are deleted with the folder
    jpeglib.version.set(_READER)
    jpeg = jpeglib.read_dct(str(folder / SOURCE))
    jpeg.load()
    progressive = _refill_window(jpeg, folder)
    # The library now takes as much again as the coefficients that it has read.
    give_back()
    jpeg.qt = _KEEP_TABLES
    jpeglib.version.set(_PROGRESSIVE_WRITER if progressive else _WRITER)
    jpeg.write_dct(str(folder / TARGET), flags=["+OPTIMIZE_CODING"])


def _refill_window(jpeg: Any, folder: Path) -> bool:
    """Replace the touched blocks of every component, as the request in ``folder`` says.

    Returns:
        Whether the file is progressive.

    Raises:
        ValueError: if the JPEG's components do not match the pixels.
    """
    with np.load(folder / REQUEST, allow_pickle=False) as request:
        pixels, hole, at = request["pixels"], request["hole"], request["at"]
        rgb, progressive = bool(request["rgb"]), bool(request["progressive"])
    planes = components(pixels, rgb=rgb)
    if jpeg.num_components != len(planes):
        raise ValueError(f"it has {jpeg.num_components} components, not {len(planes)}")
    factors = np.asarray(jpeg.samp_factor).reshape(-1, 2)[: len(planes)]
    if len(planes) == 1:
        # A single component is never subsampled, whatever its factors say.
        factors = np.ones_like(factors)
    for number, plane in enumerate(planes):
        _refill(jpeg, number, plane, hole, at, factors)
    return progressive


def _refill(
    jpeg: Any,
    number: int,
    plane: Samples,
    hole: Mask,
    at: NDArray[np.int64],
    factors: NDArray[np.int64],
) -> None:
    """Replace the touched blocks of one component in ``jpeg``, which is the library's own copy."""
    coefficients = getattr(jpeg, _NAMES[number])
    down, across = (
        int(largest) // int(factor)
        for largest, factor in zip(factors.max(axis=0), factors[number], strict=True)
    )
    samples, under = blocks_of(plane, (down, across)), blocks_of(hole, (down, across))
    top, left = int(at[0]) // (BLOCK * down), int(at[1]) // (BLOCK * across)
    rows, columns = np.nonzero(under.any(axis=(2, 3)))
    # An MCU may reach past the last block.
    height, width = coefficients.shape[:2]
    inside = (top + rows < height) & (left + columns < width)
    rows, columns = rows[inside], columns[inside]
    place = top + rows, left + columns
    table = jpeg.qt[jpeg.quant_tbl_no[number]]
    coefficients[place] = refilled(
        coefficients[place], table, samples[rows, columns], under[rows, columns]
    )


def main() -> None:
    """Answer requests until the standard input ends.

    A request is a line with a folder, an answer a line with the reason of a failure, empty if there
    was none; both are JSON strings.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    for line in sys.stdin:
        try:
            splice(Path(json.loads(line)))
            reason = ""
        except Exception as error:  # any failure is the answer to this request
            reason = str(error) or type(error).__name__
        print(json.dumps(reason), flush=True)
        give_back()


if __name__ == "__main__":
    main()
