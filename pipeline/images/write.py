"""Write a cleaned photo in its file's own format, mode and metadata.

Nothing outside the hole changes: only the hole's pixels are converted to the file's mode and
pasted, and the written file is read again and compared before it takes its name. In a lossy format
(JPEG, lossy WebP, AVIF, HEIC) the difference is the codec's, and is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import UnreadableError, UnwritableError
from ..system.atomic import ANYWHERE, Placement, atomic_write
from ..types import Mask, Photo, Pixels
from .capture import as_png, by_suffix
from .carried import Keep, carried
from .dct.splice import SpliceError
from .fidelity import difference
from .formats.raw import OUTPUTS, developed, to_8_bits
from .formats.table import encode
from .keep import write_kept
from .kept import lost_metadata
from .native import Native, Sheet
from .open import BAD_CONTENT, quiet
from .paste import paste
from .read import read_photo


@dataclass(frozen=True, slots=True)
class WriteResult:
    """A written photo.

    Attributes:
        path: the file.
        psnr_outside: PSNR in dB outside the hole; None if no pixel changed there.
        changed_outside: the number of changed pixels outside the hole.
        note: why a JPEG's own coefficients could not be kept; empty if they were, and for every
            other format.
        about_metadata: sentences about the metadata that were dropped, or that did not survive.
    """

    path: Path
    psnr_outside: float | None
    changed_outside: int
    note: str = ""
    about_metadata: tuple[str, ...] = ()


def write_photo(
    photo: Photo,
    rgb: Pixels,
    hole: Mask,
    path: Path,
    *,
    lossless: bool = False,
    strip: bool = False,
    keep_all: bool = False,
    raw_output: str = "tiff",
    placement: Placement = ANYWHERE,
) -> WriteResult:
    """Write ``photo`` with ``rgb`` in the hole, in its own format, mode, depth and metadata.

    Thumbnails and further pictures, which still show what was removed, are dropped. A JPEG keeps
    its orientation and the coefficients of the blocks that the hole does not touch; if that is not
    possible, it is re-encoded and ``note`` gives the reason. Then, and in every other format,
    pixels are stored upright with orientation 1. Palettes stay palettes: entries that only the
    hole used are given to its new colours, and other new colours get the nearest entry.

    Args:
        photo: the photo as read; one that came from no file takes the format of the path's suffix.
        rgb: HWC of the photo's dtype, read where ``hole`` is True.
        hole: HW bool.
        path: the new file; parent folders are made.
        lossless: write a lossy format as PNG at ``path`` + ".png"; CMYK then becomes sRGB.
        strip: keep only the metadata that the pixels need.
        keep_all: keep metadata that this program does not know too, see ``carried.Keep``.
        raw_output: the format of a photo that came as a RAW: "tiff" at ``path`` + ".tif", or
            "jpeg" at ``path`` + ".jpg".
        placement: where the file may lie, its rights, its date and the last check.

    Raises:
        UnwritableError: if the photo cannot be written, or a lossless format does not give back
            exactly what was read. No file is left behind.
    """
    if rgb.shape != photo.rgb.shape or rgb.dtype != photo.rgb.dtype or hole.shape != photo.size:
        raise ValueError(
            f"rgb {rgb.shape} {rgb.dtype} and hole {hole.shape} must match "
            f"the photo's {photo.rgb.shape} {photo.rgb.dtype}"
        )
    native = photo.native if isinstance(photo.native, Native) else by_suffix(photo, path)
    if native.format == "RAW":
        photo, native = developed(photo, native, raw_output)
        path = path.with_name(f"{path.name}{OUTPUTS[raw_output][1]}")
        if rgb.dtype != photo.rgb.dtype:
            rgb = to_8_bits(rgb)
    if lossless and not native.lossless:
        native = as_png(photo, native)
        path = path.with_name(f"{path.name}.png")
    keep = Keep.NEEDED if strip else Keep.ALL if keep_all else Keep.KNOWN
    icc = native.metadata.icc
    native, about_metadata = carried(native, photo.size, keep)
    with atomic_write(path, placement=placement) as handle:
        try:
            with quiet():
                sheet = paste(photo, rgb, hole, native.layout, icc)
            written, note = _write(photo, sheet, hole, native, handle)
        except UnwritableError as error:
            raise UnwritableError(f"{path}: {error}") from error
        except BAD_CONTENT as error:
            if isinstance(error, OSError) and error.errno:
                raise  # the disk's error, not the encoder's
            raise UnwritableError(
                f"{path}: cannot be written as {native.format} ({error}); --lossless writes PNG"
            ) from error
        except UnreadableError as error:
            raise UnwritableError(f"{path}: the written file cannot be read ({error})") from error
        result = _checked(photo, written, hole, path, native, note)
        lost = lost_metadata(native, written.native, turned=not note)
        return replace(result, about_metadata=(*about_metadata, *lost))


def _write(
    photo: Photo, sheet: Sheet, hole: Mask, native: Native, handle: BinaryIO
) -> tuple[Photo, str]:
    """Return the written photo, read again, and why a JPEG had to be re-encoded, if so."""
    note = ""
    if native.coded is not None:
        try:
            return write_kept(photo, sheet, hole, native.coded, native.turn, handle), ""
        except SpliceError as error:
            note = f"all of the JPEG was encoded anew, because {error}"
            handle.seek(0)
            handle.truncate()
    with quiet():
        encode(sheet, native, handle)
    handle.flush()
    return read_photo(Path(handle.name), max_pixels=max(1, hole.size)), note


def _checked(
    photo: Photo, written: Photo, hole: Mask, path: Path, native: Native, note: str
) -> WriteResult:
    """Measure the written photo.

    Raises:
        UnwritableError: if a lossless format did not keep every pixel outside the hole.
    """
    if written.size != photo.size or written.rgb.dtype != photo.rgb.dtype:
        raise UnwritableError(
            f"{path}: {native.format} gave back another size or depth; --lossless writes PNG"
        )
    changed, psnr = difference(photo.rgb, written.rgb, hole)
    if native.lossless:
        before, after = (
            np.iinfo(p.rgb.dtype).max if p.alpha is None else p.alpha for p in (photo, written)
        )
        if changed or not np.all(before == after):
            raise UnwritableError(
                f"{path}: {native.format} cannot hold this picture exactly; convert it to PNG first"
            )
    return WriteResult(path, psnr, changed, note)
