"""Files with something added: boxes, chunks, segments and tags that a picture does not need."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from remove_objects.pipeline.images.containers import bmff_rebuild as bmff
from tests.support.planted import ICC

_PNG_HEADER_END = 33


def bmff_box(kind: bytes, body: bytes) -> bytes:
    """A box of HEIC and AVIF."""
    return struct.pack(">I4s", 8 + len(body), kind) + body


def riff_chunk(name: bytes, payload: bytes) -> bytes:
    """A chunk of WebP."""
    return name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def png_chunk(name: bytes, payload: bytes) -> bytes:
    """A chunk of PNG with its checksum."""
    return (
        struct.pack(">I", len(payload))
        + name
        + payload
        + struct.pack(">I", zlib.crc32(payload, zlib.crc32(name)))
    )


def with_png_chunk(content: bytes, name: bytes, payload: bytes, *, before: bytes = b"") -> bytes:
    """Add a chunk behind the header, or before the first chunk named ``before``."""
    at = content.index(before, _PNG_HEADER_END) - 4 if before else _PNG_HEADER_END
    return content[:at] + png_chunk(name, payload) + content[at:]


def with_riff_chunks(content: bytes, *, ahead: bytes = b"", behind: bytes = b"") -> bytes:
    """Add chunks before or behind all others of a WebP."""
    body = b"WEBP" + ahead + content[12:] + behind
    return b"RIFF" + struct.pack("<I", len(body)) + body


def with_longer_mdat(content: bytes, more: bytes) -> bytes:
    """Add bytes to the box of the samples, which no item refers to."""
    boxes = list(bmff._boxes(content))
    assert boxes[-1].type == b"mdat"
    return b"".join(bmff_box(k, b + more if k == b"mdat" else b) for k, b in boxes)


def with_meta(
    content: bytes, path: tuple[bytes, ...], body: Callable[[bytes], bytes], items: bytes = b""
) -> bytes:
    """Change the content of a box inside ``meta``, and let the items' offsets follow.

    Args:
        content: the file.
        path: the types of the boxes that lead to it; empty: ``meta`` itself.
        body: returns the new content.
        items: further entries of ``iloc``, in version 1 with offsets and lengths of 4 bytes.
    """
    boxes = list(bmff._boxes(content))
    meta = bmff._first(boxes, b"meta")
    changed = _rebuilt(meta[4:], path, body)
    inside = {b.type: b.body for b in bmff._boxes(changed)}
    for shift in (0, _shift(meta, changed, inside[b"iloc"], items)):
        iloc = _iloc(inside[b"iloc"], shift, items)
        new = b"".join(bmff_box(k, iloc if k == b"iloc" else b) for k, b in bmff._boxes(changed))
    return b"".join(bmff_box(k, meta[:4] + new if k == b"meta" else b) for k, b in boxes)


def _shift(meta: bytes, changed: bytes, iloc: bytes, items: bytes) -> int:
    return len(changed) - len(meta) + 4 + len(_iloc(iloc, 0, items)) - len(iloc)


def _rebuilt(content: bytes, path: tuple[bytes, ...], body: Callable[[bytes], bytes]) -> bytes:
    if not path:
        return body(content)
    return b"".join(
        bmff_box(k, _rebuilt(b, path[1:], body) if k == path[0] else b)
        for k, b in bmff._boxes(content)
    )


def _iloc(old: bytes, shift: int, items: bytes) -> bytes:
    """Write the list of extents anew, those in the file moved by ``shift``."""
    entries, count = b"", 0
    for item, spans in bmff._extents(old):
        count += 1
        entries += struct.pack(">HHHH", item, spans[0][0], 0, len(spans))
        for in_idat, start, length in spans:
            entries += struct.pack(">II", start + (0 if in_idat else shift), length)
    count += len(items) // 16
    return struct.pack(">B3xBBH", 1, 0x44, 0, count) + entries + items


def private_profile(secret: bytes, *, places: tuple[str, ...] = ("tag", "gap", "end")) -> bytes:
    """A colour profile with a secret.

    Args:
        secret: what it holds.
        places: where: a private ``tag``, the description (``text``), a ``gap`` between the list of
            tags and their data, behind the ``end``.
    """
    count = int.from_bytes(ICC[128:132], "big")
    entries = [struct.unpack_from(">4sII", ICC, 132 + 12 * number) for number in range(count)]
    tags = {name: ICC[at : at + size] for name, at, size in entries}
    if "tag" in places:
        tags[b"prVt"] = b"data\0\0\0\1" + secret
    if "text" in places:
        tags[b"desc"] = b"text\0\0\0\0" + secret + b"\0"
    if "copyright" in places:
        tags[b"cprt"] = b"text\0\0\0\0" + secret + b"\0"
    table, data = b"", secret if "gap" in places else b""
    data += bytes(-len(data) % 4)
    for name, body in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    content = struct.pack(">I", len(tags)) + table + data
    profile = struct.pack(">I", 128 + len(content)) + ICC[4:128] + content
    return profile + (secret if "end" in places else b"")
