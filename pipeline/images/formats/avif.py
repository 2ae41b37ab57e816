"""AVIF; its container is HEIC's."""

from __future__ import annotations

from typing import BinaryIO

from ..native import Native, Sheet, to_pillow
from .format import Format, pillow_metadata
from .heif import capture, strip


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write an AVIF near the eye's limit, chroma whole, so that a second encoding does not show."""
    metadata = pillow_metadata(native)
    to_pillow(sheet).save(handle, "AVIF", quality=90, subsampling="4:4:4", speed=8, **metadata)


AVIF = Format(
    name="AVIF",
    title="AVIF",
    suffixes=(".avif",),
    lossy=True,
    capture=capture,
    encode=encode,
    strip=strip,
)
