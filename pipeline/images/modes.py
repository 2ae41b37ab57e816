"""Convert from the file's own pixel mode to RGB and an alpha channel.

RGB here means the file's own values: an embedded RGB profile is kept, not applied, because the
result goes back into the same file. CMYK, LAB and YCbCr have no RGB of their own; they are
converted, and their own bands are kept for the conversion back (``paste``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ..errors import UnreadableError
from ..types import Pixels
from .native import FloatSamples, Layout, Palette

_STRIP_PIXELS = 1 << 22
_FLOAT_ROUNDING = 1e-3
_FLOAT_ROWS = 256


@dataclass(frozen=True, eq=False, slots=True)
class Decoded:
    """Decoded pixels in the file's depth and stored orientation (not yet upright).

    Attributes:
        rgb: HWC.
        alpha: HW, or None.
        layout: how the file stores a pixel.
        warnings: about properties of the file that were ignored.
    """

    rgb: Pixels
    alpha: Pixels | None
    layout: Layout
    warnings: tuple[str, ...] = ()


def decode(image: Image.Image) -> Decoded:
    """Convert a loaded picture.

    Raises:
        UnreadableError: if its mode could not be written back.
    """
    if image.mode in ("RGBa", "La"):
        image = image.convert({"RGBa": "RGBA", "La": "LA"}[image.mode])
    match image.mode:
        case "1" | "L" | "I;16" | "I;16B" | "I;16L" | "I;16N" | "RGB":
            mode = "L" if image.mode.startswith("I;16") else image.mode
            pixels = pixels_of(image.convert("L") if mode == "1" else image)
            return keyed(pixels, mode, image.info.get("transparency"))
        case "LA" | "RGBA":
            pixels = pixels_of(image)
            return _with_alpha(pixels, image.mode)
        case "P" | "PA":
            return _from_palette(image)
        case "CMYK" | "LAB" | "YCbCr":
            rgb, warnings = to_rgb(image, image.info.get("icc_profile"))
            return Decoded(pixels_of(rgb), None, Layout(image.mode, pixels_of(image)), warnings)
        case _:
            raise UnreadableError(
                f"pixel mode {image.mode} has no fixed range of brightness; "
                "convert it to 8 or 16 bits per channel"
            )


def decode_deep(pixels: Pixels | FloatSamples, image: Image.Image) -> Decoded:
    """Convert a 16-bit colour picture, or one of floating-point numbers.

    Args:
        pixels: its samples, HWC.
        image: the same picture as Pillow opened it, which gives their meaning.

    Raises:
        UnreadableError: if floating-point numbers lie outside 0 to 1.
    """
    if pixels.dtype.kind == "f":
        return _decode_floats(cast(FloatSamples, pixels))
    pixels = cast(Pixels, pixels)
    if pixels.shape[2] == 2 or (pixels.shape[2] == 4 and image.mode == "RGBA"):
        return _with_alpha(pixels, "LA" if pixels.shape[2] == 2 else "RGBA")
    return keyed(_packed(pixels[..., :3]), "RGB", image.info.get("transparency"))


def _decode_floats(samples: FloatSamples) -> Decoded:
    """Convert floating-point numbers, 0 black and 1 white, to 16 bits; they are kept as ``bands``.

    Raises:
        UnreadableError: if black and white are others: they are not known.
    """
    least, most = float(np.min(samples)), float(np.max(samples))
    if not (least >= -_FLOAT_ROUNDING and most <= 1 + _FLOAT_ROUNDING):  # a NaN is in no range
        raise UnreadableError(
            f"its samples are floating-point numbers from {least:g} to {most:g}, so what is black "
            "and white is not known (0 and 1 are read); convert it to 16 bits"
        )
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]]
    whole = np.empty(samples.shape, np.uint16)
    for top in range(0, len(samples), _FLOAT_ROWS):
        rows = np.clip(samples[top : top + _FLOAT_ROWS].astype(np.float64), 0, 1)
        whole[top : top + _FLOAT_ROWS] = np.rint(rows * 65535)
    has_alpha = mode.endswith("A")
    return Decoded(
        _three(cast(Pixels, whole[..., :-1] if has_alpha else whole)),
        _packed(cast(Pixels, whole[..., -1])) if has_alpha else None,
        Layout(mode, bands=samples),
        ("its samples are floating-point numbers: those in the holes get the accuracy of 16 bits",),
    )


def keyed(pixels: Pixels, mode: str, transparency: object) -> Decoded:
    """Convert grey (HW) or RGB (HWC) pixels, with PNG's transparent colour (tRNS) if any."""
    rgb = _three(pixels if pixels.ndim == 3 else pixels[..., None])
    if isinstance(transparency, int):
        key: tuple[int, ...] | None = (transparency,)
    else:
        key = tuple(int(v) for v in transparency) if isinstance(transparency, tuple) else None
    if key is None:
        return Decoded(rgb, None, Layout(mode))
    if mode == "1":
        key = (255 if key[0] else 0,)
    clear = (rgb == np.array(key)).all(axis=-1)
    alpha = np.where(clear, 0, np.iinfo(rgb.dtype).max).astype(rgb.dtype)
    return Decoded(rgb, cast(Pixels, alpha), Layout(mode, key=key))


