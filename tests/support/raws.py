"""A small RAW file: a DNG of a sensor with red, green and blue filters, uncompressed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from remove_objects.pipeline.images.formats.raw import is_installed

from .tiffs import ASCII, BYTE, LONG, RATIONAL, SHORT, SRATIONAL, Tag, tiff

needs_rawpy = pytest.mark.skipif(
    not is_installed(), reason="developing RAW files needs the package rawpy"
)

WHITE, BLACK = 16383, 512
#: The camera's white balance: it sees a white wall as this share of each colour.
NEUTRAL = (0.5, 1.0, 0.625)
EXIF: dict[int, Tag] = {
    33434: (RATIONAL, (1, 250)),
    33437: (RATIONAL, (28, 10)),
    34855: (SHORT, (400,)),
    36867: (ASCII, b"2024:05:06 07:08:09\0"),
    37386: (RATIONAL, (50, 1)),
    42036: (ASCII, b"A lens 50mm\0"),
    37500: (BYTE, b"a maker note"),
}
GPS: dict[int, Tag] = {
    1: (ASCII, b"N\0"),
    2: (RATIONAL, (52, 1, 31, 1, 12, 1)),
    3: (ASCII, b"E\0"),
    4: (RATIONAL, (13, 1, 24, 1, 0, 1)),
}
TAGS: dict[int, Tag] = {
    271: (ASCII, b"Maker\0"),
    272: (ASCII, b"Model 1\0"),
    306: (ASCII, b"2024:05:06 07:08:09\0"),
    315: (ASCII, "Jürgen\0".encode()),
    33432: (ASCII, b"All rights\0"),
}


def mosaic(rgb: np.ndarray) -> np.ndarray:
    """Return what the sensor records of a picture (HWC uint8, sRGB): HW uint16, pattern RGGB."""
    light = (rgb.astype(np.float64) / 255) ** 2.2 * np.array(NEUTRAL)
    counts = (BLACK + light * (WHITE - BLACK)).astype(np.uint16)
    out = counts[..., 1].copy()
    out[::2, ::2] = counts[::2, ::2, 0]
    out[1::2, 1::2] = counts[1::2, 1::2, 2]
    return out


def dng(rgb: np.ndarray, turn: int = 1, tags: Mapping[int, Tag] | None = None) -> bytes:
    """Return a DNG.

    Args:
        rgb: HWC uint8, as the sensor lies.
        turn: the orientation 1-8 that it declares.
        tags: further tags of its directory.
    """
    # XYZ to the camera's colours, which are sRGB's primaries here.
    matrix = (32405, -15371, -4985, -9693, 18760, 416, 556, -2040, 10572)
    sensor: dict[int, Tag] = {
        **TAGS,
        262: (SHORT, (32803,)),
        274: (SHORT, (turn,)),
        33421: (SHORT, (2, 2)),
        33422: (BYTE, bytes((0, 1, 1, 2))),
        50706: (BYTE, bytes((1, 4, 0, 0))),
        50707: (BYTE, bytes((1, 1, 0, 0))),
        50708: (ASCII, b"Maker Model 1\0"),
        50714: (LONG, (BLACK,)),
        50717: (LONG, (WHITE,)),
        50721: (SRATIONAL, tuple(n for value in matrix for n in (value, 10000))),
        50728: (RATIONAL, tuple(n for value in NEUTRAL for n in (round(value * 1000), 1000))),
        50778: (SHORT, (21,)),
        **(tags or {}),
    }
    return tiff(mosaic(rgb), sensor, exif=EXIF, gps=GPS)
