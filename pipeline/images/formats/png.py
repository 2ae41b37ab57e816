"""PNG: pixels encoded bare, then the source's ancillary chunks inserted verbatim.

16-bit colour has an encoder here, because neither Pillow (no 16-bit colour) nor OpenCV (no grey
with alpha, no metadata) can write everything PNG can hold.
"""

from __future__ import annotations

import re
import struct
import textwrap
import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO, cast

import numpy as np
from PIL import Image

from ...errors import UnreadableError
from ...types import Pixels
from ..containers.png import END, mended
from ..containers.png import chunks as all_chunks
from ..metadata.exif_xmp import bare_exif
from ..metadata.hidden import may_hold_picture
from ..metadata.iptc import known_resources
from ..metadata.text import LONGEST_LIST, decoded, is_known_text
from ..native import Metadata, Native, Sheet, to_pillow, transparency
from .deep import decode_16_bits, to_rgb_order
from .format import Captured, Format, Mended, Source, bare_metadata, exif_of

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE = {"L": 0, "RGB": 2, "LA": 4, "RGBA": 6}
_DEPTH_AT = 24
#: Chunks that the pixels need to look as they do: colour space, significant bits, density.
#: Each with its lengths: a longer one is not what its name says.
_PIXEL_CHUNKS = {
    b"cHRM": (32,),
    b"gAMA": (4,),
    b"sRGB": (1,),
    b"cICP": (4,),
    b"mDCV": (24,),
    b"cLLI": (8,),
    b"sBIT": (1, 2, 3, 4),
    b"pHYs": (9,),
}
#: Chunks of the standard with their lengths.
_CHUNK_BYTES = {**_PIXEL_CHUNKS, b"tIME": (7,), b"oFFs": (9,)}
_TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt"))
#: Keywords of the standard, and ImageMagick's dates. Programs that make pictures put the whole
#: recipe, with pictures, under others ("prompt", "workflow", "parameters").
_KEYWORDS = frozenset(
    b"Title|Author|Description|Copyright|Creation Time|Software|Disclaimer|Warning|Source|Comment"
    b"|Collection|date:create|date:modify|date:timestamp".split(b"|")
)
#: Chunks that the encoder writes.
_REBUILT = frozenset(b"IHDR PLTE IDAT IEND tRNS iCCP eXIf bKGD hIST".split())
_IPTC_PROFILE = b"Raw profile type iptc"
_KEPT = frozenset(_PIXEL_CHUNKS) | frozenset(b"tIME oFFs pCAL sCAL sPLT tEXt zTXt iTXt".split())
_REBUILT_TEXT = (
    b"XML:com.adobe.xmp\0",
    b"Raw profile type exif\0",
    b"Raw profile type APP1\0",
    b"Raw profile type xmp\0",
    b"Raw profile type 8bim\0",
)
_LARGEST_KEPT = 16 << 20
_STRIP_BYTES = 1 << 22
#: Of 9: twice as fast as zlib's default of 6, a tenth larger.
_EFFORT = 4
_METRES_PER_INCH = 0.0254


def mend(head: bytes, handle: BinaryIO) -> Mended | None:
    """Leave out chunks with a wrong checksum that the pixels do not need, as browsers do.

    Raises:
        UnreadableError: if the pixels, or what says how transparent they are, may be damaged.
    """
    if not head.startswith(_SIGNATURE):
        return None
    found = list(all_chunks(handle))
    damaged = [chunk for chunk in found if not chunk.is_sound and chunk.name != END]
    for chunk in damaged:
        if chunk.is_critical or chunk.name == b"tRNS":
            raise UnreadableError(
                f"the checksum of its chunk {_printable(chunk.name)} is wrong, so its pixels may "
                "be damaged; copy or export it again"
            )
    if not damaged:
        return None
    content, dropped = mended(handle, damaged)
    warnings = [
        f"the checksum of its chunk {_printable(chunk.name)} is wrong: "
        + ("the cleaned file does without it" if chunk in dropped else "its content is whole")
        for chunk in damaged
    ]
    return Mended(content, tuple(dict.fromkeys(warnings)))


