"""Write a JPEG whose blocks outside the hole keep their original DCT coefficients.

A child process (``worker``) does the work; an idle one is reused, one that fails is ended.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from pathlib import Path

import numpy as np

from ...pixels import dilate_square
from ...system.subprocess_pool import NoWorkerError, SubprocessPool
from ...types import Mask, Pixels
from ..containers.jpeg import APP14, Segment, parse
from . import worker
from .blocks import BLOCK, REQUEST, SOURCE, TARGET

#: Pixels by which the decoder's upsampling carries a chroma block beyond itself.
_REACH = 1


class SpliceError(Exception):
    """The coefficients of this JPEG cannot be kept; the message is to follow "because"."""


def splice(content: bytes, pixels: Pixels, hole: Mask) -> tuple[tuple[Segment, ...], Mask]:
    """Replace the blocks that the hole touches.

    Args:
        content: the old file without metadata, except for segments that define its colours.
        pixels: HW or HWC uint8, in the file's stored orientation; read where ``hole`` is True and,
            for averages, beside it.
        hole: HW bool, in the file's stored orientation.

    Returns:
        The new JPEG's segments, without metadata except for Adobe's colour segment; and the pixels
        that may differ from the old ones, HW bool.

    Raises:
        SpliceError: if coefficients of this kind of file cannot be replaced, or the library is
            missing or fails.
    """
    parsed = parse(content)
    mcu = mcu_size(parsed.frame)
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise SpliceError("it has four components (CMYK)")
    if importlib.util.find_spec("jpeglib") is None:
        raise SpliceError("the package jpeglib is not installed")
    with tempfile.TemporaryDirectory(prefix="remove-objects-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / SOURCE).write_bytes(content)
        _write_request(
            folder / REQUEST,
            pixels,
            hole,
            mcu,
            rgb=parsed.is_rgb,
            progressive=parsed.is_progressive,
        )
        _ask(folder)
        written = parse((folder / TARGET).read_bytes())
    colours = [segment for segment in parsed.segments if segment.marker == APP14]
    coded = [segment for segment in written.segments if not segment.is_metadata]
    return (*colours, *coded), _reach(hole, mcu)


def mcu_size(frame: Segment | None) -> tuple[int, int]:
    """Return the height and width in pixels of the frame's MCU.

    Raises:
        SpliceError: if its blocks cannot be replaced.
    """
    if frame is None or len(frame.payload) < 9 or frame.payload[0] != 8:
        raise SpliceError("its samples do not have 8 bits")
    factors = [(f & 15, f >> 4) for f in frame.payload[7::3]]  # vertical, horizontal
    if len(factors) == 1:
        return BLOCK, BLOCK
    largest = max(v for v, _ in factors), max(h for _, h in factors)
    if any(not v or not h or largest[0] % v or largest[1] % h for v, h in factors):
        raise SpliceError("its components are not subsampled by whole numbers")
    return BLOCK * largest[0], BLOCK * largest[1]


def _write_request(
    path: Path, pixels: Pixels, hole: Mask, mcu: tuple[int, int], *, rgb: bool, progressive: bool
) -> None:
    """Write the window of whole MCUs around the hole.

    Beyond the photo's edge the window repeats the edge, so that no old content remains there.
    """
    window, padding = [], []
    for axis, step in enumerate(mcu):
        lines = np.flatnonzero(hole.any(axis=1 - axis))
        first, last = (int(lines[0]), int(lines[-1])) if len(lines) else (0, 0)
        end = (last // step + 1) * step
        window.append(slice(first // step * step, min(end, hole.shape[axis])))
        padding.append((0, max(0, end - hole.shape[axis])))
    rows, columns = window
    with open(path, "wb") as file:
        np.savez(
            file,
            pixels=np.pad(pixels[rows, columns], [*padding, (0, 0)][: pixels.ndim], "edge"),
            hole=np.pad(hole[rows, columns], padding, "edge"),
            at=np.array([rows.start, columns.start]),
            rgb=np.array(rgb),
            progressive=np.array(progressive),
        )


def _reach(hole: Mask, mcu: tuple[int, int]) -> Mask:
    """Return the pixels of every touched MCU, and the neighbours that share its chroma."""
    height, width = hole.shape
    down, across = mcu
    padded = np.pad(hole, ((0, -height % down), (0, -width % across)))
    rows, columns = padded.shape[0] // down, padded.shape[1] // across
    touched = padded.reshape(rows, down, columns, across).any(axis=(1, 3))
    whole = touched.repeat(down, axis=0).repeat(across, axis=1)[:height, :width]
    return dilate_square(whole, _REACH)


def _ask(folder: Path) -> None:
    """Let a child process carry out the request in ``folder``."""
    try:
        with _workers.borrow() as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(str(folder)).encode() + b"\n")
            process.stdin.flush()
            reason = json.loads(process.stdout.readline())
    except NoWorkerError as error:
        raise SpliceError(f"its child process cannot be started ({error})") from error
    except (OSError, ValueError) as error:
        raise SpliceError("the library failed on it") from error
    if reason:
        raise SpliceError(f"the library refused it ({reason.replace(str(folder), '').strip()})")


_workers = SubprocessPool(worker.main)
