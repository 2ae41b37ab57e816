"""Read one picture within a size limit, at full depth, upright, with all its writer needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from ..config import MAX_PIXELS as MAX_PIXELS
from ..errors import UnreadableError
from ..types import Photo, Pixels
from .capture import capture
from .formats.table import format_named
from .modes import decode, decode_deep, upright
from .open import BAD_CONTENT, mended, open_picture, quiet


def ignore(pixels: int) -> None:
    """Default callback: does nothing."""


def read_photo(
    path: Path, *, max_pixels: int = MAX_PIXELS, opened: Callable[[int], None] = ignore
) -> Photo:
    """Decode one picture in this process.

    The content decides the format, not the name. A phone's JPEG with further pictures gives the
    first one and a warning. Untrusted files are read with ``sandbox.read_photo``.

    Args:
        path: the file.
        max_pixels: the limit on the picture's size, checked before decoding.
        opened: called with the number of pixels after the header is read and before decoding.

    Returns:
        RGB uint8 (uint16 for a 16-bit file), upright, with alpha apart.

    Raises:
        UnreadableError: if the file is not a picture, damaged, too large, animated, of several
            pages, or of samples that could not be written back. The message names file and remedy.
    """
    messages: list[str] = []
    with reading(path, messages) as handle:
        photo = _read(path, handle, max_pixels, opened)
    return replace(photo, warnings=(*photo.warnings, *messages))


@contextmanager
def reading(path: Path, messages: list[str] | None = None) -> Iterator[BinaryIO]:
    """Yield a picture's file, and let what its decoder raises in the block name file and remedy.

    Args:
        path: the file.
        messages: gets what Pillow warns of.

    Raises:
        UnreadableError: it is no file, or the block raised any of ``BAD_CONTENT``.
    """
    if not path.is_file():
        raise UnreadableError(
            f"{path}: {'not a regular file' if path.exists() else 'no such file'}"
        )
    try:
        with quiet(messages), open(path, "rb") as handle:
            yield handle
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
            f"{path}: cannot be decoded, it is damaged or incomplete ({reason}); "
            "copy or export it again"
        ) from error


def _read(path: Path, handle: BinaryIO, max_pixels: int, opened: Callable[[int], None]) -> Photo:
    mended_file = mended(handle, max_pixels)
    if mended_file is not None:
        handle = BytesIO(mended_file.content)
    image = open_picture(handle, max_pixels)
    opened(image.width * image.height)
    record = format_named(image.format)
    warnings = record.refuse_pages(image)
    if mended_file is not None:
        record.verify(handle)
        warnings = (*mended_file.warnings, *warnings)
    samples = record.deep_samples(image, handle)
    if samples is None:
        image.load()
    turn = record.orientation(image)  # after loading: a PNG may carry its EXIF behind the pixels
    decoded = decode(image) if samples is None else decode_deep(samples, image)
    del samples
    layout = decoded.layout
    if layout.bands is not None:
        layout = replace(layout, bands=upright(cast(Pixels, layout.bands), turn))
    native, dropped = capture(image, handle, layout, turn)
    return Photo(
        rgb=upright(decoded.rgb, turn),
        alpha=None if decoded.alpha is None else upright(decoded.alpha, turn),
        path=path,
        native=native,
        warnings=(*warnings, *decoded.warnings, *dropped),
    )
