"""WebP, lossy or lossless."""

from __future__ import annotations

from io import BytesIO
from typing import BinaryIO

from PIL import Image

from ..containers.webp import chunks, with_shorter_chunk, without_metadata
from ..containers.webp_size import with_true_size
from ..metadata.exif_xmp import essential_exif
from ..metadata.icc import plain_profile
from ..native import Native, Sheet, to_pillow
from .format import Captured, Format, Mended, Source, pillow_metadata

#: Bytes that are cut off to see whether they matter: encoders write a few more than they need.
_SLACK = 8


def mend(head: bytes, handle: BinaryIO) -> Mended | None:
    """Correct the size that the file declares, and leave out metadata that is cut off."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    handle.seek(0)
    content = with_true_size(handle.read())
    if content is None:
        return None
    return Mended(content, ("the file declares a size that it does not have: it is read whole",))


def capture(source: Source) -> Captured:
    """Find out whether the file is lossless."""
    return Captured(lossless=_is_lossless(source.handle))


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write a WebP, lossless if the source was."""
    quality = (
        {"lossless": True, "exact": True, "quality": 60}
        if native.lossless
        else {"quality": 95, "exact": True}
    )
    to_pillow(sheet).save(handle, "WEBP", **quality, **pillow_metadata(native))


def strip(content: bytes, native: Native) -> bytes:
    """Drop the metadata chunks; EXIF keeps the orientation."""
    exif = essential_exif(native.turn, None)
    stripped = without_metadata(content, exif, plain_profile(native.metadata.icc))
    pixels = _decoded(stripped)
    for name in (b"ALPH", b"VP8 ", b"VP8L"):
        stripped = _without_slack(stripped, name, pixels)
    return stripped


def _without_slack(content: bytes, name: bytes, pixels: bytes | None) -> bytes:
    """Cut off the bytes behind the end of a coded picture: all that the pixels do not need.

    Args:
        content: the file.
        name: the chunk that is cut.
        pixels: the decoded file.
    """
    size = len(dict(chunks(content)).get(name, b""))

    def is_enough(length: int) -> bool:
        return _decoded(with_shorter_chunk(content, name, length)) == pixels

    if pixels is None or size <= _SLACK or not is_enough(size - _SLACK):
        return content
    least, enough = 0, size - _SLACK
    while enough - least > 1:
        middle = (least + enough) // 2
        least, enough = (least, middle) if is_enough(middle) else (middle, enough)
    return with_shorter_chunk(content, name, enough)


def _decoded(content: bytes) -> bytes | None:
    try:
        with Image.open(BytesIO(content), formats=("WEBP",)) as image:
            return image.tobytes()
    except (OSError, ValueError, SyntaxError):
        return None


def _is_lossless(handle: BinaryIO) -> bool:
    """Whether the picture's chunk is VP8L; the file is a RIFF list of chunks."""
    handle.seek(12)
    while len(head := handle.read(8)) == 8:
        if head[:3] == b"VP8" and head[3:4] in b" L":
            return head[3:4] == b"L"
        if head[:4] == b"ANMF":
            # A one-frame animation: the picture is the frame's first chunk, or follows its alpha.
            return b"VP8L" in handle.read(64)
        size = int.from_bytes(head[4:], "little")
        handle.seek(size + size % 2, 1)
    return False


WEBP = Format(
    name="WEBP",
    title="WebP",
    suffixes=(".webp",),
    lossy=True,
    mend=mend,
    capture=capture,
    encode=encode,
    strip=strip,
)
