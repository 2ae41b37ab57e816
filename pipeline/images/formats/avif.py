"""AVIF; its container is HEIC's.

Pillow reads and writes 8 bits, OpenCV 10 and 12 bits with halved chroma, as phones and cameras do.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from ...types import Pixels
from ..containers.coding import av1_coding, colour_numbers, with_colour_numbers
from ..metadata.exif_xmp import without_orientation
from ..native import Native, Sheet, to_pillow
from .deep import decode_16_bits, to_rgb_order
from .format import Captured, Format, Source, pillow_metadata
from .heif import layer_warnings, spread, strip

_QUALITY, _SPEED = 90, 8
#: OpenCV writes metadata, without which no photo could go back, since 4.12.
_WRITES_DEEP = hasattr(cv2, "imencodeWithMetadata")


def deep_samples(image: Image.Image, handle: BinaryIO) -> Pixels | None:
    """Decode 10 or 12 bits per channel, spread over 16, if they can be written again."""
    bits, subsampling = av1_coding(handle)
    if bits <= 8 or subsampling != "4:2:0" or not _WRITES_DEEP:
        return None
    return spread(to_rgb_order(decode_16_bits(image, handle)), bits)


def capture(source: Source) -> Captured:
    """Keep the sampling, the depth and the colour numbers; warn of what is not kept."""
    bits, subsampling = av1_coding(source.handle)
    warnings = layer_warnings(source)
    if bits > 8 and not (subsampling == "4:2:0" and _WRITES_DEEP):
        warnings = (f"it has {bits} bits per channel, of which 8 are kept", *warnings)
    options = {
        "bits": bits,
        "subsampling": subsampling,
        "colours": colour_numbers(source.handle),
    }
    return Captured(options=options, warnings=warnings)


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write an AVIF near the eye's limit, so that a second encoding does not show.

    Depth and chroma, and so the profile of AV1, are the source's; a photo that came from no AVIF
    keeps all of its chroma.
    """
    if sheet.pixels.dtype == np.uint16:
        content = _deep(sheet, native)
    else:
        subsampling = native.options.get("subsampling", "4:4:4")
        metadata = pillow_metadata(_without_orientation(native))
        memory = BytesIO()
        to_pillow(sheet).save(
            memory, "AVIF", quality=_QUALITY, subsampling=subsampling, speed=_SPEED, **metadata
        )
        content = memory.getvalue()
    colours = native.options.get("colours")
    handle.write(content if colours is None else with_colour_numbers(content, colours))


def _without_orientation(native: Native) -> Native:
    """Leave the orientation out of EXIF: pixels lie upright, and Pillow would rebuild the block."""
    exif = native.metadata.exif
    if not exif:
        return native
    return replace(native, metadata=replace(native.metadata, exif=without_orientation(exif)))


def _deep(sheet: Sheet, native: Native) -> bytes:
    """Encode more than 8 bits per channel."""
    bits = int(native.options.get("bits", 10))
    # The swap is its own inverse.
    samples = to_rgb_order(np.ascontiguousarray(sheet.pixels)) >> (16 - bits)
    metadata = {
        cv2.IMAGE_METADATA_EXIF: native.metadata.exif,
        cv2.IMAGE_METADATA_XMP: native.metadata.xmp,
        cv2.IMAGE_METADATA_ICCP: native.metadata.icc,
    }
    given = {kind: np.frombuffer(block, np.uint8) for kind, block in metadata.items() if block}
    settings = {
        cv2.IMWRITE_AVIF_DEPTH: bits,
        cv2.IMWRITE_AVIF_QUALITY: _QUALITY,
        cv2.IMWRITE_AVIF_SPEED: _SPEED,
    }
    _, content = cv2.imencodeWithMetadata(
        ".avif",
        samples,
        list(given),
        list(given.values()),
        [number for setting in settings.items() for number in setting],
    )
    return content.tobytes()


AVIF = Format(
    name="AVIF",
    title="AVIF",
    suffixes=(".avif",),
    lossy=True,
    deep=_WRITES_DEEP,
    deep_samples=deep_samples,
    capture=capture,
    encode=encode,
    strip=strip,
)
