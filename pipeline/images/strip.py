"""A photo that needs no cleaning, to be written without its metadata and otherwise as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UnreadableError, UnwritableError
from ..system.atomic import Before, atomic_write
from ..types import Photo
from .bare import stripped_jpeg
from .containers import bmff, webp
from .containers.jpeg import parse
from .fidelity import difference
from .metadata.exif_xmp import essential_exif
from .native import Native
from .read import read_photo
from .write import write_photo


def strip_photo(photo: Photo, source: Path, target: Path, *, before: Before | None = None) -> None:
    """Write ``source``, which ``photo`` was read from, to ``target`` without its metadata; every pixel stays the same.

    JPEG, WebP, HEIC and AVIF lose segments, chunks and items, and their samples stay as they are coded. The lossless formats are encoded
    anew, pixel for pixel. ``before`` is ``atomic_write``'s. Raises ``UnwritableError``, also where it cannot be done for sure.
    """
    native = photo.native
    assert isinstance(native, Native)
    if native.format not in ("JPEG", "WEBP", "HEIF", "AVIF"):
        write_photo(photo, photo.rgb, np.zeros(photo.size, bool), target, strip=True, before=before)
        return
    try:
        content = _without_metadata(source.read_bytes(), native)
    except ValueError as error:
        raise UnwritableError(
            f"{target}: its metadata cannot be removed without encoding it anew ({error}); convert it first"
        ) from error
    with atomic_write(target, before=before) as handle:
        handle.write(content)
        handle.flush()
        try:
            written = read_photo(Path(handle.name), max_pixels=photo.rgb.size)
        except UnreadableError as error:
            raise UnwritableError(
                f"{target}: without its metadata it cannot be read ({error})"
            ) from error
        same = (
            written.size == photo.size
            and not difference(photo.rgb, written.rgb, np.zeros(photo.size, bool))[0]
        )
        before_alpha, alpha = (
            np.zeros(0) if p.alpha is None else p.alpha for p in (photo, written)
        )
        if not same or not np.array_equal(before_alpha, alpha):
            raise UnwritableError(
                f"{target}: without its metadata it would look different; convert it to PNG first"
            )


def _without_metadata(content: bytes, native: Native) -> bytes:
    if native.format == "JPEG":
        return stripped_jpeg(parse(content), native.turn, native.metadata.dpi, native.metadata.icc)
    exif = essential_exif(native.turn, None)
    return (webp if native.format == "WEBP" else bmff).without_metadata(content, exif)
