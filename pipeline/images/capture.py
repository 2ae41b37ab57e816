"""What to remember of a file that was opened, so that it can be written again; and what to assume where there was no file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from ..errors import UnwritableError
from ..types import Photo
from .containers.jpeg import parse
from .encoders import jpeg, png, tiff
from .metadata.exif_xmp import (
    ORIENTATION,
    bare_exif,
    essential_exif,
    orientation,
    upright_exif,
    upright_xmp,
)
from .metadata.hidden import may_hold_picture
from .native import Coded, Layout, Metadata, Native

_BY_SUFFIX = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".heic", ".heif"), "HEIF"),
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".avif": "AVIF",
}
_LOSSY = frozenset({"JPEG", "AVIF", "HEIF", "WEBP"})
_PIXEL_DEPTHS_AT = 4096
#: A few bytes behind a JPEG's end are a camera's padding.
_TRAILER = 64


def orientation_of(image: Image.Image) -> int:
    """The orientation 1-8 in which the file's pixels lie, from EXIF, the TIFF directory or XMP."""
    if image.format == "TIFF":
        value = getattr(image, "tag_v2", {}).get(ORIENTATION)
        return (
            value
            if isinstance(value, int) and 1 <= value <= 8
            else orientation(None, None if value else _xmp(image))
        )
    return orientation(_exif(image), _xmp(image))


def remember(
    image: Image.Image, handle: BinaryIO, layout: Layout
) -> tuple[Native, tuple[str, ...]]:
    """The ``Native`` of a loaded picture, and what to warn of because it cannot be kept."""
    turn = orientation_of(image)
    format = "JPEG" if image.format == "MPO" else str(image.format)
    size = (image.height, image.width) if turn < 5 else (image.width, image.height)
    exif, xmp = _exif(image), _xmp(image)
    metadata = Metadata(
        exif=upright_exif(exif, size) if exif else None,
        xmp=upright_xmp(xmp) if xmp else None,
        icc=image.info.get("icc_profile") or None,
        dpi=_dpi(image),
        blocks=png.chunks(handle) if format == "PNG" else (),
    )
    coded = None
    warnings = []
    if exif and metadata.exif is None:
        warnings.append("its EXIF is damaged: the cleaned file goes without")
    if xmp and metadata.xmp is None:
        warnings.append(
            "its XMP describes or holds a further picture, which the cleaned file does not have: XMP is dropped"
        )
    options: dict[str, Any] = {}
    lossless = format not in _LOSSY
    match format:
        case "JPEG":
            options = jpeg.options(image, turn)
            handle.seek(0)
            parsed = parse(handle.read())
            metadata = replace(metadata, blocks=jpeg.blocks(parsed))
            as_stored = _as_stored(metadata, exif, xmp, (image.height, image.width), turn)
            if len(parsed.trailer.strip(b"\0\xff")) >= _TRAILER and "mp" not in image.info:
                warnings.append(
                    f"{len(parsed.trailer):,} bytes behind the picture (a video, a second picture) are dropped from the cleaned file"
                )
            coded = Coded(jpeg.bare(parsed), as_stored)
        case "TIFF":
            options = tiff.options(image, handle, turned=turn > 4)
            samples, kept = int(getattr(image, "tag_v2", {}).get(277, 1)), len(image.getbands())
            if samples > kept:
                warnings.append(
                    f"{samples - kept} of its {samples} channels (masks or spot colours) cannot be kept"
                )
        case "GIF":
            comment = image.info.get("comment", b"")
            options = {
                "interlace": image.info.get("interlace", 0),
                "comment": b"" if may_hold_picture(comment) else comment,
            }
        case "WEBP":
            lossless = _is_lossless_webp(handle)
        case "AVIF" | "HEIF":
            if (bits := _declared_bits(handle)) > 8:
                warnings.append(f"it has {bits} bits a channel, of which 8 are kept")
            if any(image.info.get(kind) for kind in ("depth_images", "aux")):
                warnings.append(
                    "the file holds a depth map, a gain map or another layer: the cleaned file goes without"
                )
    return Native(format, layout, metadata, lossless, options, coded, turn), tuple(warnings)


