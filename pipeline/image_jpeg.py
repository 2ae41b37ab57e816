"""JPEG: written with the source's own quantisation tables and subsampling, and its metadata segments spliced back verbatim."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

from PIL import Image, JpegImagePlugin

from pipeline.image_metadata import photoshop_without_thumbnails
from pipeline.image_native import Metadata, Native, Sheet
from pipeline.image_sheet import to_pillow

_APP0, _APP1, _APP2, _APP12, _APP13, _COM = 0xE0, 0xE1, 0xE2, 0xEC, 0xED, 0xFE
_SOI, _SOS, _EOI = 0xD8, 0xDA, 0xD9
_EXIF, _XMP, _ICC, _PHOTOSHOP, _JFIF = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"Photoshop 3.0\0", b"JFIF\0"
_LARGEST = 65533
_TURNED = (5, 6, 7, 8)
_FULL_CHROMA = 0


def segments(handle: BinaryIO) -> tuple[tuple[int, bytes], ...]:
    """The metadata segments that stay true for the new picture, as (marker, payload), in file order.

    EXIF, XMP and ICC are not among them (they are rebuilt), nor is anything that may hold a second picture: thumbnails, the MPF
    directory, FlashPix, content credentials.
    """
    kept = []
    photoshop = bytearray()
    for marker, payload in _segments(handle):
        if marker == _APP0 and payload.startswith(_JFIF):
            kept.append((marker, payload[:12] + b"\0\0"))  # the last two bytes are the thumbnail's size
        elif marker == _APP13 and payload.startswith(_PHOTOSHOP):
            photoshop += payload.removeprefix(_PHOTOSHOP)  # one list of resources may run through several segments
        elif marker in (_APP12, _COM):
            kept.append((marker, payload))
    resources = photoshop_without_thumbnails(bytes(photoshop)) or b""
    room = _LARGEST - len(_PHOTOSHOP)
    kept += [(_APP13, _PHOTOSHOP + resources[at : at + room]) for at in range(0, len(resources), room)]
    return tuple(kept)


def options(image: Image.Image, orientation: int) -> dict[str, Any]:
    """The encoder's settings that give the source's own quality back, for a picture turned upright from ``orientation``.

    A turned picture has its tables transposed, so that each frequency keeps the step it had; chroma halved in one direction only
    is then kept whole, because Pillow cannot halve the other one.
    """
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    tables = []
    for component in image.layer[:2] if image.mode in ("RGB", "YCbCr") else image.layer[:1]:
        table = image.quantization[component[3]]
        tables.append([table[8 * (i % 8) + i // 8] for i in range(64)] if orientation in _TURNED else list(table))
    found: dict[str, Any] = {"qtables": tables, "progressive": "progressive" in image.info}
    if image.mode == "RGB":
        sampling = JpegImagePlugin.get_sampling(image)
        found["subsampling"] = _FULL_CHROMA if sampling == -1 or (sampling == 1 and orientation in _TURNED) else sampling
        ids = bytes(component[0] for component in image.layer)
        found["keep_rgb"] = image.info.get("adobe_transform") == 0 or (ids == b"RGB" and "adobe" not in image.info)
    return found


def write(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Encode and write. Without the source's options: quality 95, chroma whole."""
    bare = BytesIO()
    to_pillow(sheet).save(bare, "JPEG", **(dict(native.options) or {"quality": 95, "subsampling": _FULL_CHROMA}))
    encoded = bare.getbuffer()
    own_header = 2
    if native.options and encoded[2:4] == bytes((0xFF, _APP0)):
        # The source's own JFIF header takes the encoder's place, or none does: a camera's file has EXIF there.
        own_header += 2 + int.from_bytes(encoded[4:6], "big")
    handle.write(encoded[:2])
    blocks = native.metadata.blocks
    first = [block for block in blocks if block[0] == _APP0]
    for marker, payload in (*first, *_rebuilt(native.metadata), *(block for block in blocks if block[0] != _APP0)):
        if len(payload) <= _LARGEST:
            handle.write(struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload)
    handle.write(encoded[own_header:])


def _rebuilt(metadata: Metadata) -> Iterator[tuple[int, bytes]]:
    if metadata.exif:
        yield _APP1, _EXIF + metadata.exif
    if metadata.xmp:
        yield _APP1, _XMP + metadata.xmp
    icc = metadata.icc or b""
    room = _LARGEST - len(_ICC) - 2
    parts = [icc[at : at + room] for at in range(0, len(icc), room)]
    for number, part in enumerate(parts, 1):
        yield _APP2, _ICC + bytes((number, len(parts))) + part


def _segments(handle: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(marker, payload) up to the first scan; ends quietly where the file does, since the decoder has its own say on that."""
    handle.seek(2)
    while byte := handle.read(1):
        if byte != b"\xff":
            continue
        marker = handle.read(1)
        while marker == b"\xff":  # any number of fill bytes
            marker = handle.read(1)
        if not marker or marker[0] in (_SOS, _EOI):
            return
        if marker[0] in (0, 1, _SOI) or 0xD0 <= marker[0] <= 0xD7:  # these have no payload
            continue
        size = int.from_bytes(handle.read(2), "big")
        if size < 2:
            return
        payload = handle.read(size - 2)
        if len(payload) < size - 2:
            return
        yield marker[0], payload
