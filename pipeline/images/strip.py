"""Write a photo in which nothing was removed without its metadata; its pixels stay the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UnreadableError, UnwritableError
from ..system.atomic import ANYWHERE, Placement, atomic_write
from ..types import Photo
from .fidelity import difference
from .formats.table import format_named
from .native import Native
from .read import read_photo
from .write import write_photo


def strip_photo(
    photo: Photo, source: Path, target: Path, *, placement: Placement = ANYWHERE
) -> None:
    """Write ``source`` to ``target`` without its metadata; every pixel stays the same.

    JPEG, WebP, HEIC and AVIF lose segments, chunks and items; their coded samples stay. Lossless
    formats are re-encoded, pixel for pixel.

    Args:
        photo: the photo as read from ``source``.
        source: its file.
        target: the new file.
        placement: where the file may lie, its rights, its date and the last check.

    Raises:
        UnwritableError: if the file cannot be written, or it is not certain that all metadata is
            gone and every pixel the same.
    """
    native = photo.native
    assert isinstance(native, Native)
    nothing = np.zeros(photo.size, bool)
    strip = format_named(native.format).strip
    if strip is None:
        write_photo(photo, photo.rgb, nothing, target, strip=True, placement=placement)
        return
    try:
        content = strip(source.read_bytes(), native)
    except ValueError as error:
        raise UnwritableError(
            f"{target}: its metadata cannot be removed without encoding it anew ({error}); "
            "convert it first"
        ) from error
    with atomic_write(target, placement=placement) as handle:
        handle.write(content)
        handle.flush()
        try:
            written = read_photo(Path(handle.name), max_pixels=photo.rgb.size)
        except UnreadableError as error:
            raise UnwritableError(
                f"{target}: without its metadata it cannot be read ({error})"
            ) from error
        if not _same_pixels(photo, written):
            raise UnwritableError(
                f"{target}: without its metadata it would look different; convert it to PNG first"
            )


def _same_pixels(one: Photo, other: Photo) -> bool:
    if one.size != other.size or difference(one.rgb, other.rgb, np.zeros(one.size, bool))[0]:
        return False
    alpha, other_alpha = (np.zeros(0) if p.alpha is None else p.alpha for p in (one, other))
    return np.array_equal(alpha, other_alpha)
