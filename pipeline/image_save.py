"""The one table of writers: which format is written how, and what it cannot hold."""

from __future__ import annotations

import importlib
from typing import Any, BinaryIO

import numpy as np

from pipeline import image_jpeg, image_png, image_tiff
from pipeline.errors import UnwritableError
from pipeline.image_native import Native, Sheet
from pipeline.image_sheet import to_pillow, transparency

_GOOD = {"quality": 90, "subsampling": "4:4:4"}  # AVIF and HEIC: near the eye's limit, so that a second encoding does not show


def save(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write ``sheet`` as ``native.format`` with its metadata. Raises ``UnwritableError`` where the format cannot hold it."""
    if sheet.pixels.dtype == np.uint16 and native.format not in ("PNG", "TIFF"):
        raise UnwritableError(f"{native.format} cannot hold 16 bits a channel; write a PNG or TIFF")
    match native.format:
        case "JPEG":
            image_jpeg.write(sheet, native, handle)
        case "PNG":
            image_png.write(sheet, native, handle)
        case "TIFF":
            image_tiff.write(sheet, native, handle)
        case "HEIF":
            _save_heif(sheet, native, handle)
        case "GIF":
            alphas = transparency(sheet).get("transparency", b"")
            clear = {"transparency": alphas.index(0)} if alphas and 0 in alphas else {}
            to_pillow(sheet).save(handle, "GIF", optimize=False, **clear, **native.options)
        case "BMP":
            to_pillow(sheet).save(handle, "BMP", **({"dpi": native.metadata.dpi} if native.metadata.dpi else {}))
        case "WEBP":
            quality = {"lossless": True, "exact": True, "quality": 60} if native.lossless else {"quality": 95, "exact": True}
            to_pillow(sheet).save(handle, "WEBP", **quality, **_metadata(native))
        case "AVIF":
            to_pillow(sheet).save(handle, "AVIF", **_GOOD, **_metadata(native))
        case _:
            raise UnwritableError(f"{native.format} is not a format this program writes; write a PNG")


def _metadata(native: Native) -> dict[str, Any]:
    found = {"exif": native.metadata.exif, "xmp": native.metadata.xmp, "icc_profile": native.metadata.icc}
    return {name: value for name, value in found.items() if value}


def _save_heif(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """HEIC through pillow-heif, whose builds do not all have an encoder."""
    try:
        heif = importlib.import_module("pillow_heif")
        if not heif.libheif_info().get("HEIF"):
            raise UnwritableError("this build of pillow-heif has no HEIC encoder; run with --lossless to write PNG")
    except ImportError as error:
        raise UnwritableError("writing HEIC needs the package pillow-heif: pip install 'remove-objects[heic]'") from error
    file = heif.from_pillow(to_pillow(sheet))
    if native.metadata.icc:
        file.info["icc_profile"] = native.metadata.icc
    file.save(handle, quality=90, chroma=444, exif=native.metadata.exif, xmp=native.metadata.xmp)