def pixels_of(image: Image.Image) -> Pixels:
    """Return the picture's own bands as a new array, uint8 or uint16.

    They are copied in strips: ``np.asarray`` would need the memory twice.
    """
    width, height = image.size
    deep = image.mode.startswith("I;16")
    depth = len(image.getbands())
    out = np.empty(
        (height, width) if depth == 1 else (height, width, depth), np.uint16 if deep else np.uint8
    )
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        out[top : top + step] = np.asarray(image.crop((0, top, width, min(top + step, height))))
    return cast(Pixels, out)


def to_rgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert a CMYK, LAB or YCbCr picture by its profile or else by Pillow's plain formula.

    Returns:
        The RGB picture, and warnings.
    """
    warnings: tuple[str, ...] = ()
    if transform := _transform(image.mode, icc, "RGB"):
        converted = ImageCms.applyTransform(image, transform)
        if converted is not None:
            return converted, ()
    if image.mode == "CMYK" and icc:
        warnings = ("its colour profile cannot be used: CMYK is read by the plain formula",)
    return image.convert("RGB"), warnings


def from_rgb(colours: NDArray[np.uint8], mode: str, icc: bytes | None) -> NDArray[np.uint8]:
    """Convert RGB colours (N x 3) to "CMYK", "LAB" or "YCbCr": the inverse of ``to_rgb``."""
    if not len(colours):
        return np.empty((0, 4 if mode == "CMYK" else 3), np.uint8)
    row = Image.fromarray(np.ascontiguousarray(colours)[None])
    transform = _transform("RGB", icc, mode)
    converted = ImageCms.applyTransform(row, transform) if transform else row.convert(mode)
    assert converted is not None  # None is for in-place transforms only
    return cast(NDArray[np.uint8], np.array(converted)[0])


@lru_cache(maxsize=8)
def _transform(source: str, icc: bytes | None, target: str) -> ImageCms.ImageCmsTransform | None:
    """Return LittleCMS's transform between sRGB and the other mode; None for the plain formula."""
    other = target if source == "RGB" else source
    if other == "YCbCr" or (other == "CMYK" and not icc):
        return None
    srgb = ImageCms.createProfile("sRGB")
    try:
        profile = (
            ImageCms.createProfile("LAB")
            if other == "LAB"
            else ImageCms.ImageCmsProfile(BytesIO(icc or b""))
        )
        first, second = (srgb, profile) if source == "RGB" else (profile, srgb)
        return ImageCms.buildTransform(
            first,
            second,
            source,
            target,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return None


def upright(array: Pixels, turn: int) -> Pixels:
    """Turn pixels (HW or HWC) of EXIF orientation ``turn`` upright.

    Returns:
        A contiguous array, new unless ``turn`` is 1.
    """
    if turn >= 5:
        array = array.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    return _packed(array)


def as_stored(array: Pixels, turn: int) -> Pixels:
    """Turn upright pixels to EXIF orientation ``turn``: the inverse of ``upright``."""
    # The two quarter turns undo each other; every other orientation undoes itself.
    return upright(array, {6: 8, 8: 6}.get(turn, turn))


def _three(grey_or_rgb: Pixels) -> Pixels:
    if grey_or_rgb.shape[2] == 3:
        return _packed(grey_or_rgb)
    return _packed(cast(Pixels, np.repeat(grey_or_rgb, 3, axis=2)))


def _with_alpha(pixels: Pixels, mode: str) -> Decoded:
    return Decoded(_three(pixels[..., :-1]), _packed(pixels[..., -1]), Layout(mode))


def _packed(array: Pixels) -> Pixels:
    return cast(Pixels, np.ascontiguousarray(array))


def _from_palette(image: Image.Image) -> Decoded:
    palette = _palette(image)
    bands = pixels_of(image)
    index, own_alpha = (
        (bands, None) if image.mode == "P" else (bands[..., 0], _packed(bands[..., 1]))
    )
    alpha = own_alpha
    if own_alpha is None and (palette[:, 3] < 255).any():
        alpha = palette[:, 3][index]
    return Decoded(
        np.ascontiguousarray(palette[:, :3])[index], alpha, Layout(image.mode, bands, palette)
    )


def _palette(image: Image.Image) -> Palette:
    table = np.zeros((256, 4), np.uint8)
    table[:, 3] = 255
    colours = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)[:256]
    table[: len(colours), :3] = colours
    if image.palette is not None and image.palette.mode == "RGBA":
        table[: len(colours), 3] = np.array(image.getpalette("RGBA"), np.uint8).reshape(-1, 4)[
            :256, 3
        ]
    transparency = image.info.get("transparency")
    if isinstance(transparency, int) and 0 <= transparency < 256:
        table[transparency, 3] = 0
    elif isinstance(transparency, bytes):
        alphas = np.frombuffer(transparency[:256], np.uint8)
        table[: len(alphas), 3] = alphas
    return table
