"""JPEG: written with the source's quantisation tables, subsampling and metadata segments.

Where possible the DCT coefficients outside the holes are kept too: see ``keep`` and ``dct``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin

from ...errors import UnreadableError
from ...types import Pixels
from ..containers.jpeg import (
    ADOBE,
    APP0,
    APP1,
    APP2,
    APP12,
    APP13,
    APP14,
    COM,
    EOI,
    EXIF,
    ICC,
    JFIF,
    LARGEST,
    PHOTOSHOP,
    SOI,
    SOS,
    XMP,
    Parsed,
    Segment,
    assemble,
    icc_segments,
    parse,
)
from ..containers.jpeg_samples import (
    has_bytes_behind_its_samples,
    needed_segments,
    restart_interval,
    without_ends_of_intervals,
)
from ..dct.splice import SpliceError, mcu_size, splice
from ..metadata.exif_xmp import essential_exif, photoshop_without_thumbnails
from ..metadata.hidden import may_hold_picture
from ..metadata.icc import plain_profile
from ..metadata.iptc import known_resources
from ..metadata.text import are_known_texts, decoded
from ..native import Coded, Metadata, Native, Sheet, to_pillow
from .format import Captured, Format, Mended, Source, bare_metadata, refuse_pages

#: Encoders write a dozen scans of a progressive JPEG. Each costs a pass over all its pixels, and
#: may take only a few bytes of the file.
MOST_SCANS = 200

_TURNED = (5, 6, 7, 8)
_FULL_CHROMA = 0
#: Fewer bytes than this behind the end of the JPEG are a camera's padding.
_TRAILER = 64
#: How the segments begin that a result may get.
_KNOWN_SEGMENTS = {
    APP0: (JFIF,),
    APP1: (EXIF, XMP),
    APP2: (ICC,),
    APP12: (b"",),
    APP13: (PHOTOSHOP,),
    APP14: (ADOBE,),
    COM: (b"",),
}
_UNITS_AT = 7
_END = bytes((0xFF, EOI))
_CUT = "the file ends before its last pixel; copy it again from its source"
_INCH, _CENTIMETRE = b"\1", b"\2"


def mend(head: bytes, handle: BinaryIO) -> Mended | None:
    """Add the end marker that a file lacks whose scans are all there, see ``verify``.

    Raises:
        UnreadableError: if scans are missing.
    """
    if not head.startswith(bytes((0xFF, SOI, 0xFF))):
        return None
    handle.seek(-2, os.SEEK_END)
    if handle.read() == _END:  # the rule, and parsing takes time
        return None
    handle.seek(0)
    content = handle.read()
    parsed = parse(content)
    if parsed.ended or not any(segment.marker == SOS for segment in parsed.segments):
        return None
    if not parsed.has_all_scans:
        raise UnreadableError(_CUT)
    return Mended(content.rstrip(b"\xff") + _END, ("its end marker was missing, and no pixel",))


def verify(handle: BinaryIO) -> None:
    """Refuse a JPEG that ends before its last pixel.

    The decoder fills what is missing without a word. But then the picture depends on what follows
    the file's own bytes, and that of a complete one does not.

    Raises:
        UnreadableError: if pixels are missing.
    """
    handle.seek(0)
    content = handle.read().removesuffix(_END)
    pictures = set()
    for filling in (b"", b"\xa5" * 64, b"\x5a" * 64):
        with Image.open(BytesIO(content + filling + _END), formats=("JPEG",)) as image:
            pictures.add(hashlib.blake2b(image.tobytes()).digest())
    if len(pictures) > 1:
        raise UnreadableError(_CUT)


def refuse_endless_scans(image: Image.Image, handle: BinaryIO) -> None:
    """Refuse a progressive JPEG of more than ``MOST_SCANS`` scans, its further pictures included.

    Raises:
        UnreadableError: if there are more.
    """
    if "progressive" not in image.info:
        return
    handle.seek(0)
    scans, last = 0, b""
    while block := handle.read(1 << 20):
        scans += (last + block).count(b"\xff\xda")
        last = block[-1:] if block[-1:] == b"\xff" else b""
    if scans > MOST_SCANS:
        raise UnreadableError(
            f"it has {scans:,} scans where a progressive JPEG has a dozen, "
            "and would take for ever to decode; save it again"
        )


def warn_of_pages(image: Image.Image) -> tuple[str, ...]:
    """Warn of a multi-picture file, whose first picture is the photo."""
    if image.format == "MPO" or "mp" in image.info:
        return (
            "the file holds further pictures (a second view, a gain map or a preview): "
            "the cleaned file keeps the first only",
        )
    return refuse_pages(image)


def capture(source: Source) -> Captured:
    """Keep the encoder's settings, the metadata segments and the coefficients."""
    image, turn = source.image, source.turn
    source.handle.seek(0)
    parsed = parse(source.handle.read())
    metadata = replace(source.metadata, blocks=blocks(parsed))
    warnings: tuple[str, ...] = ()
    if len(parsed.trailer.strip(b"\0\xff")) >= _TRAILER and "mp" not in image.info:
        warnings = (
            f"{len(parsed.trailer):,} bytes behind the picture (a video, a second picture) "
            "are dropped from the cleaned file",
        )
    return Captured(
        blocks=metadata.blocks,
        options=options(image, turn),
        coded=Coded(pixels_only(parsed), metadata),
        warnings=warnings,
        dropped=tuple(_names_of_dropped(parsed, metadata.blocks)),
    )


