"""The one table of writers: which format is written how, and what it cannot hold."""

from __future__ import annotations

import importlib
import io
import struct
from typing import Any, BinaryIO

import numpy as np

from ...errors import UnwritableError
from ..native import Native, Sheet, to_pillow, transparency
from . import jpeg, png, tiff


def save(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write ``sheet`` as ``native.format`` with its metadata. Raises ``UnwritableError`` where the format cannot hold it."""
    if sheet.pixels.dtype == np.uint16 and native.format not in ("PNG", "TIFF"):
        raise UnwritableError(f"{native.format} cannot hold 16 bits a channel; write a PNG or TIFF")
    match native.format:
        case "JPEG":
            jpeg.write(sheet, native, handle)
        case "PNG":
            png.write(sheet, native, handle)
        case "TIFF":
            tiff.write(sheet, native, handle)
        case "HEIF":
            _save_heif(sheet, native, handle)
        case "GIF":
            alphas = transparency(sheet).get("transparency", b"")
            clear = {"transparency": alphas.index(0)} if alphas and 0 in alphas else {}
            handle.write(_encoded(sheet, "GIF", optimize=False, **clear, **native.options))
        case "BMP":
            _save_bmp(sheet, native.metadata.dpi or (96.0, 96.0), handle)
        case "WEBP":
            quality = (
                {"lossless": True, "exact": True, "quality": 60}
                if native.lossless
                else {"quality": 95, "exact": True}
            )
            to_pillow(sheet).save(handle, "WEBP", **quality, **_metadata(native))
        case "AVIF":  # here and for HEIC: near the eye's limit, chroma whole, so that a second encoding does not show
            to_pillow(sheet).save(
                handle, "AVIF", quality=90, subsampling="4:4:4", speed=8, **_metadata(native)
            )
        case _:
            raise UnwritableError(
                f"{native.format} is not a format this program writes; write a PNG"
            )


def _encoded(sheet: Sheet, format: str, **options: Any) -> bytes:
    """Through memory: where Pillow's encoders write to the file themselves, a full disk is an error of theirs that does not say so."""
    memory = io.BytesIO()
    to_pillow(sheet).save(memory, format, **options)
    return memory.getvalue()


def _metadata(native: Native) -> dict[str, Any]:
    found = {
        "exif": native.metadata.exif,
        "xmp": native.metadata.xmp,
        "icc_profile": native.metadata.icc,
    }
    return {name: value for name, value in found.items() if value}


def _save_bmp(sheet: Sheet, dpi: tuple[float, float], handle: BinaryIO) -> None:
    """Through Pillow but for RGBA, whose alpha Pillow's header does not declare: that needs a version 4 header with its masks."""
    if sheet.mode != "RGBA":
        handle.write(_encoded(sheet, "BMP", dpi=dpi))
        return
    height, width = sheet.pixels.shape[:2]
    bottom_up_bgra = np.ascontiguousarray(sheet.pixels[::-1, :, [2, 1, 0, 3]])
    densities = (round(value / 0.0254) for value in dpi)
    masks = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
    header = struct.pack(
        "<IiiHHIIii2I4I4s48x",
        108,
        width,
        height,
        1,
        32,
        3,
        bottom_up_bgra.nbytes,
        *densities,
        0,
        0,
        *masks,
        b"BGRs",
    )
    handle.write(
        struct.pack(
            "<2sIHHI", b"BM", 14 + len(header) + bottom_up_bgra.nbytes, 0, 0, 14 + len(header)
        )
        + header
    )
    handle.write(bottom_up_bgra.data)


def _save_heif(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """HEIC through pillow-heif, whose builds do not all have an encoder."""
    try:
        heif = importlib.import_module("pillow_heif")
        if not heif.libheif_info().get("HEIF"):
            raise UnwritableError(
                "this build of pillow-heif has no HEIC encoder; run with --lossless to write PNG"
            )
    except ImportError as error:
        raise UnwritableError(
            "writing HEIC needs the package pillow-heif: pip install 'remove-objects[heic]'"
        ) from error
    file = heif.from_pillow(to_pillow(sheet))
    if native.metadata.icc:
        file.info["icc_profile"] = native.metadata.icc
    # The encoder's own preset, "slow", takes a minute for a phone's photo on two cores.
    file.save(
        handle,
        quality=90,
        chroma=444,
        enc_params={"preset": "fast"},
        exif=native.metadata.exif,
        xmp=native.metadata.xmp,
    )
