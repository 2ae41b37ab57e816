"""JPEG: written with the source's own quantisation tables and subsampling, and its metadata segments spliced back verbatim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

from PIL import Image, JpegImagePlugin

from ..containers.jpeg import (
    ADOBE,
    APP0,
    APP1,
    APP12,
    APP13,
    APP14,
    COM,
    EXIF,
    JFIF,
    LARGEST,
    PHOTOSHOP,
    XMP,
    Parsed,
    Segment,
    assemble,
    icc_segments,
    parse,
)
from ..metadata.exif_xmp import photoshop_without_thumbnails
from ..metadata.hidden import may_hold_picture
from ..native import Metadata, Native, Sheet, to_pillow

_TURNED = (5, 6, 7, 8)
_FULL_CHROMA = 0


def blocks(parsed: Parsed) -> tuple[tuple[int, bytes], ...]:
    """The metadata segments that stay true for the new picture, as (marker, payload), in file order.

    EXIF, XMP and ICC are not among them (they are rebuilt), nor is anything that may hold a second picture: thumbnails, the MPF
    directory, FlashPix, content credentials.
    """
    kept = []
    photoshop = bytearray()
    for segment in parsed.segments:
        marker, payload = segment.marker, segment.payload
        if marker == APP0 and payload.startswith(JFIF):
            kept.append(
                (marker, payload[:12] + b"\0\0")
            )  # the last two bytes are the thumbnail's size
        elif marker == APP13 and payload.startswith(PHOTOSHOP):
            photoshop += payload.removeprefix(
                PHOTOSHOP
            )  # one list of resources may run through several segments
        elif marker in (APP12, COM) and not may_hold_picture(payload):
            kept.append((marker, payload))
    resources = photoshop_without_thumbnails(bytes(photoshop)) or b""
    room = LARGEST - len(PHOTOSHOP)
    kept += [
        (APP13, PHOTOSHOP + resources[at : at + room]) for at in range(0, len(resources), room)
    ]
    return tuple(kept)


def bare(parsed: Parsed) -> bytes:
    """The file with nothing but what its samples need: tables, frame and scans, and the segments that say which colours they are."""
    return assemble(found for segment in parsed.segments if (found := _needed(segment)))


def _needed(segment: Segment) -> Segment | None:
    if segment.marker == APP0 and segment.payload.startswith(JFIF):
        return Segment(APP0, segment.payload[:12] + b"\0\0")
    if segment.marker == APP14 and segment.payload.startswith(ADOBE):
        return Segment(APP14, segment.payload[:12])
    return None if segment.is_metadata else segment


def options(image: Image.Image, orientation: int) -> dict[str, Any]:
    """The encoder's settings that give the source's own quality back, for a picture turned upright from ``orientation``.

    A turned picture has its tables transposed, so that each frequency keeps the step it had; chroma halved in one direction only
    is then kept whole, because Pillow cannot halve the other one.
    """
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    tables = []
    for component in image.layer[:2] if image.mode in ("RGB", "YCbCr") else image.layer[:1]:
        table = image.quantization[component[3]]
        tables.append(
            [table[8 * (i % 8) + i // 8] for i in range(64)]
            if orientation in _TURNED
            else list(table)
        )
    found: dict[str, Any] = {"qtables": tables, "progressive": "progressive" in image.info}
    if image.mode == "RGB":
        sampling = JpegImagePlugin.get_sampling(image)
        found["subsampling"] = (
            _FULL_CHROMA
            if sampling == -1 or (sampling == 1 and orientation in _TURNED)
            else sampling
        )
        ids = bytes(component[0] for component in image.layer)
        found["keep_rgb"] = image.info.get("adobe_transform") == 0 or (
            ids == b"RGB" and "adobe" not in image.info
        )
    return found


def write(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Encode and write. Without the source's options: quality 95, chroma whole."""
    encoded = BytesIO()
    to_pillow(sheet).save(
        encoded, "JPEG", **(dict(native.options) or {"quality": 95, "subsampling": _FULL_CHROMA})
    )
    segments = parse(encoded.getvalue()).segments
    # The source's own JFIF header takes the encoder's place, or none does: a camera's file has EXIF there.
    put(
        tuple(s for s in segments if s.marker != APP0) if native.options else segments,
        native.metadata,
        handle,
    )


def put(segments: Iterable[Segment], metadata: Metadata, handle: BinaryIO) -> None:
    """Write the segments of a picture, with this metadata before them."""
    own = [Segment(marker, payload) for marker, payload in metadata.blocks]
    first = [segment for segment in own if segment.marker == APP0]
    ahead = (*first, *_rebuilt(metadata), *(segment for segment in own if segment.marker != APP0))
    handle.write(
        assemble((*(segment for segment in ahead if len(segment.payload) <= LARGEST), *segments))
    )


def _rebuilt(metadata: Metadata) -> Iterator[Segment]:
    if metadata.exif:
        yield Segment(APP1, EXIF + metadata.exif)
    if metadata.xmp:
        yield Segment(APP1, XMP + metadata.xmp)
    yield from icc_segments(metadata.icc)
