"""What a photo's file was, so that the writer can give back the same: its pixel layout, its metadata, its encoder's settings."""
# DOC: """A sheet of pixels as a Pillow image, with no metadata of its own."""
#

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..types import Pixels

Palette = NDArray[np.uint8]

"""256 x 4, RGBA; entries the file does not define are opaque black."""


@dataclass(frozen=True, eq=False, slots=True)
class Layout:
    """How the file stores a pixel.

    ``mode`` is Pillow's name for it ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB", "YCbCr"); 16-bit files
    use the same names, the array's dtype says the depth. ``bands`` is the file's own array (upright, HW or HWC), kept only
    where RGB cannot give it back. ``key`` is the one colour a PNG declares transparent.
    """

    mode: str
    bands: Pixels | None = None
    palette: Palette | None = None
    key: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Metadata:
    """The file's metadata, already made true for an upright picture without its thumbnails (``pipeline.images.metadata.exif_xmp``).

    ``exif`` starts at its TIFF header, without any prefix. ``blocks`` are the format's other blocks, as they stood in the file.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    blocks: tuple[tuple[Any, bytes], ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Coded:
    """A JPEG's own coefficients, to be written again: the file less its metadata, and metadata true for the orientation it is stored in."""

    content: bytes
    metadata: Metadata


@dataclass(frozen=True, eq=False, slots=True)
class Native:
    """Everything a writer needs. ``format`` is Pillow's name; ``options`` belong to that format's writer.

    ``turn`` is the orientation 1-8 in which the file's own pixels lie.
    """

    format: str
    layout: Layout
    metadata: Metadata = Metadata()
    lossless: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    coded: Coded | None = None
    turn: int = 1


@dataclass(frozen=True, eq=False, slots=True)
class Sheet:
    """Pixels in the file's own mode, ready to encode: HW or HWC, uint8 or uint16; "1" is 0 or 255."""

    mode: str
    pixels: Pixels
    palette: Palette | None = None
    key: tuple[int, ...] | None = None


def to_pillow(sheet: Sheet) -> Image.Image:
    """An 8-bit sheet as a Pillow image of the same mode; a palette is cut behind its last entry in use."""
    height, width = sheet.pixels.shape[:2]
    raw = "L" if sheet.mode in ("1", "P") else "LA" if sheet.mode == "PA" else sheet.mode
    image = Image.frombuffer(
        raw, (width, height), np.ascontiguousarray(sheet.pixels), "raw", raw, 0, 1
    )
    if sheet.mode == "1":
        return image.convert("1", dither=Image.Dither.NONE)
    if sheet.palette is not None:
        index = sheet.pixels if sheet.mode == "P" else sheet.pixels[..., 0]
        image.putpalette(sheet.palette[: int(index.max()) + 1, :3].tobytes(), "RGB")
    return image


def transparency(sheet: Sheet) -> dict[str, Any]:
    """What Pillow's PNG and GIF writers call ``transparency``: the key colour, or the palette's alphas; empty where there is none."""
    if sheet.key is not None:
        return {"transparency": sheet.key if len(sheet.key) > 1 else sheet.key[0]}
    if sheet.mode != "P" or sheet.palette is None:
        return {}
    alphas = sheet.palette[: int(sheet.pixels.max()) + 1, 3]
    return {"transparency": alphas.tobytes()} if (alphas < 255).any() else {}
