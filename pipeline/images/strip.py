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
from .open import mended
from .read import MAX_PIXELS, read_photo
from .write import write_photo


def strip_photo(
    photo: Photo,
    source: Path,
    target: Path,
    *,
    raw_output: str = "tiff",
    placement: Placement = ANYWHERE,
) -> Path:
    """Write ``source`` to ``target`` without its metadata; every pixel stays the same.

    JPEG, WebP, HEIC and AVIF lose segments, chunks and items; their coded samples stay. Lossless
    formats are re-encoded, pixel for pixel; a RAW is developed, because no program writes one.

    Args:
        photo: the photo as read from ``source``.
        source: its file.
        target: the new file; a RAW's gets a further ending.
        raw_output: the format of a developed RAW.
        placement: where the file may lie, its rights, its date and the last check.

    Returns:
        The file.

    Raises:
        UnwritableError: if the file cannot be written, or it is not certain that all metadata is
            gone and every pixel the same.
    """
    native = photo.native
    assert isinstance(native, Native)
    nothing = np.zeros(photo.size, bool)
    strip = format_named(native.format).strip
    if strip is None:
        written = write_photo(
            photo,
            photo.rgb,
            nothing,
            target,
            strip=True,
            raw_output=raw_output,
            placement=placement,
        )
        return written.path
    try:
        content = strip(_sound_content(source, photo), native)
    except ValueError as error:
        raise UnwritableError(
            f"{target}: its metadata cannot be removed without encoding it anew ({error}); "
            "convert it first"
        ) from error
    with atomic_write(target, placement=placement) as handle:
        handle.write(content)
        handle.flush()
        try:
            again = read_photo(Path(handle.name), max_pixels=photo.rgb.size)
        except UnreadableError as error:
            raise UnwritableError(
                f"{target}: without its metadata it cannot be read ({error})"
            ) from error
        if not _same_pixels(photo, again):
            raise UnwritableError(
                f"{target}: without its metadata it would look different; convert it to PNG first"
            )
    return target


def _sound_content(source: Path, photo: Photo) -> bytes:
    """Return a file's content without the small faults that its reader overlooks too."""
    with open(source, "rb") as handle:
        sound = mended(handle, max(MAX_PIXELS, photo.rgb.size))
        if sound is not None:
            return sound.content
        handle.seek(0)
        return handle.read()


def _same_pixels(one: Photo, other: Photo) -> bool:
    if one.size != other.size or difference(one.rgb, other.rgb, np.zeros(one.size, bool))[0]:
        return False
    alpha, other_alpha = (np.zeros(0) if p.alpha is None else p.alpha for p in (one, other))
    return np.array_equal(alpha, other_alpha)