def as_png(photo: Photo, native: Native) -> Native:
    """The same photo to be written as PNG: grey, RGB or RGBA, with the metadata that PNG can hold."""
    mode = "RGBA" if photo.alpha is not None else "L" if native.layout.mode == "L" else "RGB"
    icc = (
        None if native.layout.mode == "CMYK" else native.metadata.icc
    )  # a CMYK profile would be false of RGB pixels
    return Native("PNG", Layout(mode), replace(native.metadata, icc=icc, blocks=()))


def by_suffix(photo: Photo, path: Path) -> Native:
    """For a photo that came from no file: the format of the target's suffix. Raises ``UnwritableError`` for an unknown one."""
    format = _BY_SUFFIX.get(path.suffix.lower())
    if format is None:
        raise UnwritableError(
            f"{path}: no format is known by the suffix {path.suffix!r}; use one of {', '.join(sorted(_BY_SUFFIX))}"
        )
    if photo.alpha is not None and format == "JPEG":
        raise UnwritableError(f"{path}: JPEG cannot hold the photo's alpha channel; write a PNG")
    return Native(
        format, Layout("RGB" if photo.alpha is None else "RGBA"), lossless=format not in _LOSSY
    )


def _as_stored(
    metadata: Metadata, exif: bytes | None, xmp: bytes | None, size: tuple[int, int], turn: int
) -> Metadata:
    """The same metadata for pixels of ``size`` that stay in orientation ``turn``. The orientation is told, whatever else had to go."""
    if turn == 1:
        return metadata
    kept = replace(
        metadata,
        exif=upright_exif(exif, size, turn) if metadata.exif and exif else None,
        xmp=upright_xmp(xmp, turn) if metadata.xmp and xmp else None,
    )
    return (
        kept
        if orientation(kept.exif, kept.xmp) == turn
        else replace(kept, exif=essential_exif(turn))
    )


def _exif(image: Image.Image) -> bytes | None:
    if image.format == "TIFF":
        return None
    profile = image.info.get("Raw profile type exif")
    if image.info.get("exif") is None and isinstance(
        profile, str
    ):  # ImageMagick's way, in a PNG's text
        try:
            return bare_exif(bytes.fromhex("".join(profile.split("\n")[3:])))
        except ValueError:
            return None
    return bare_exif(image.info.get("exif"))


def _xmp(image: Image.Image) -> bytes | None:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return xmp.encode() if isinstance(xmp, str) else xmp


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    dpi = image.info.get("dpi")
    return (
        (float(dpi[0]), float(dpi[1]))
        if isinstance(dpi, tuple) and len(dpi) == 2 and min(dpi) > 0
        else None
    )


def _is_lossless_webp(handle: BinaryIO) -> bool:
    """Whether the picture chunk is VP8L; the file is a RIFF list of chunks."""
    handle.seek(12)
    while len(head := handle.read(8)) == 8:
        if head[:3] == b"VP8" and head[3:4] in b" L":
            return head[3:4] == b"L"
        if (
            head[:4] == b"ANMF"
        ):  # a one-frame animation: the picture is the frame's first chunk but alpha
            return b"VP8L" in handle.read(64)
        size = int.from_bytes(head[4:], "little")
        handle.seek(size + size % 2, 1)
    return False


def _declared_bits(handle: BinaryIO) -> int:
    """The depth that the container's ``pixi`` box declares; 8 where it has none."""
    handle.seek(0)
    head = handle.read(_PIXEL_DEPTHS_AT)
    at = head.find(b"pixi")
    depths = head[at + 9 : at + 9 + head[at + 8]] if 0 <= at < len(head) - 12 else b""
    return max(depths, default=8)