def _printable(name: bytes) -> str:
    return name.decode("ascii", "backslashreplace")


def deep_samples(image: Image.Image, handle: BinaryIO) -> Pixels | None:
    """Decode 16-bit colour, with or without alpha, or grey with alpha (two channels)."""
    handle.seek(_DEPTH_AT)
    depth, colour = handle.read(2)
    if depth != 16 or colour not in (_COLOUR_TYPE["RGB"], _COLOUR_TYPE["LA"], _COLOUR_TYPE["RGBA"]):
        return None
    bgr = decode_16_bits(image, handle)
    if colour == _COLOUR_TYPE["LA"]:
        return cast(Pixels, bgr[..., 2:])
    return to_rgb_order(bgr)


def exif(image: Image.Image) -> bytes | None:
    """Return EXIF from its chunk or, as ImageMagick writes it, from a text chunk."""
    profile = image.info.get("Raw profile type exif")
    if image.info.get("exif") is not None or not isinstance(profile, str):
        return exif_of(image)
    try:
        return bare_exif(bytes.fromhex("".join(profile.split("\n")[3:])))
    except ValueError:
        return None


def capture(source: Source) -> Captured:
    """Keep the ancillary chunks that stay true for the new picture.

    EXIF, XMP and ICC are not among them: they are rebuilt.
    """
    kept, dropped = [], []
    handle = source.handle
    handle.seek(len(_SIGNATURE))
    while len(head := handle.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name in _KEPT and size <= _LARGEST_KEPT:
            payload = handle.read(size)
            handle.seek(4, 1)
            if payload.startswith(_REBUILT_TEXT):
                continue
            if may_hold_picture(_text(name, payload)):
                dropped.append(_shown(name, payload))
            else:
                kept.append((name, payload))
        else:
            handle.seek(size + 4, 1)
            if name not in _REBUILT and re.fullmatch(rb"[A-Za-z]{4}", name):
                dropped.append(f"PNG {name.decode()}")
    return Captured(blocks=tuple(kept), dropped=tuple(dropped))


def known(native: Native) -> tuple[Native, tuple[str, ...]]:
    """Keep the chunks of the standard's sizes, and texts under the standard's keywords."""
    kept: list[tuple[bytes, bytes]] = []
    dropped: list[str] = []
    for name, payload in native.metadata.blocks:
        known_payload = _known_chunk(name, payload)
        if known_payload is None or (name not in _TEXTS and name in dict(kept)):
            dropped.append(_shown(name, payload))
        else:
            kept.append((name, known_payload))
    texts = [chunk for chunk in kept if chunk[0] in _TEXTS and not chunk[1].startswith(b"Raw ")]
    joined = "\n".join(decoded(_text(*chunk)) or "" for chunk in texts)
    if not is_known_text(joined, LONGEST_LIST):  # a picture in pieces
        dropped += [_shown(*chunk) for chunk in texts]
        kept = [chunk for chunk in kept if chunk not in texts]
    metadata = replace(native.metadata, blocks=tuple(kept))
    return replace(native, metadata=metadata), tuple(dropped)


def _shown(name: bytes, payload: bytes) -> str:
    """Return a chunk's name for people, with a text's keyword."""
    keyword = payload.partition(b"\0")[0] if name in _TEXTS else b""
    shown = keyword.decode() if re.fullmatch(rb"[\w:. -]{1,40}", keyword) else ""
    return f"PNG {name.decode()} {shown}".strip()


def _known_chunk(name: bytes, payload: bytes) -> bytes | None:
    """Return a chunk's payload as it is kept; None if it is dropped."""
    if name in _CHUNK_BYTES:
        return payload if len(payload) in _CHUNK_BYTES[name] else None
    keyword = payload.partition(b"\0")[0]
    content = _text(name, payload)
    if keyword == _IPTC_PROFILE and name == b"zTXt":
        return _known_iptc(content)
    text = decoded(content)
    if keyword not in _KEYWORDS or text is None or not is_known_text(text):
        return None
    content = content.partition(b"\0")[0]
    head = {b"tEXt": b"\0", b"zTXt": b"\0\0", b"iTXt": bytes(5)}[name]
    return keyword + head + (zlib.compress(content) if name == b"zTXt" else content)


def _known_iptc(profile: bytes) -> bytes | None:
    """Return IPTC's known fields as ImageMagick writes them, in hexadecimal digits."""
    try:
        digits = b"".join(profile.split(b"\n")[3:]).decode("ascii")
        block = known_resources(bytes.fromhex(digits)).block
    except ValueError:
        return None
    if not block:
        return None
    lines = "\n".join(textwrap.wrap(block.hex(), 72))
    rebuilt = f"\niptc\n{len(block):8}\n{lines}\n".encode()
    return _IPTC_PROFILE + b"\0\0" + zlib.compress(rebuilt)


def _text(name: bytes, payload: bytes) -> bytes:
    """Return a text chunk's text, inflated; for other and for damaged chunks the payload."""
    rest = payload.partition(b"\0")[2]
    try:
        match name:
            case b"tEXt":
                return rest
            case b"zTXt":
                return _inflated(rest[1:])
            case b"iTXt":
                text = rest[2:].split(b"\0", 2)[2]
                return _inflated(text) if rest[:1] == b"\1" else text
    except (zlib.error, LookupError):
        pass
    return payload


def _inflated(content: bytes) -> bytes:
    return zlib.decompressobj().decompress(content, _LARGEST_KEPT)


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write a PNG in the sheet's own mode and depth."""
    if sheet.pixels.dtype == np.uint16:
        height, width = sheet.pixels.shape[:2]
        header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPE[sheet.mode], 0, 0, 0)
        handle.write(_SIGNATURE + _chunk(b"IHDR", header))
        _write_metadata(handle, native.metadata)
        if sheet.key is not None:
            handle.write(_chunk(b"tRNS", struct.pack(f">{len(sheet.key)}H", *sheet.key)))
        for compressed in _deflated(cast(Pixels, sheet.pixels)):
            handle.write(_chunk(b"IDAT", compressed))
        handle.write(_chunk(b"IEND", b""))
        return
    memory = BytesIO()
    to_pillow(sheet).save(memory, "PNG", compress_level=_EFFORT, **transparency(sheet))
    encoded = memory.getbuffer()
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
        yield b"pHYs", struct.pack(">IIB", *(round(d / _METRES_PER_INCH) for d in metadata.dpi), 1)


