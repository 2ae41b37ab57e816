"""Photos of every format, with one secret planted in every place the format has for it."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from remove_objects.pipeline.images.containers.jpeg import Segment, assemble, parse
from tests.support.scenes import scene

try:
    import pillow_heif
except ImportError:
    pillow_heif = None
else:
    pillow_heif.register_heif_opener()  # otherwise ``Image.open`` does not know HEIC

SECRET = "Planted-Secret-4711"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<a photographer="{SECRET}" tiff:Orientation="1"/></x:xmpmeta>'
).encode()
DPI = (240, 240)
INNER = {
    0x9003: SECRET,
    0xA431: SECRET,
    0xA430: SECRET,
    0x927C: SECRET.encode(),
    0x9286: SECRET.encode("utf-16-le"),
}
PLACE = {1: "N", 2: (50.0, 6.0, 30.5), 29: SECRET}


def exif(turn: int = 1) -> Image.Exif:
    """EXIF whose names, places, serial numbers, times and maker note are the secret."""
    block = Image.Exif()
    block[0x0112] = turn
    for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298):
        block[tag] = SECRET
    block[0x8769], block[0x8825] = INNER, PLACE
    return block


def jpeg(path: Path, turn: int = 1, **options: Any) -> None:
    """Write a JPEG with the secret in every segment, between its scans, and behind its end."""
    Image.fromarray(scene()).save(
        path, quality=88, icc_profile=ICC, exif=exif(turn), dpi=DPI, **options
    )
    secret = SECRET.encode()
    iptc = (
        b"Photoshop 3.0\0"
        + b"8BIM\x04\x04\0\0"
        + struct.pack(">I", len(secret))
        + secret
        + b"\0" * (len(secret) % 2)
    )
    planted = [Segment(marker, secret) for marker in (0xE1, *range(0xE3, 0xEE), 0xEF, 0xFE)]
    planted += [
        Segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        Segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + secret),
    ]
    planted += [
        Segment(0xED, iptc),
        Segment(0xE0, b"JFXX\0\x10" + secret),
        Segment(0xE2, b"FPXR\0" + secret),
    ]
    planted += [Segment(0xEB, b"JP\0\0" + secret)]
    own = parse(path.read_bytes()).segments
    first_scan = next(i for i, s in enumerate(own) if s.marker == 0xDA)
    between = [Segment(0xFE, secret)] if options.get("progressive") else []
    content = assemble(
        [own[0], *planted, *own[1 : first_scan + 1], *between, *own[first_scan + 1 :]]
    )
    path.write_bytes(content + secret)


def png(path: Path) -> None:
    """Write a PNG with the secret in text chunks, XMP, EXIF, a private chunk and behind its end."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET)
    text.add_text("Comment", SECRET, zip=True)
    text.add_itxt("Title", SECRET, zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    text.add(b"gAMA", (45455).to_bytes(4, "big"))
    text.add(b"tIME", struct.pack(">HBBBBB", 2026, 11, 21, 1, 2, 3))
    text.add(b"prVt", SECRET.encode(), after_idat=True)
    Image.fromarray(scene()).save(path, pnginfo=text, exif=exif(), icc_profile=ICC, dpi=DPI)
    path.write_bytes(path.read_bytes() + SECRET.encode())


def webp(path: Path, **options: Any) -> None:
    """Write a WebP with the secret in EXIF, XMP, a private chunk and behind its end."""
    Image.fromarray(scene()).save(path, exif=exif(), xmp=XMP, icc_profile=ICC, **options)
    content = bytearray(
        path.read_bytes() + b"prVt" + struct.pack("<I", len(SECRET) + 1) + SECRET.encode() + b"\0"
    )
    content[4:8] = struct.pack("<I", len(content) - 8)
    path.write_bytes(bytes(content) + SECRET.encode())


def tiff(path: Path) -> None:
    """Write a TIFF with the secret in text tags, private tags, EXIF, GPS and behind its end."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (269, 270, 271, 272, 305, 306, 315, 316, 33432, 65000):
        tags[tag] = SECRET
    for tag in (700, 33723, 34377, 65001):
        tags[tag] = SECRET.encode()
        tags.tagtype[tag] = 7
    tags[0x8769], tags[0x8825] = INNER, PLACE
    Image.fromarray(scene()).save(path, tiffinfo=tags, icc_profile=ICC, dpi=DPI)
    path.write_bytes(path.read_bytes() + SECRET.encode())


def gif(path: Path) -> None:
    """Write a GIF with the secret in its comment, an application block and behind its end."""
    Image.fromarray(scene()).quantize(64).save(path, comment=SECRET.encode())
    content = path.read_bytes()
    at = content.index(b"\x21\xfe")
    block = b"\x21\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET.encode() + b"\0"
    path.write_bytes(content[:at] + block + content[at:] + SECRET.encode())


def bmp(path: Path) -> None:
    """Write a BMP with the secret behind its end."""
    Image.fromarray(scene()).save(path, dpi=DPI)
    path.write_bytes(path.read_bytes() + SECRET.encode())


def heif(path: Path) -> None:
    """Write a HEIC with the secret in EXIF, XMP and an unknown box."""
    if pillow_heif is None:
        pytest.skip("HEIC needs the package pillow-heif")
    pillow_heif.from_pillow(Image.fromarray(scene())).save(
        path, quality=80, exif=exif().tobytes(), xmp=XMP, icc_profile=ICC
    )
    with open(path, "ab") as file:
        file.write(struct.pack(">I4s", 8 + len(SECRET), b"mpvd") + SECRET.encode())


def avif(path: Path) -> None:
    """Write an AVIF with the secret in EXIF, XMP and an unknown box."""
    Image.fromarray(scene()).save(path, quality=80, exif=exif(), xmp=XMP, icc_profile=ICC)
    with open(path, "ab") as file:
        file.write(struct.pack(">I4s", 8 + len(SECRET), b"uuid") + SECRET.encode())


PLANTED: dict[str, Callable[[Path], None]] = {
    "plain.jpg": jpeg,
    "progressive.jpg": lambda path: jpeg(path, progressive=True),
    "grey.jpg": lambda path: jpeg(path, mode="L"),
    "a.png": png,
    "lossless.webp": lambda path: webp(path, lossless=True),
    "lossy.webp": webp,
    "a.tif": tiff,
    "a.gif": gif,
    "a.bmp": bmp,
    "a.heic": heif,
    "a.avif": avif,
}


def unpacked(content: bytes) -> bytes:
    """Return the bytes to search: the content, and the content of the zlib streams in it."""
    contents = [content]
    for match in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", content):
        try:
            contents.append(zlib.decompressobj().decompress(content[match.start() :]))
        except zlib.error:
            continue
    return b"\n".join(contents)
