"""Photos in and out: upright RGB in, and back into the file's own format, mode and metadata.

Nothing outside the hole changes: only the hole's pixels are converted to the file's own mode and pasted, and what was written is
read again and compared before it takes its name. Where the format is lossy (JPEG, lossy WebP, AVIF, HEIC), the difference is the
codec's own, and is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipeline.errors import UnreadableError, UnwritableError
from pipeline.files import atomic_write, copy_photo
from pipeline.image_difference import difference
from pipeline.image_modes import decode, keyed
from pipeline.image_native import Native
from pipeline.image_open import BAD_CONTENT, decode_deep, open_picture, quiet, refuse_sequences
from pipeline.image_paste import paste
from pipeline.image_save import save
from pipeline.image_source import as_png, by_suffix, orientation_of, remember
from pipeline.types import Mask, Photo, Pixels

__all__ = ["MAX_PIXELS", "WriteResult", "atomic_write", "copy_photo", "read_photo", "write_photo"]

MAX_PIXELS = 200_000_000


@dataclass(frozen=True, slots=True)
class WriteResult:
    """Where the photo went and what became of its pixels outside the hole: dB (None where none changed) and their count."""

    path: Path
    psnr_outside: float | None
    changed_outside: int


def read_photo(path: Path, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Decode one picture: RGB uint8 (uint16 for a 16-bit file), upright, alpha apart.

    The format is found from the content, not the name. Raises ``UnreadableError``, naming the file and the remedy, for what is no
    picture, is damaged, is larger than ``max_pixels`` (told from the header, before decoding), is animated or has several pages,
    or has samples that could not be written back. A phone's JPEG with further pictures gives the first and a warning.
    """
    if not path.is_file():
        raise UnreadableError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
    caught: list[str] = []
    try:
        with quiet(caught), open(path, "rb") as handle:
            photo = _read(path, handle, max_pixels)
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error}") from error
    except MemoryError as error:
        raise UnreadableError(f"{path}: not enough memory to decode it; scale it down or free memory") from error
    except BAD_CONTENT as error:
        reason = str(error) or type(error).__name__
        raise UnreadableError(f"{path}: cannot be decoded, it is damaged or incomplete ({reason}); copy or export it again") from error
    return replace(photo, warnings=(*photo.warnings, *caught))


def write_photo(photo: Photo, rgb: Pixels, hole: Mask, path: Path, *, lossless: bool = False) -> WriteResult:
    """Write ``photo`` with ``rgb`` where ``hole`` is True, in its own format, mode and depth, with its metadata.

    ``rgb`` HWC of the photo's dtype, ``hole`` HW. Pixels are stored upright with orientation 1; thumbnails and further pictures,
    which still show what was removed, are dropped. Palettes stay palettes: entries that only the hole used are given to its new
    colours, the rest is the nearest entry. With ``lossless`` a lossy format becomes PNG at ``path`` + ".png" (CMYK then becomes
    sRGB). Parent folders are made; the file is whole or absent. Raises ``UnwritableError``, also where a lossless format would
    not give back exactly what was read. A photo that came from no file takes the format of ``path``'s suffix.
    """
    if rgb.shape != photo.rgb.shape or rgb.dtype != photo.rgb.dtype or hole.shape != photo.size:
        raise ValueError(
            f"rgb {rgb.shape} {rgb.dtype} and hole {hole.shape} must match the photo's {photo.rgb.shape} {photo.rgb.dtype}"
        )
    native = photo.native if isinstance(photo.native, Native) else by_suffix(photo, path)
    if lossless and not native.lossless:
        native = as_png(photo, native)
        path = path.with_name(f"{path.name}.png")
    with atomic_write(path) as handle:
        try:
            with quiet():
                save(paste(photo, rgb, hole, native.layout, native.metadata.icc), native, handle)
            handle.flush()
            written = read_photo(Path(handle.name), max_pixels=max(1, hole.size))
        except UnwritableError as error:
            raise UnwritableError(f"{path}: {error}") from error
        except BAD_CONTENT as error:
            raise UnwritableError(f"{path}: cannot be written as {native.format} ({error}); --lossless writes PNG") from error
        except UnreadableError as error:
            raise UnwritableError(f"{path}: what was written cannot be read again ({error})") from error
        return _checked(photo, written, hole, path, native)


def _read(path: Path, handle: BinaryIO, max_pixels: int) -> Photo:
    image = open_picture(handle, max_pixels)
    warnings = refuse_sequences(image)
    deep = decode_deep(image, handle)
    turn = orientation_of(image)
    if deep is None:
        image.load()
        decoded = decode(image, image.info.get("icc_profile"))
    else:
        decoded = decode_deep_channels(deep, image)
    ...
