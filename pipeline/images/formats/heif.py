"""HEIC (HEVC in HEIF), read and written by the optional package pillow-heif."""

from __future__ import annotations

import importlib
from io import BytesIO
from typing import BinaryIO, cast

import numpy as np
from PIL import Image

from ...errors import UnreadableError, UnwritableError
from ...system.extras import install_command
from ...types import Pixels
from ..containers.bmff_rebuild import without_metadata
from ..containers.coding import as_main_10
from ..metadata.exif_xmp import essential_exif
from ..metadata.icc import plain_profile
from ..native import Native, Sheet, to_pillow
from .format import Captured, Format, Source, picture_count

#: What says how the samples' colours are meant, by pillow-heif's names.
_COLOUR_KEYS = (
    "nclx_profile",
    "content_light_level",
    "mastering_display_colour_volume",
    "ambient_viewing_environment",
    "nominal_diffuse_white_luminance",
)


def recognise(head: bytes, handle: BinaryIO) -> bool:
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
            f"HEIC pictures need the package pillow-heif: {install_command('heic')}"
        ) from error
    return cast(Image.Image, plugin.HeifImageFile(handle))


def warn_of_pages(image: Image.Image) -> tuple[str, ...]:
    """Warn if the file holds more pictures than its primary one."""
    count = picture_count(image)
    if count < 2:
        return ()
    return (f"the file holds {count} pictures: the cleaned file keeps the primary one only",)


def deep_samples(image: Image.Image, handle: BinaryIO) -> Pixels | None:
    """Decode 10 or 12 bits per channel, spread over 16."""
    bits = _bits(image)
    if bits <= 8 or image.mode not in ("RGB", "RGBA"):  # grey is opened at its own depth
        return None
    handle.seek(0)
    file = importlib.import_module("pillow_heif").open_heif(handle, convert_hdr_to_8bit=False)
    if file.mode != f"{image.mode};16":
        return None
    # They come in the upper bits.
    return spread(cast(Pixels, np.asarray(file) >> (16 - bits)), bits)


def spread(values: Pixels, bits: int) -> Pixels:
    """Spread values of so many bits over 16: black stays 0, and white becomes 65535."""
    return cast(Pixels, (values << (16 - bits)) | (values >> (2 * bits - 16)))


def _bits(image: Image.Image) -> int:
    return int(image.info.get("bit_depth", 8))


def capture(source: Source) -> Captured:
    """Keep the sampling, the depth and the colour numbers; warn of what is not kept."""
    image = source.image
    options = {"chroma": image.info.get("chroma", 444), "bits": _bits(image)}
    kept = {key: image.info[key] for key in _COLOUR_KEYS if image.info.get(key) is not None}
    return Captured(options={**options, "info": kept}, warnings=layer_warnings(source))


def layer_warnings(source: Source) -> tuple[str, ...]:
    """Warn of layers that are not kept; AVIF's too."""
    if any(source.image.info.get(kind) for kind in ("depth_images", "aux")):
        return (
            "the file holds a depth map, a gain map or another layer: the cleaned file does not",
        )
    return ()


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write a HEIC near the eye's limit, so that a second encoding does not show.

    Depth, chroma and the profile of HEVC are the source's: Windows and Apple's older systems open
    Main and Main 10, which hold 4:2:0 only. A photo that came from no HEIC gets these.

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
            f"writing HEIC needs the package pillow-heif: {install_command('heic')}"
        ) from error
    bits, chroma = native.options.get("bits", 10), native.options.get("chroma", 420)
    if sheet.pixels.dtype == np.uint16:
        height, width = sheet.pixels.shape[:2]
        samples = np.ascontiguousarray(sheet.pixels).tobytes()
        file = heif.from_bytes(f"{sheet.mode};16", (width, height), samples)
    else:
        file = heif.from_pillow(to_pillow(sheet))
    file.info.update(native.options.get("info", {}))
    if native.metadata.icc:
        file.info["icc_profile"] = native.metadata.icc
    memory = BytesIO()
    # The encoder's default preset, "slow", takes a minute for a phone's photo on two cores.
    file.save(
        memory,
        quality=90,
        chroma=chroma,
        bit_depth=bits,
        enc_params={"preset": "fast"},
        exif=native.metadata.exif,
        xmp=native.metadata.xmp,
    )
    handle.write(as_main_10(memory.getvalue()))


def strip(content: bytes, native: Native) -> bytes:
    """Keep the coded picture only; EXIF keeps the orientation; AVIF's too."""
    return without_metadata(content, essential_exif(native.turn, None), plain_profile)


HEIF = Format(
    name="HEIF",
    title="HEIC",
    suffixes=(".heic", ".heif", ".hif"),
    lossy=True,
    deep=True,
    recognise=recognise,
    open=open_picture,
    pillow=False,
    refuse_pages=warn_of_pages,
    deep_samples=deep_samples,
    capture=capture,
    encode=encode,
    strip=strip,
)
