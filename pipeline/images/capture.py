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
from .metadata.exif_xmp import upright_exif, upright_xmp
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
    size = (image.height, image.width) if turn < 5 else (image.width, image.height)
    exif, xmp = record.exif(image), xmp_of(image)
    metadata = Metadata(
        exif=upright_exif(exif, size) if exif else None,
        xmp=upright_xmp(xmp) if xmp else None,
        icc=image.info.get("icc_profile") or None,
        dpi=_dpi(image),
    )
    warnings = []
    if exif and metadata.exif is None:
        warnings.append("its EXIF is damaged: the cleaned file has none")
    if xmp and metadata.xmp is None:
        warnings.append(
            "its XMP describes or holds a further picture, which the cleaned file does not have: "
            "XMP is dropped"
        )
    captured = record.capture(Source(image, handle, turn, exif, xmp, metadata))
    native = Native(
        record.name,
        layout,
        replace(metadata, blocks=captured.blocks),
        not record.lossy if captured.lossless is None else captured.lossless,
        captured.options,
        captured.coded,
        turn,
    )
    return native, (*warnings, *captured.warnings)


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


def bare(native: Native) -> Native:
    """Return the same ``Native`` without metadata that says who, where, when and with what.

    The metadata that the pixels need to look the same stay: the colour profile and a format's
    colour numbers, the density (DPI), and the orientation where pixels are stored turned.
    """
    return format_named(native.format).bare(native)


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    dpi = image.info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and min(dpi) > 0:
        return float(dpi[0]), float(dpi[1])
    return None
