"""What the writer needs to reproduce a photo's file: pixel layout, metadata, encoder settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..types import Pixels

#: HW or HWC samples of a file that stores floating-point numbers.
FloatSamples: TypeAlias = NDArray[np.float16] | NDArray[np.float32] | NDArray[np.float64]
#: 256 x 4, RGBA; entries that the file does not define are opaque black.
Palette = NDArray[np.uint8]
_OPAQUE_BLACK = np.array((0, 0, 0, 255), np.uint8)


@dataclass(frozen=True, eq=False, slots=True)
class Layout:
    """How the file stores a pixel.

    Attributes:
        mode: Pillow's name ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB", "YCbCr"), for
            16-bit files too: there the array's dtype is the depth.
        bands: the file's own array (upright, HW or HWC), kept only if RGB cannot reproduce it, or
            if it holds floating-point numbers (0 is black, 1 white).
        palette: the file's palette.
        key: the one colour that a PNG declares transparent.
    """

    mode: str
    bands: Pixels | FloatSamples | None = None
    palette: Palette | None = None
    key: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Metadata:
    """The metadata of a file: as it has them, or (``carried``) as its result gets them.

    Attributes:
        exif: EXIF from its TIFF header on, without any prefix.
        xmp: XMP.
        icc: the colour profile.
        dpi: horizontal and vertical density in dots per inch.
        blocks: the format's other blocks, (name or marker, payload).
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    blocks: tuple[tuple[Any, bytes], ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Coded:
    """A JPEG's own coefficients, to be written again.

    Attributes:
        content: the file without its metadata.
        metadata: the file's metadata, which become true for its stored orientation.
    """

    content: bytes
    metadata: Metadata


@dataclass(frozen=True, eq=False, slots=True)
class Native:
    """Everything a writer needs.

    Attributes:
        format: the name of the ``Format``, which is Pillow's.
        layout: how the file stores a pixel.
        metadata: the file's metadata.
        lossless: whether the file is written without loss.
        options: settings for the format's encoder.
        coded: a JPEG's coefficients.
        turn: the orientation 1-8 in which the file's own pixels lie.
        dropped: names of the file's metadata that no result gets.
    """

    format: str
    layout: Layout
    metadata: Metadata = Metadata()
    lossless: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    coded: Coded | None = None
    turn: int = 1
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Sheet:
    """Pixels ready to encode.

    Attributes:
        mode: the file's mode, see ``Layout``.
        pixels: HW or HWC, uint8, uint16 or, in a TIFF, floating-point; in mode "1" 0 or 255.
        palette: the palette of a mode with indices.
        key: the colour that a PNG declares transparent.
    """

    mode: str
    pixels: Pixels | FloatSamples
    palette: Palette | None = None
    key: tuple[int, ...] | None = None


def to_pillow(sheet: Sheet) -> Image.Image:
    """Return an 8-bit sheet as a Pillow image of its mode, without metadata.

    Entries of a palette that no pixel uses are black, and those behind the last one in use left
    out: they could hold anything.
    """
    height, width = sheet.pixels.shape[:2]
    raw = "L" if sheet.mode in ("1", "P") else "LA" if sheet.mode == "PA" else sheet.mode
    image = Image.frombuffer(
        raw, (width, height), np.ascontiguousarray(sheet.pixels), "raw", raw, 0, 1
    )
    if sheet.mode == "1":
        return image.convert("1", dither=Image.Dither.NONE)
    if sheet.palette is not None:
        image.putpalette(_used_palette(sheet, sheet.palette)[:, :3].tobytes(), "RGB")
    return image


def _used_palette(sheet: Sheet, palette: Palette) -> Palette:
    """Return the palette up to its last entry in use, unused entries opaque black."""
    index = sheet.pixels if sheet.mode == "P" else sheet.pixels[..., 0]
    used = np.bincount(index.ravel(), minlength=len(palette)) > 0
    last = int(np.flatnonzero(used)[-1])
    return np.where(used[:, None], palette, _OPAQUE_BLACK)[: last + 1].astype(np.uint8)


def transparency(sheet: Sheet) -> dict[str, Any]:
    """Return the ``transparency`` option of Pillow's PNG and GIF writers; empty if not needed.

    It is the key colour, or the alphas of the palette.
    """
    if sheet.key is not None:
        return {"transparency": sheet.key if len(sheet.key) > 1 else sheet.key[0]}
    if sheet.mode != "P" or sheet.palette is None:
        return {}
    alphas = _used_palette(sheet, sheet.palette)[:, 3]
    return {"transparency": alphas.tobytes()} if (alphas < 255).any() else {}
