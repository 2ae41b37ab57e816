"""Metadata less everything that says who, where, when and with what: what is left is what the pixels need to look as they do.

Kept: the colour profile and a format's own colour numbers, the density (DPI), and the orientation where pixels are stored turned.
"""

from __future__ import annotations

from dataclasses import replace

from .containers.jpeg import (
    ADOBE,
    APP0,
    APP1,
    APP14,
    EXIF,
    JFIF,
    Parsed,
    Segment,
    assemble,
    icc_segments,
)
from .metadata.exif_xmp import essential_exif
from .native import Metadata, Native

_PNG_KEPT = frozenset(b"cHRM gAMA sRGB cICP mDCV cLLI sBIT pHYs".split())
#: Resolution and its unit, white point, primaries, dot range, ICC profile.
_TIFF_KEPT = frozenset((282, 283, 296, 318, 319, 336, 34675))
_UNITS_AT = 7


def stripped(native: Native) -> Native:
    """The same file to be written without its metadata."""
    bare = _bare(native.metadata, native.format, 1)
    options = dict(native.options)
    if native.format == "TIFF":
        options["tags"] = tuple(tag for tag in options.get("tags", ()) if tag[0] in _TIFF_KEPT)
    elif native.format == "GIF":
        options["comment"] = b""
    coded = native.coded
    if coded is not None:
        coded = replace(coded, metadata=_bare(coded.metadata, native.format, native.turn))
    return replace(native, metadata=bare, options=options, coded=coded)


def stripped_jpeg(
    parsed: Parsed, turn: int, dpi: tuple[float, float] | None, icc: bytes | None
) -> bytes:
    """A JPEG file's segments less its metadata and whatever stands behind its end; its samples as they are."""
    jfif = parsed.first(APP0, JFIF)
    ahead = [] if jfif is None else [Segment(APP0, jfif[:12] + b"\0\0")]
    exif = essential_exif(turn, None if _has_density(jfif) else dpi)
    if exif:
        ahead.append(Segment(APP1, EXIF + exif))
    adobe = [Segment(APP14, payload[:12])] if (payload := parsed.first(APP14, ADOBE)) else []
    return assemble(
        (*ahead, *icc_segments(icc), *adobe, *(s for s in parsed.segments if not s.is_metadata))
    )


def _bare(metadata: Metadata, format: str, turn: int) -> Metadata:
    jfif = (
        next((payload for marker, payload in metadata.blocks if marker == APP0), None)
        if format == "JPEG"
        else None
    )
    dpi = metadata.dpi if format == "JPEG" and not _has_density(jfif) else None
    kept = tuple(b for b in metadata.blocks if b[0] in _PNG_KEPT) if format == "PNG" else ()
    blocks = ((APP0, jfif),) if jfif is not None else kept
    return Metadata(
        exif=essential_exif(turn, dpi), icc=metadata.icc, dpi=metadata.dpi, blocks=blocks
    )


def _has_density(jfif: bytes | None) -> bool:
    return jfif is not None and jfif[_UNITS_AT : _UNITS_AT + 1] in (b"\1", b"\2")