def _names_of_dropped(parsed: Parsed, kept: tuple[tuple[int, bytes], ...]) -> Iterator[str]:
    """Yield names of the segments that no result gets."""
    for segment in parsed.segments:
        marker, payload = segment.marker, segment.payload
        known = _KNOWN_SEGMENTS.get(marker)
        if segment.is_metadata and not (known and payload.startswith(known)):
            name = re.match(rb"([\w:/. -]{1,40})\0", payload)
            yield f"APP{marker - APP0} {name[1].decode() if name else ''}".strip()
        elif marker in (APP12, COM) and (marker, payload) not in kept:
            yield "comment" if marker == COM else "APP12"
    photoshop = b"".join(p for m, p in _photoshop_segments(_photoshop(parsed)))
    if photoshop and photoshop != b"".join(p for m, p in kept if m == APP13):
        yield "Photoshop's thumbnails"


def known(native: Native) -> tuple[Native, tuple[str, ...]]:
    """Keep comments that are texts, and the known resources of Photoshop."""
    kept: list[tuple[int, bytes]] = []
    dropped: list[str] = []
    blocks = native.metadata.blocks
    comments = [payload.partition(b"\0")[0] for marker, payload in blocks if marker == COM]
    texts = [decoded(comment) for comment in comments]
    if are_known_texts([text or "" for text in texts]) and None not in texts:
        kept += [(COM, comment) for comment in comments]
    else:
        dropped.append("comment")
    resources = b"".join(p.removeprefix(PHOTOSHOP) for marker, p in blocks if marker == APP13)
    block, names = known_resources(resources)
    dropped += names
    for marker, payload in blocks:
        if marker == APP0:
            kept.append((marker, payload))
        elif marker == APP12:
            dropped.append("APP12")
    kept += _photoshop_segments(block or b"")
    metadata = replace(native.metadata, blocks=tuple(kept))
    coded = native.coded
    if coded is not None:
        coded = replace(coded, metadata=replace(coded.metadata, blocks=tuple(kept)))
    return replace(native, metadata=metadata, coded=coded), tuple(dropped)


def blocks(parsed: Parsed) -> tuple[tuple[int, bytes], ...]:
    """Return the metadata segments that stay true for the new picture.

    EXIF, XMP and ICC are not among them (they are rebuilt), nor is anything that may hold a second
    picture: thumbnails, the MPF directory, FlashPix, content credentials.

    Returns:
        (marker, payload) in file order.
    """
    kept = []
    for segment in parsed.segments:
        marker, payload = segment.marker, segment.payload
        if marker == APP0 and payload.startswith(JFIF):
            # The last two bytes are the thumbnail's size.
            kept.append((marker, payload[:12] + b"\0\0"))
        elif marker in (APP12, COM) and not may_hold_picture(payload):
            kept.append((marker, payload))
    kept += _photoshop_segments(photoshop_without_thumbnails(_photoshop(parsed)) or b"")
    return tuple(kept)


