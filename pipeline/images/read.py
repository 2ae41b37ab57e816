"""One picture from a file: its size checked, decoded at its full depth, turned upright, with what the writer will need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ..errors import UnreadableError
from ..types import Photo
from .capture import orientation_of, remember
from .modes import decode, decode_deep, upright
from .open import BAD_CONTENT, deep_samples, open_picture, quiet, refuse_sequences

MAX_PIXELS = 200_000_000


def _unlimited(pixels: int) -> None:
    """Nobody wants to know."""


def read_photo(
    path: Path, *, max_pixels: int = MAX_PIXELS, opened: Callable[[int], None] = _unlimited
) -> Photo:
    """Decode one picture: RGB uint8 (uint16 for a 16-bit file), upright, alpha apart.

    The format is found from the content, not the name. Raises ``UnreadableError``, naming the file and the remedy, for what is no
    picture, is damaged, is larger than ``max_pixels`` (told from the header, before decoding), is animated or has several pages,
    or has samples that could not be written back. A phone's JPEG with further pictures gives the first and a warning.
    ``opened`` is told the number of pixels once the header is read and before any is decoded. This reads in the calling process:
    ``pipeline.images.sandbox`` is for files that nobody vouches for.
    """
    if not path.is_file():
        raise UnreadableError(
            f"{path}: {'not a regular file' if path.exists() else 'no such file'}"
        )
    caught: list[str] = []
    try:
        with quiet(caught), open(path, "rb") as handle:
            photo = _read(path, handle, max_pixels, opened)
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error}") from error
    except MemoryError as error:
        raise UnreadableError(
            f"{path}: not enough memory to decode it; scale it down or free memory"
        ) from error
    except BAD_CONTENT as error:
        if isinstance(error, OSError) and error.errno:
            raise UnreadableError(
                f"{path}: cannot be opened ({error.strerror}); check its rights"
            ) from error
        reason = str(error) or type(error).__name__
        raise UnreadableError(
            f"{path}: cannot be decoded, it is damaged or incomplete ({reason}); copy or export it again"
        ) from error
    return replace(photo, warnings=(*photo.warnings, *caught))


def _read(path: Path, handle: BinaryIO, max_pixels: int, opened: Callable[[int], None]) -> Photo:
    image = open_picture(handle, max_pixels)
    opened(image.width * image.height)
    warnings = refuse_sequences(image)
    samples = deep_samples(image, handle)
    if samples is None:
        image.load()
    turn = orientation_of(image)  # after loading: a PNG may carry its EXIF behind the pixels
    decoded = decode(image) if samples is None else decode_deep(samples, image)
    del samples
    layout = (
        decoded.layout
        if decoded.layout.bands is None
        else replace(decoded.layout, bands=upright(decoded.layout.bands, turn))
    )
    native, dropped = remember(image, handle, layout)
    return Photo(
        rgb=upright(decoded.rgb, turn),
        alpha=None if decoded.alpha is None else upright(decoded.alpha, turn),
        path=path,
        native=native,
        warnings=(*warnings, *decoded.warnings, *dropped),
    )
