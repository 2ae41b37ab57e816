"""A JPEG whose blocks outside the hole keep their very coefficients: nothing there is encoded anew.

The work is done by a helper process (``pipeline.images.dct.worker``); one that is idle is used again, one that fails is ended.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from ...system.helper_pool import Helpers, NoHelperError
from ...types import Mask, Pixels
from ..containers.jpeg import APP14, Segment, parse
from .blocks import BLOCK

# Only names, because the helper's own imports are not wanted in this process.
_REQUEST, _SOURCE, _TARGET = "request.npz", "source.jpg", "target.jpg"
#: Pixels by which the decoder's upsampling carries a chroma block beyond itself.
_REACH = 1


class SpliceError(Exception):
    """The coefficients of this JPEG cannot be kept; the message says why, to go behind "because"."""


def splice(content: bytes, pixels: Pixels, hole: Mask) -> tuple[tuple[Segment, ...], Mask]:
    """New segments of a JPEG, no metadata but Adobe's word on its colours; and the pixels that may differ from the old ones, HW bool.

    Args:
        content: the old file without its metadata, but for what says which colours its components are.
        pixels: HW or HWC uint8, as the file stores them, read where ``hole`` is True and, for averages, beside it.
        hole: HW bool, as the file stores its pixels.

    Raises:
        SpliceError: the file is of a kind whose coefficients cannot be exchanged, or the library is not there.
    """
    parsed = parse(content)
    cell = _mcu(parsed.frame)
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise SpliceError("it has four components (CMYK)")
    if importlib.util.find_spec("jpeglib") is None:
        raise SpliceError("the package jpeglib is not installed")
    with tempfile.TemporaryDirectory(prefix="remove-objects-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / _SOURCE).write_bytes(content)
        _write_request(
            folder / _REQUEST,
            pixels,
            hole,
            cell,
            rgb=parsed.is_rgb,
            progressive=parsed.is_progressive,
        )
        _ask(folder)
        written = parse((folder / _TARGET).read_bytes())
    colours = [segment for segment in parsed.segments if segment.marker == APP14]
    return (
        *colours,
        *(segment for segment in written.segments if not segment.is_metadata),
    ), _reach(hole, cell)


def _mcu(frame: Segment | None) -> tuple[int, int]:
    """Rows and columns of pixels in the frame's MCU."""
    if frame is None or len(frame.payload) < 9 or frame.payload[0] != 8:
        raise SpliceError("its frame is not one of 8 bits a sample")
    factors = [(f & 15, f >> 4) for f in frame.payload[7::3]]  # vertical, horizontal
    if len(factors) == 1:
        return BLOCK, BLOCK
    most = max(v for v, _ in factors), max(h for _, h in factors)
    if any(not v or not h or most[0] % v or most[1] % h for v, h in factors):
        raise SpliceError("its components are subsampled by other than whole numbers")
    return BLOCK * most[0], BLOCK * most[1]


def _write_request(
    path: Path, pixels: Pixels, hole: Mask, cell: tuple[int, int], *, rgb: bool, progressive: bool
) -> None:
    """The window of whole MCUs around the hole. Past the photo's edge it goes on as the edge does: nothing old is left there either."""
    window, fringe = [], []
    for axis, step in enumerate(cell):
        lines = np.flatnonzero(hole.any(axis=1 - axis))
        first, last = (int(lines[0]), int(lines[-1])) if len(lines) else (0, 0)
        end = (last // step + 1) * step
        window.append(slice(first // step * step, min(end, hole.shape[axis])))
        fringe.append((0, max(0, end - hole.shape[axis])))
    rows, columns = window
    with open(path, "wb") as file:
        np.savez(
            file,
            pixels=np.pad(pixels[rows, columns], [*fringe, (0, 0)][: pixels.ndim], "edge"),
            hole=np.pad(hole[rows, columns], fringe, "edge"),
            at=np.array([rows.start, columns.start]),
            rgb=np.array(rgb),
            progressive=np.array(progressive),
        )


def _reach(hole: Mask, cell: tuple[int, int]) -> Mask:
    """The pixels of every MCU that the hole touches, and those beside them that share its chroma."""
    height, width = hole.shape
    down, across = cell
    padded = np.pad(hole, ((0, -height % down), (0, -width % across)))
    touched = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // across, across).any(
        axis=(1, 3)
    )
    whole = touched.repeat(down, axis=0).repeat(across, axis=1)[:height, :width]
    return cast(
        Mask,
        cv2.dilate(whole.view(np.uint8), np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)).view(
            bool
        ),
    )


def _ask(folder: Path) -> None:
    """Have a helper do the request in ``folder``."""
    try:
        with _helpers.lent() as helper:
            assert helper.stdin is not None
            assert helper.stdout is not None
            helper.stdin.write(json.dumps(str(folder)).encode() + b"\n")
            helper.stdin.flush()
            reason = json.loads(helper.stdout.readline())
    except NoHelperError as error:
        raise SpliceError(f"its helper process cannot be started ({error})") from error
    except (OSError, ValueError) as error:
        raise SpliceError("the library gave up on it") from error
    if reason:
        raise SpliceError(f"the library refused it ({reason.replace(str(folder), '').strip()})")


_helpers = Helpers("dct.worker")
