"""PNG: pixels encoded bare, the source's ancillary chunks spliced back verbatim; 16-bit colour by an encoder of our own.

Neither Pillow (no 16-bit colour) nor OpenCV (no grey with alpha, no metadata) can write what PNG can hold.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import numpy as np

from ...types import Pixels
from ..metadata.hidden import may_hold_picture
from ..native import Metadata, Native, Sheet, to_pillow, transparency

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE = {"L": 0, "RGB": 2, "LA": 4, "RGBA": 6}
_KEPT = frozenset(
    b"cHRM gAMA sRGB cICP mDCV cLLI sBIT pHYs tIME oFFs pCAL sCAL sPLT tEXt zTXt iTXt".split()
)
_REBUILT_TEXT = (
    b"XML:com.adobe.xmp\0",
    b"Raw profile type exif\0",
    b"Raw profile type APP1\0",
    b"Raw profile type xmp\0",
    b"Raw profile type 8bim\0",
)
_LARGEST_KEPT = 16 << 20
_STRIP_BYTES = 1 << 22
_EFFORT = 4  # of 9: twice as fast as zlib's own 6, a tenth larger


def chunks(handle: BinaryIO) -> tuple[tuple[bytes, bytes], ...]:
    """The ancillary chunks that stay true for the new picture, as (name, payload). EXIF, XMP and ICC are rebuilt instead."""
    kept = []
    handle.seek(len(_SIGNATURE))
    while len(head := handle.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name in _KEPT and size <= _LARGEST_KEPT:
            payload = handle.read(size)
            handle.seek(4, 1)
            if not payload.startswith(_REBUILT_TEXT) and not may_hold_picture(_text(name, payload)):
                kept.append((name, payload))
        else:
            handle.seek(size + 4, 1)
    return tuple(kept)


def _text(name: bytes, payload: bytes) -> bytes:
    """A text chunk's text, inflated where it is compressed; of any other chunk, and of one that is damaged, the payload."""
    rest = payload.partition(b"\0")[2]
    try:
        if name == b"zTXt":
            return _inflated(rest[1:])
        if name == b"iTXt" and rest[:1] == b"\1":
            return _inflated(rest[2:].split(b"\0", 2)[2])
    except (zlib.error, LookupError):
        pass
    return payload


def _inflated(content: bytes) -> bytes:
    return zlib.decompressobj().decompress(content, _LARGEST_KEPT)


def write(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Encode and write, in the sheet's own mode and depth."""
    if sheet.pixels.dtype == np.uint16:
        height, width = sheet.pixels.shape[:2]
        header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPE[sheet.mode], 0, 0, 0)
        handle.write(_SIGNATURE + _chunk(b"IHDR", header))
        _write_metadata(handle, native.metadata)
        if sheet.key is not None:
            handle.write(_chunk(b"tRNS", struct.pack(f">{len(sheet.key)}H", *sheet.key)))
        for part in _deflated(sheet.pixels):
            handle.write(_chunk(b"IDAT", part))
        handle.write(_chunk(b"IEND", b""))
        return
    bare = BytesIO()
    to_pillow(sheet).save(bare, "PNG", compress_level=_EFFORT, **transparency(sheet))
    encoded = bare.getbuffer()
    after_header = len(_SIGNATURE) + 25
    handle.write(encoded[:after_header])
    _write_metadata(handle, native.metadata)
    handle.write(encoded[after_header:])


def _write_metadata(handle: BinaryIO, metadata: Metadata) -> None:
    for name, payload in (*_rebuilt(metadata), *metadata.blocks):
        handle.write(_chunk(name, payload))


def _rebuilt(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    if metadata.icc:
        yield b"iCCP", b"icc\0\0" + zlib.compress(metadata.icc)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    if metadata.xmp:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp
    if metadata.dpi and not metadata.blocks:  # a PNG's own density is among its blocks
        yield b"pHYs", struct.pack(">IIB", *(round(d / 0.0254) for d in metadata.dpi), 1)


def _chunk(name: bytes, payload: bytes) -> bytes:
    return (
        struct.pack(">I", len(payload))
        + name
        + payload
        + struct.pack(">I", zlib.crc32(payload, zlib.crc32(name)))
    )


def _deflated(pixels: Pixels) -> Iterator[bytes]:
    """16-bit rows, big-endian, each with PNG's filter 1 (the difference to the pixel at its left), compressed."""
    height, width = pixels.shape[:2]
    pixel_bytes = 2 * (pixels.shape[2] if pixels.ndim == 3 else 1)
    step = max(1, _STRIP_BYTES // (width * pixel_bytes))
    press = zlib.compressobj(_EFFORT)
    for top in range(0, height, step):
        rows = pixels[top : top + step].astype(">u2")
        raw = rows.view(np.uint8).reshape(rows.shape[0], width * pixel_bytes)
        filtered = np.empty((raw.shape[0], raw.shape[1] + 1), np.uint8)
        filtered[:, 0] = 1
        filtered[:, 1 : 1 + pixel_bytes] = raw[:, :pixel_bytes]
        filtered[:, 1 + pixel_bytes :] = raw[:, pixel_bytes:] - raw[:, :-pixel_bytes]
        if part := press.compress(filtered.data):
            yield part
    yield press.flush()
