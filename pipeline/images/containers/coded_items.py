"""What the items and properties of HEIC and AVIF consist of; everything else in them is left out.

Coded pictures are lists of units (HEVC: ISO/IEC 23008-2, 7.3.1; AV1: its specification, 5.3). Some
units hold no samples but arbitrary data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

_AV1, _HEVC, _GRID, _IDENTITY = b"av01", b"hvc1", b"grid", b"iden"
ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0")
#: Kinds of AV1's units: sequence header; frame header, tile group, frame.
_AV1_SEQUENCE, _AV1_PICTURE = 1, (1, 3, 4, 6)
_HAS_EXTENSION, _HAS_SIZE = 4, 2
#: HEVC's parameter sets; every smaller kind is a coded slice.
_HEVC_SETS = (32, 33, 34)
_HEVC_HEADER_BYTES, _LENGTH_SIZE_AT = 22, 21
_PROFILES = (b"prof", b"rICC")
#: Properties of a fixed length.
_LENGTHS: Mapping[bytes, int] = {
    b"ispe": 12,
    b"pasp": 8,
    b"clap": 32,
    b"irot": 1,
    b"imir": 1,
    b"clli": 4,
    b"mdcv": 24,
    b"amve": 8,
    b"ndwt": 8,
    b"a1op": 1,
    b"lsel": 2,
}

Plain = Callable[[bytes | None], bytes | None]


def plain_property(kind: bytes, body: bytes, profile: Plain) -> bytes | None:
    """Return a property without foreign data; None if it is not known.

    Args:
        kind: its box's type.
        body: its box's content.
        profile: returns a colour profile without foreign data, or None.
    """
    if kind in _LENGTHS:
        return body[: _LENGTHS[kind]]
    if kind == b"pixi":
        return body[: 5 + body[4]]
    if kind == b"a1lx":
        return body[: 1 + 3 * (4 if body[0] & 1 else 2)]
    if kind == b"colr":
        return _colours(body, profile)
    if kind == b"auxC":
        return next((body[:4] + urn for urn in ALPHA if body[4:].startswith(urn)), None)
    if kind == b"av1C":
        return body[:4] + _av1_units(body[4:], (_AV1_SEQUENCE,))
    return _hevc_sets(body) if kind == b"hvcC" else None


def plain_data(kind: bytes, data: bytes, properties: Mapping[bytes, bytes]) -> bytes:
    """Return an item's data without foreign data.

    Args:
        kind: the item's type.
        data: its bytes.
        properties: its properties, by type.

    Raises:
        ValueError: if the type is not known.
    """
    if kind == _AV1:
        return _av1_units(data, _AV1_PICTURE)
    if kind == _HEVC:
        size = (properties[b"hvcC"][_LENGTH_SIZE_AT] & 3) + 1
        return b"".join(
            len(unit).to_bytes(size, "big") + unit
            for unit in _hevc_units(data, size)
            if unit[0] >> 1 <= max(_HEVC_SETS)
        )
    if kind == _GRID:
        return data[: 12 if data[1] & 1 else 8]
    if kind == _IDENTITY:
        return b""
    raise ValueError(f"it is made of pictures of an unknown kind, {kind!r}")


def _colours(body: bytes, profile: Plain) -> bytes | None:
    kind = body[:4]
    if kind == b"nclx":
        return body[:11]
    plain = profile(body[4:]) if kind in _PROFILES else None
    return kind + plain if plain else None


def _av1_units(data: bytes, kinds: tuple[int, ...]) -> bytes:
    """Keep the units of these kinds, whose first byte holds the kind and two flags."""
    kept, at = bytearray(), 0
    while at < len(data):
        start, head = at, data[at]
        at += 2 if head & _HAS_EXTENSION else 1
        size = len(data) - at
        if head & _HAS_SIZE:
            size = shift = 0
            while True:  # seven bits in each byte, and a flag that more follow
                size |= (data[at] & 0x7F) << shift
                at, shift = at + 1, shift + 7
                if not data[at - 1] & 0x80:
                    break
        at += size
        if head >> 3 & 15 in kinds:
            kept += data[start:at]
    return bytes(kept)


def _hevc_units(data: bytes, size: int) -> Iterator[bytes]:
    at = 0
    while at + size <= len(data):
        end = at + size + int.from_bytes(data[at : at + size], "big")
        if end > at + size + 1:
            yield data[at + size : end]
        at = end


def _hevc_sets(body: bytes) -> bytes:
    """Return the decoder's configuration with its parameter sets only."""
    kept: list[bytes] = []
    at = _HEVC_HEADER_BYTES + 1
    for _ in range(body[_HEVC_HEADER_BYTES]):
        start, kind = at, body[at] & 0x3F
        count = int.from_bytes(body[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            at += 2 + int.from_bytes(body[at : at + 2], "big")
        if kind in _HEVC_SETS:
            kept.append(body[start:at])
    return body[:_HEVC_HEADER_BYTES] + bytes((len(kept),)) + b"".join(kept)