def _chunk(name: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(payload, zlib.crc32(name))
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", checksum)


def _deflated(pixels: Pixels) -> Iterator[bytes]:
    """Compress 16-bit rows, big-endian, each with PNG's filter 1 (difference to the left pixel)."""
    height, width = pixels.shape[:2]
    pixel_bytes = 2 * (pixels.shape[2] if pixels.ndim == 3 else 1)
    step = max(1, _STRIP_BYTES // (width * pixel_bytes))
    compressor = zlib.compressobj(_EFFORT)
    for top in range(0, height, step):
        rows = pixels[top : top + step].astype(">u2")
        raw = rows.view(np.uint8).reshape(rows.shape[0], width * pixel_bytes)
        filtered = np.empty((raw.shape[0], raw.shape[1] + 1), np.uint8)
        filtered[:, 0] = 1
        filtered[:, 1 : 1 + pixel_bytes] = raw[:, :pixel_bytes]
        filtered[:, 1 + pixel_bytes :] = raw[:, pixel_bytes:] - raw[:, :-pixel_bytes]
        if compressed := compressor.compress(filtered.data):
            yield compressed
    yield compressor.flush()


def bare(native: Native) -> Native:
    """Drop the metadata but for the chunks that define colours and density, one of each."""
    blocks: dict[bytes, bytes] = {}
    for name, payload in native.metadata.blocks:
        if len(payload) in _PIXEL_CHUNKS.get(name, ()):
            blocks.setdefault(name, payload)
    return replace(native, metadata=bare_metadata(native.metadata, blocks=tuple(blocks.items())))


PNG = Format(
    name="PNG",
    title="PNG",
    suffixes=(".png",),
    lossy=False,
    deep=True,
    mend=mend,
    deep_samples=deep_samples,
    exif=exif,
    capture=capture,
    encode=encode,
    known=known,
    bare=bare,
)
