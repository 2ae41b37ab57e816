"""Convert the hole from RGB to the file's own pixel mode; every pixel outside keeps its value."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..types import Mask, Photo, Pixels
from .modes import from_rgb
from .native import FloatSamples, Layout, Palette, Sheet

_NEAREST_CHUNK = 4096


def paste(photo: Photo, rgb: Pixels, hole: Mask, layout: Layout, icc: bytes | None) -> Sheet:
    """Paste the hole's new pixels into the photo in its own mode.

    Alpha stays as it was. In modes where transparency is a colour (a palette entry, a PNG's key) a
    wholly transparent pixel is not painted: it would become visible.

    Args:
        photo: the photo as read.
        rgb: HWC of the photo's dtype, read where ``hole`` is True.
        hole: HW bool.
        layout: the mode.
        icc: the colour profile for the conversion.
    """
    if layout.bands is not None and layout.bands.dtype.kind == "f":
        return _paste_floats(rgb, hole, layout)
    match layout.mode:
        case "P" | "PA":
            return _paste_indices(photo, rgb, hole, layout)
        case "CMYK" | "LAB" | "YCbCr":
            assert layout.bands is not None
            bands = layout.bands.copy()
            bands[hole] = from_rgb(cast(NDArray[np.uint8], rgb[hole]), layout.mode, icc)
            return Sheet(layout.mode, bands)
    grey = layout.mode in ("1", "L", "LA")
    pixels = (photo.rgb[..., 0] if grey else photo.rgb).copy()
    where = hole if layout.key is None or photo.alpha is None else hole & (photo.alpha > 0)
    values = luma(rgb[where]) if grey else rgb[where]
    if layout.mode == "1":
        values = np.where(values > 127, 255, 0).astype(np.uint8)
    elif layout.key is not None:
        values = _off_key(values, layout.key)
    pixels[where] = values
    if layout.mode in ("LA", "RGBA"):
        assert photo.alpha is not None
        pixels = cast(Pixels, np.dstack([pixels, photo.alpha]))
    return Sheet(layout.mode, pixels, key=layout.key)


def _paste_floats(rgb: Pixels, hole: Mask, layout: Layout) -> Sheet:
    """Paste the hole's 16 bits as floating-point numbers from 0 to 1."""
    bands = cast(FloatSamples, layout.bands).copy()
    values = rgb[hole]
    if layout.mode in ("L", "LA"):
        values = luma(values)[:, None]
    colours = bands[..., : values.shape[1]]
    colours[hole] = values / np.float64(65535)
    return Sheet(layout.mode, bands)


def luma(colours: Pixels) -> Pixels:
    """Return ITU-R 601 luma, rounded, in the dtype of ``colours``: ... x 3 -> ..."""
    weights = np.array([299, 587, 114], np.uint32)
    return cast(Pixels, ((colours @ weights + 500) // 1000).astype(colours.dtype))


def _off_key(values: Pixels, key: tuple[int, ...]) -> Pixels:
    """Change painted pixels of the transparent colour by one step, so that they stay visible."""
    step = 1 if key[-1] == 0 else -1
    if values.ndim == 1:
        return cast(Pixels, np.where(values == key[0], values + step, values).astype(values.dtype))
    moved = values.copy()
    moved[(values == np.array(key)).all(axis=-1), -1] = key[-1] + step
    return moved


def _paste_indices(photo: Photo, rgb: Pixels, hole: Mask, layout: Layout) -> Sheet:
    """Paste indices of the nearest palette colours.

    Palette entries that no pixel outside the hole uses are first given to the hole's colours.
    """
    assert layout.bands is not None
    assert layout.palette is not None
    bands = layout.bands.copy()
    index = bands if layout.mode == "P" else bands[..., 0]
    where = hole
    wanted = np.full((rgb.shape[0], rgb.shape[1]), 255, np.uint8)
    if layout.mode == "P" and photo.alpha is not None:
        where = hole & (photo.alpha > 0)
        wanted = cast(NDArray[np.uint8], photo.alpha)
    colours = np.ascontiguousarray(np.column_stack([rgb[where], wanted[where]]).astype(np.uint8))
    codes, back = np.unique(colours.view(np.uint32).ravel(), return_inverse=True)
    unique = codes.view(np.uint8).reshape(-1, 4)
    used = np.bincount(index[~where].ravel(), minlength=256)[:256] > 0
    palette = _with_new_colours(layout.palette, used, unique)
    index[where] = _nearest(unique, palette)[back]
    return Sheet(layout.mode, bands, palette)


def _with_new_colours(palette: Palette, used: Mask, wanted: Palette) -> Palette:
    free = np.flatnonzero(~used & (palette[:, 3] == 255))
    known = {tuple(row) for row in palette[used].tolist()}
    missing = np.array(
        [row for row in wanted.tolist() if row[3] == 255 and tuple(row) not in known], np.uint8
    ).reshape(-1, 4)
    if not len(free) or not len(missing):
        return palette
    if len(missing) > len(free):
        row = Image.fromarray(np.ascontiguousarray(missing[None, :, :3])).quantize(
            len(free), Image.Quantize.MEDIANCUT
        )
        chosen = np.array(row.getpalette("RGB"), np.uint8).reshape(-1, 3)[: len(free)]
    else:
        chosen = missing[:, :3]
    new = palette.copy()
    new[free[: len(chosen)], :3] = chosen
    return new


def _nearest(colours: Palette, palette: Palette) -> NDArray[np.uint8]:
    """Return the index of each RGBA colour's nearest palette entry.

    Alpha counts most: a half-transparent rim must stay half-transparent.
    """
    weight = np.array([1, 1, 1, 4], np.int32)
    table = palette.astype(np.int32) * weight
    nearest = np.empty(len(colours), np.uint8)
    for start in range(0, len(colours), _NEAREST_CHUNK):
        chunk = colours[start : start + _NEAREST_CHUNK].astype(np.int32) * weight
        distances = ((chunk[:, None] - table[None]) ** 2).sum(axis=2)
        nearest[start : start + _NEAREST_CHUNK] = distances.argmin(axis=1)
    return nearest
