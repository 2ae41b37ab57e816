"""``Native``, the properties of an opened file that its writer needs, and variants of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from ..errors import UnwritableError
from ..types import Photo
from .formats.format import Source, xmp_of
from .formats.table import FORMATS, format_named, format_of_suffix
from .native import Layout, Metadata, Native


def capture(
    image: Image.Image, handle: BinaryIO, layout: Layout, turn: int
) -> tuple[Native, tuple[str, ...]]:
    """Collect everything that the writer of a photo needs.

    Args:
        image: the loaded picture.
        handle: its file.
        layout: how the file stores a pixel.
        turn: the orientation 1-8 in which the file's pixels lie.

    Returns:
        The ``Native``, and warnings about what cannot be kept.
    """
    record = format_named(image.format)
    metadata = Metadata(
        exif=record.exif(image),
        xmp=xmp_of(image) or None,
        icc=image.info.get("icc_profile") or None,
        dpi=_dpi(image),
    )
    captured = record.capture(Source(image, handle, turn, metadata))
    native = Native(
        record.name,
        layout,
        replace(metadata, blocks=captured.blocks),
        not record.lossy if captured.lossless is None else captured.lossless,
        captured.options,
        captured.coded,
        captured.turn or turn,
        captured.dropped,
    )
    return native, captured.warnings


def as_png(photo: Photo, native: Native) -> Native:
    """Return the photo's ``Native`` for PNG: grey, RGB or RGBA, with metadata that PNG can hold."""
    mode = "RGBA" if photo.alpha is not None else "L" if native.layout.mode == "L" else "RGB"
    # A CMYK profile would be wrong for RGB pixels.
    icc = None if native.layout.mode == "CMYK" else native.metadata.icc
    return Native("PNG", Layout(mode), replace(native.metadata, icc=icc, blocks=()))


def by_suffix(photo: Photo, path: Path) -> Native:
    """Return the ``Native`` of a photo that came from no file, by the target's suffix.

    Raises:
        UnwritableError: if the suffix is unknown, or its format cannot hold the photo.
    """
    record = format_of_suffix(path.suffix)
    if record is None or not record.from_pixels:
        known = sorted(suffix for f in FORMATS if f.from_pixels for suffix in f.suffixes)
        raise UnwritableError(
            f"{path}: no format is known by the suffix {path.suffix!r}; "
            f"use one of {', '.join(known)}"
        )
    if photo.alpha is not None and not record.alpha:
        raise UnwritableError(
            f"{path}: {record.title} cannot hold the photo's alpha channel; write a PNG"
        )
    layout = Layout("RGB" if photo.alpha is None else "RGBA")
    return Native(record.name, layout, lossless=not record.lossy)


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    dpi = image.info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and min(dpi) > 0:
        return float(dpi[0]), float(dpi[1])
    return None
