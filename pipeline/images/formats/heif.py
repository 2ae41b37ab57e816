"""HEIC (HEVC in HEIF), read and written by the optional package pillow-heif."""

from __future__ import annotations

import importlib
from typing import BinaryIO, cast

from PIL import Image

from ...errors import UnreadableError, UnwritableError
from ..containers.bmff import declared_bits, without_metadata
from ..metadata.exif_xmp import essential_exif
from ..native import Native, Sheet, to_pillow
from .format import Captured, Format, Source, picture_count


def recognise(head: bytes) -> bool:
    """Whether the file's brands say HEIC, and not AVIF."""
    brands = head[8 : int.from_bytes(head[:4], "big")]
    if head[4:8] != b"ftyp" or b"avif" in brands or b"avis" in brands:
        return False
    return any(brand in brands for brand in (b"hei", b"hev", b"mif1", b"msf1"))


def open_picture(handle: BinaryIO) -> Image.Image:
    """Open without decoding.

    Raises:
        UnreadableError: if pillow-heif is not installed.
    """
    try:
        plugin = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise UnreadableError(
            "HEIC pictures need the package pillow-heif: pip install 'remove-objects[heic]'"
        ) from error
    return cast(Image.Image, plugin.HeifImageFile(handle))


def warn_of_pages(image: Image.Image) -> tuple[str, ...]:
    """Warn if the file holds more pictures than its primary one."""
    count = picture_count(image)
    if count < 2:
        return ()
    return (f"the file holds {count} pictures: the cleaned file keeps the primary one only",)


def capture(source: Source) -> Captured:
    """Warn of a depth and of layers that are not kept; AVIF's too."""
    warnings = []
    if (bits := declared_bits(source.handle)) > 8:
        warnings.append(f"it has {bits} bits per channel, of which 8 are kept")
    if any(source.image.info.get(kind) for kind in ("depth_images", "aux")):
        warnings.append(
            "the file holds a depth map, a gain map or another layer: the cleaned file does not"
        )
    return Captured(warnings=tuple(warnings))


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write a HEIC near the eye's limit, chroma whole, so that a second encoding does not show.

    Raises:
        UnwritableError: if pillow-heif, or the encoder in this build of it, is missing.
    """
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
    # The encoder's default preset, "slow", takes a minute for a phone's photo on two cores.
    file.save(
        handle,
        quality=90,
        chroma=444,
        enc_params={"preset": "fast"},
        exif=native.metadata.exif,
        xmp=native.metadata.xmp,
    )


def strip(content: bytes, native: Native) -> bytes:
    """Overwrite the metadata items; EXIF keeps the orientation; AVIF's too."""
    return without_metadata(content, essential_exif(native.turn, None))


HEIF = Format(
    name="HEIF",
    title="HEIC",
    suffixes=(".heic", ".heif"),
    lossy=True,
    recognise=recognise,
    open=open_picture,
    refuse_pages=warn_of_pages,
    capture=capture,
    encode=encode,
    strip=strip,
)
