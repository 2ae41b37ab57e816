"""The picture of the removed object, and the kinds of bytes and texts in which a program stores it.

Each kind is one line: how the picture becomes a payload. ``detector`` knows how to find them all.
"""

from __future__ import annotations

import base64
import gzip
import textwrap
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

_WIDTH, _HEIGHT = 20, 24


class Kind(NamedTuple):
    """A kind of payload.

    Attributes:
        payload: the planted bytes.
        is_text: whether they are ASCII without control characters but line breaks.
    """

    payload: bytes
    is_text: bool


@cache
def pixels() -> np.ndarray:
    """The removed object: a texture that no photo of the tests contains, HWC uint8."""
    values = np.random.default_rng(26).integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
    values[values == 0] = 1
    return values


@cache
def encoded(format: str) -> bytes:
    """The object as a file of a format, or ``RGB``: its bare samples."""
    if format == "RGB":
        return pixels().tobytes()
    memory = BytesIO()
    options = {"JPEG": {"quality": 50}, "WEBP": {"quality": 50}}.get(format, {})
    Image.fromarray(pixels()).save(memory, format, **options)
    return memory.getvalue()


@cache
def kinds() -> dict[str, Kind]:
    """All kinds, by name."""
    jpeg, png = encoded("JPEG"), encoded("PNG")
    in_base64 = base64.b64encode(jpeg).decode()
    escaped = in_base64.replace("/", "\\/").replace("+", "\\u002b")
    texts: dict[str, str] = {
        "base64": in_base64,
        "base64 of a PNG": base64.b64encode(png).decode(),
        "base64 of samples": base64.b64encode(encoded("RGB")).decode(),
        "base64 in lines": "\n".join(textwrap.wrap(in_base64, 76)),
        "base64 in words": " ".join(textwrap.wrap(in_base64, 12)),
        "base64url": base64.urlsafe_b64encode(jpeg).decode().rstrip("="),
        "data URI": f"data:image/jpeg;base64,{in_base64}",
        "JSON": f'{{"image": "{escaped}"}}',
        "base64 of zlib": base64.b64encode(zlib.compress(encoded("RGB"))).decode(),
        "hexadecimal": jpeg.hex(),
        "HEXADECIMAL": jpeg.hex().upper(),
        "hexadecimal with colons": jpeg.hex(":"),
        "hexadecimal with spaces": jpeg.hex(" ").upper(),
        "hexadecimal in lines": "\n".join(textwrap.wrap(encoded("WEBP").hex(), 72)),
        "ASCII 85": base64.a85encode(jpeg, adobe=True).decode(),
        "decimal numbers": ", ".join(map(str, jpeg)),
    }
    binary = {
        "JPEG": jpeg,
        "PNG": png,
        "WebP": encoded("WEBP"),
        "samples": encoded("RGB"),
        "gzip": gzip.compress(jpeg, mtime=0),
        "zlib": zlib.compress(encoded("RGB")),
        "UTF-16": in_base64.encode("utf-16-le"),
    }
    return {
        **{name: Kind(payload, False) for name, payload in binary.items()},
        **{name: Kind(text.encode("ascii"), True) for name, text in texts.items()},
    }


Plant = Callable[[bytes], bytes]
