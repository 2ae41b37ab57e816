"""The process that puts new blocks among a JPEG's own coefficients: ``pipeline.images.dct.splice`` starts it, a request a line.

It is a process of its own because the library under it is C that photos from anywhere are fed to: what would end it ends it alone, and
its messages, its temporary files and its global state are nobody else's. It ends where its input does, so no helper outlives its parent.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import jpeglib
import numpy as np
from numpy.typing import NDArray

from ...types import Mask
from .blocks import BLOCK, Samples, blocks_of, components, refilled

REQUEST, SOURCE, TARGET = "request.npz", "source.jpg", "target.jpg"
_READER, _WRITER, _PROGRESSIVE_WRITER = (
    "turbo210",
    "turbo210",
    "mozjpeg403",
)  # of the library's own codecs; the last writes nothing else
_NAMES = ("Y", "Cb", "Cr")
_KEEP_TABLES = 0  # a number instead of tables: the library then leaves the source's tables and component names alone


def splice(folder: Path) -> None:
    """Read ``SOURCE`` and ``REQUEST`` in ``folder``, write ``TARGET``: the source with the request's window of pixels where its hole is.

    ``REQUEST`` holds ``pixels`` (HW or HWC uint8) and ``hole`` (HW bool) of a window whose place ``at`` (row, column) and size are
    multiples of the MCU, ``rgb`` and ``progressive`` (bool). Raises ``ValueError`` for a JPEG of another kind, ``OSError`` where the
    library fails.
    """
    with np.load(folder / REQUEST, allow_pickle=False) as request:
        pixels, hole, at = request["pixels"], request["hole"], request["at"]
        rgb, progressive = bool(request["rgb"]), bool(request["progressive"])
    tempfile.tempdir = str(folder)  # the library's copies of the photo go when the folder goes
    jpeglib.version.set(_READER)
    jpeg = jpeglib.read_dct(str(folder / SOURCE))
    jpeg.load()
    planes = components(pixels, rgb=rgb)
    if jpeg.num_components != len(planes):
        raise ValueError(f"it has {jpeg.num_components} components, not {len(planes)}")
    factors = np.asarray(jpeg.samp_factor).reshape(-1, 2)[: len(planes)]
    if len(planes) == 1:
        factors = np.ones_like(
            factors
        )  # the only component is never subsampled, whatever its factors
    for number, plane in enumerate(planes):
        _refill(jpeg, number, plane, hole, at, factors)
    jpeg.qt = _KEEP_TABLES
    jpeglib.version.set(_PROGRESSIVE_WRITER if progressive else _WRITER)
    jpeg.write_dct(str(folder / TARGET), flags=["+OPTIMIZE_CODING"])


def _refill(
    jpeg: Any,
    number: int,
    plane: Samples,
    hole: Mask,
    at: NDArray[np.int64],
    factors: NDArray[np.int64],
) -> None:
    """Put the touched blocks of one component into ``jpeg``, which is the library's own copy."""
    coefficients = getattr(jpeg, _NAMES[number])
    down, across = (
        int(most) // int(own)
        for most, own in zip(factors.max(axis=0), factors[number], strict=True)
    )
    samples, under = blocks_of(plane, (down, across)), blocks_of(hole, (down, across))
    top, left = int(at[0]) // (BLOCK * down), int(at[1]) // (BLOCK * across)
    rows, columns = np.nonzero(under.any(axis=(2, 3)))
    inside = (top + rows < coefficients.shape[0]) & (
        left + columns < coefficients.shape[1]
    )  # an MCU may reach past the last block
    rows, columns = rows[inside], columns[inside]
    place = top + rows, left + columns
    table = jpeg.qt[jpeg.quant_tbl_no[number]]
    coefficients[place] = refilled(
        coefficients[place], table, samples[rows, columns], under[rows, columns]
    )


def main() -> None:
    """Answer requests until the input ends: a folder a line in, a JSON string a line out, empty where all went well, else the reason."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    for line in sys.stdin:
        try:
            splice(Path(json.loads(line)))
            reason = ""
        except Exception as error:  # whatever it is, it is the answer to this request
            reason = str(error) or type(error).__name__
        print(json.dumps(reason), flush=True)


if __name__ == "__main__":
    main()