def _photoshop(parsed: Parsed) -> bytes:
    """Return Photoshop's list of resources, which may run through several segments."""
    return b"".join(
        segment.payload.removeprefix(PHOTOSHOP)
        for segment in parsed.segments
        if segment.marker == APP13 and segment.payload.startswith(PHOTOSHOP)
    )


def _photoshop_segments(resources: bytes) -> list[tuple[int, bytes]]:
    """Return a list of resources in as many segments as it takes."""
    room = LARGEST - len(PHOTOSHOP)
    return [(APP13, PHOTOSHOP + resources[at : at + room]) for at in range(0, len(resources), room)]


def pixels_only(parsed: Parsed) -> bytes:
    """Return the file with tables, frame, scans and the segments that define its colours, only."""
    return assemble(needed for segment in parsed.segments if (needed := _needed(segment)))


def _needed(segment: Segment) -> Segment | None:
    if segment.marker == APP0 and segment.payload.startswith(JFIF):
        return Segment(APP0, segment.payload[:12] + b"\0\0")
    if segment.marker == APP14 and segment.payload.startswith(ADOBE):
        return Segment(APP14, segment.payload[:12])
    return None if segment.is_metadata else segment


def options(image: Image.Image, turn: int) -> dict[str, Any]:
    """Return Pillow's encoder settings that reproduce the source's quality in an upright picture.

    A picture turned by 90 degrees gets transposed tables, so that each frequency keeps its
    quantisation step. Chroma that is halved in one direction only is then kept whole, because
    Pillow cannot halve the other direction.

    Args:
        image: the opened source.
        turn: the orientation 1-8 from which the pixels are turned.
    """
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    tables = []
    for component in image.layer[:2] if image.mode in ("RGB", "YCbCr") else image.layer[:1]:
        table = image.quantization[component[3]]
        tables.append(
            [table[8 * (i % 8) + i // 8] for i in range(64)] if turn in _TURNED else list(table)
        )
    settings: dict[str, Any] = {"qtables": tables, "progressive": "progressive" in image.info}
    if image.mode == "RGB":
        sampling = JpegImagePlugin.get_sampling(image)
        settings["subsampling"] = (
            _FULL_CHROMA if sampling == -1 or (sampling == 1 and turn in _TURNED) else sampling
        )
        ids = bytes(component[0] for component in image.layer)
        settings["keep_rgb"] = image.info.get("adobe_transform") == 0 or (
            ids == b"RGB" and "adobe" not in image.info
        )
    return settings


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write a JPEG; without the source's options: quality 95, chroma whole."""
    settings = dict(native.options) or {"quality": 95, "subsampling": _FULL_CHROMA}
    memory = BytesIO()
    to_pillow(sheet).save(memory, "JPEG", **settings)
    segments = parse(memory.getvalue()).segments
    if native.options:
        # The source's own JFIF header replaces the encoder's; a camera's file has EXIF instead.
        segments = tuple(s for s in segments if s.marker != APP0)
    write_segments(segments, native.metadata, handle)


def write_segments(segments: Iterable[Segment], metadata: Metadata, handle: BinaryIO) -> None:
    """Write a picture's segments, with ``metadata`` before them."""
    own = [Segment(marker, payload) for marker, payload in metadata.blocks]
    first = [segment for segment in own if segment.marker == APP0]
    others = [segment for segment in own if segment.marker != APP0]
    ahead = [s for s in (*first, *_rebuilt(metadata), *others) if len(s.payload) <= LARGEST]
    handle.write(assemble((*ahead, *segments)))


def _rebuilt(metadata: Metadata) -> Iterator[Segment]:
    if metadata.exif:
        yield Segment(APP1, EXIF + metadata.exif)
    if metadata.xmp:
        yield Segment(APP1, XMP + metadata.xmp)
    yield from icc_segments(metadata.icc)


def bare(native: Native) -> Native:
    """Drop the metadata; the JFIF header stays, or EXIF declares the density in its place."""
    coded = native.coded
    if coded is not None:
        coded = replace(coded, metadata=_bare(coded.metadata, native.turn))
    return replace(native, metadata=_bare(native.metadata, 1), coded=coded)


def _bare(metadata: Metadata, turn: int) -> Metadata:
    jfif = next((payload for marker, payload in metadata.blocks if marker == APP0), None)
    return bare_metadata(
        metadata,
        turn=turn,
        dpi=None if _has_density(jfif) else metadata.dpi,
        blocks=() if jfif is None else ((APP0, jfif),),
    )


def strip(content: bytes, native: Native) -> bytes:
    """Drop everything but the coded samples and what they need to look the same.

    Raises:
        ValueError: if there are bytes behind a scan's last block, and the package for JPEG's
            coefficients is missing or refuses the file.
    """
    parsed = parse(content)
    jfif = parsed.first(APP0, JFIF)
    ahead = [] if jfif is None else [Segment(APP0, jfif[:12] + b"\0\0")]
    exif = essential_exif(native.turn, None if _has_density(jfif) else native.metadata.dpi)
    if exif:
        ahead.append(Segment(APP1, EXIF + exif))
    ahead += icc_segments(plain_profile(native.metadata.icc))
    if payload := parsed.first(APP14, ADOBE):
        ahead.append(Segment(APP14, payload[:12]))
    return assemble((*ahead, *_samples(parsed)))


def _samples(parsed: Parsed) -> tuple[Segment, ...]:
    """Return the segments of the coded samples; scans with bytes behind them are written anew."""
    colours = tuple(s for p in parsed.segments if p.is_metadata and (s := _needed(p)))
    segments = needed_segments(parsed)
    before = _decoded((*colours, *segments))

    def looks_the_same(others: tuple[Segment, ...]) -> bool:
        after = _decoded((*colours, *others))
        return before is not None and after is not None and np.array_equal(before, after)

    if before is None or not (
        has_bytes_behind_its_samples(parsed, segments, looks_the_same)
        or _has_bytes_between_intervals(segments, colours, before)
    ):
        return segments
    try:
        rewritten, _ = splice(
            assemble((*colours, *segments)), before, np.zeros(before.shape[:2], bool)
        )
    except SpliceError as error:
        raise ValueError(f"bytes lie behind its samples, and {error}") from error
    return tuple(segment for segment in rewritten if not segment.is_metadata)


def _has_bytes_between_intervals(
    segments: tuple[Segment, ...], colours: tuple[Segment, ...], before: Pixels
) -> bool:
    """Whether some restart interval of a sequential JPEG goes on behind its last block."""
    interval = restart_interval(segments)
    parsed = Parsed(segments, b"", ended=True)
    if not interval or parsed.is_progressive:
        return False
    after = _decoded((*colours, *without_ends_of_intervals(segments)))
    try:
        down, across = mcu_size(parsed.frame)
    except SpliceError:
        return False
    if after is None or after.shape != before.shape:
        return False
    changed = (before != after).reshape(*before.shape[:2], -1).any(axis=2)
    height, width = changed.shape
    padded = np.pad(changed, ((0, -height % down), (0, -width % across)))
    units = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // across, across)
    # At an MCU's edge, the decoder smooths chroma over from its neighbour.
    flat = units[:, 1:-1, :, 1:-1].any(axis=(1, 3)).ravel()
    whole = flat[: (len(flat) - 1) // interval * interval]  # the last one is the scan's end
    return bool((~whole.reshape(-1, interval).any(axis=1)).any())


def _decoded(segments: Iterable[Segment]) -> Pixels | None:
    """Decode in the file's own bands; None if that fails."""
    try:
        with Image.open(BytesIO(assemble(segments)), formats=("JPEG",)) as image:
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError):
        return None


def _has_density(jfif: bytes | None) -> bool:
    """Whether a JFIF header declares a density, not just an aspect ratio."""
    return jfif is not None and jfif[_UNITS_AT : _UNITS_AT + 1] in (_INCH, _CENTIMETRE)


JPEG = Format(
    name="JPEG",
    title="JPEG",
    suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
    lossy=True,
    alpha=False,
    aliases=("MPO",),
    mend=mend,
    verify=verify,
    refuse_bomb=refuse_endless_scans,
    refuse_pages=warn_of_pages,
    capture=capture,
    encode=encode,
    known=known,
    bare=bare,
    strip=strip,
)
