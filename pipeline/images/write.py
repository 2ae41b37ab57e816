"""A cleaned photo back into the file's own format, mode and metadata.

Nothing outside the hole changes: only the hole's pixels are converted to the file's own mode and pasted, and what was written is
read again and compared before it takes its name. Where the format is lossy (JPEG, lossy WebP, AVIF, HEIC), the difference is the
codec's own, and is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import UnreadableError, UnwritableError
from ..system.atomic import Before, atomic_write
from ..types import Mask, Photo, Pixels
from .bare import stripped
from .capture import as_png, by_suffix
from .dct.splice import SpliceError
from .encoders.table import save
from .fidelity import difference
from .keep import write_kept
from .native import Native, Sheet
from .open import BAD_CONTENT, quiet
from .paste import paste
from .read import read_photo


@dataclass(frozen=True, slots=True)
class WriteResult:
    """Where the photo went and what became of its pixels outside the hole: dB (None where none changed) and their count.

    ``note``: why a JPEG's own coefficients could not be kept; empty where they were, and for every other format.
    """

    path: Path
    psnr_outside: float | None
    changed_outside: int
    note: str = ""


def write_photo(
    photo: Photo,
    rgb: Pixels,
    hole: Mask,
    path: Path,
    *,
    lossless: bool = False,
    strip: bool = False,
    before: Before | None = None,
) -> WriteResult:
    """Write ``photo`` with ``rgb`` where ``hole`` is True, in its own format, mode and depth, with its metadata.

    ``rgb`` HWC of the photo's dtype, ``hole`` HW. Thumbnails and further pictures, which still show what was removed, are dropped.
    A JPEG's blocks that the hole does not touch keep their coefficients, and it keeps its orientation; where that cannot be, it is encoded
    anew and ``note`` says why. Then, and in every other format, pixels are stored upright with orientation 1. Palettes stay palettes:
    entries that only the hole used are given to its new colours, the rest is the nearest entry. With ``lossless`` a lossy format becomes
    PNG at ``path`` + ".png" (CMYK then becomes sRGB). With ``strip`` only the metadata is kept that the pixels need
    (``pipeline.images.bare``). Parent folders are made; the file is whole or absent; ``before`` is
    ``atomic_write``'s. Raises ``UnwritableError``, also where a lossless format would not give back exactly what was read. A photo that
    came from no file takes the format of ``path``'s suffix.
    """
    if rgb.shape != photo.rgb.shape or rgb.dtype != photo.rgb.dtype or hole.shape != photo.size:
        raise ValueError(
            f"rgb {rgb.shape} {rgb.dtype} and hole {hole.shape} must match the photo's {photo.rgb.shape} {photo.rgb.dtype}"
        )
    native = photo.native if isinstance(photo.native, Native) else by_suffix(photo, path)
    if lossless and not native.lossless:
        native = as_png(photo, native)
        path = path.with_name(f"{path.name}.png")
    if strip:
        native = stripped(native)
    with atomic_write(path, before=before) as handle:
        try:
            with quiet():
                sheet = paste(photo, rgb, hole, native.layout, native.metadata.icc)
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
            raise UnwritableError(
                f"{path}: what was written cannot be read again ({error})"
            ) from error
        return _checked(photo, written, hole, path, native, note)


def _write(
    photo: Photo, sheet: Sheet, hole: Mask, native: Native, handle: BinaryIO
) -> tuple[Photo, str]:
    """What was written, read again; and why a JPEG had to be encoded anew, if it had to."""
    note = ""
    if native.coded is not None:
        try:
            return write_kept(photo, sheet, hole, native.coded, native.turn, handle), ""
        except SpliceError as error:
            note = f"all of the JPEG was encoded anew, because {error}"
            handle.seek(0)
            handle.truncate()
    with quiet():
        save(sheet, native, handle)
    handle.flush()
    return read_photo(Path(handle.name), max_pixels=max(1, hole.size)), note


def _checked(
    photo: Photo, written: Photo, hole: Mask, path: Path, native: Native, note: str
) -> WriteResult:
    """The fidelity of what was written; ``UnwritableError`` where a lossless format did not keep every pixel outside the hole."""
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
