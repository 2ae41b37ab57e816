"""Files to damage, and ways to damage them.

The files are whole pictures of every readable format; some mutations know a format's structure.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile  # scikit-image brings it
from PIL import Image, ImageCms, TiffImagePlugin

Random = np.random.Generator
#: Wrong values for counts, sizes and offsets.
INTERESTING = (
    0,
    1,
    2,
    7,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFF0,
    0xFFFFFFFF,
)
#: Larger torture files (bytes) are skipped: ten thousand reads of one would take hours.
LARGEST = 400_000


def pictures(root: Path) -> dict[str, bytes]:
    """Make whole files of every format, mode, depth and compression, with metadata.

    Args:
        root: the repository; they are made from a sample picture at 96 x 72.

    Returns:
        Contents by file name, with those of ``torture``.
    """
    with Image.open(root / "sample_images" / "coffee.jpg") as opened:
        rgb = opened.convert("RGB").resize((96, 72))
    alpha = Image.linear_gradient("L").resize(rgb.size)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/>'
        b"<xmp:Thumbnails>x</xmp:Thumbnails></x:xmpmeta>"
    )
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tagged = {"exif": exif.tobytes(), "icc_profile": icc}
    rgba, palette = rgb.copy(), rgb.quantize(64)
    rgba.putalpha(alpha)
    files: dict[str, bytes] = {}

    def add(name: str, image: Image.Image, format: str, **options: Any) -> None:
        file = io.BytesIO()
        image.save(file, format, **options)
        files[name] = file.getvalue()

    add("plain.jpg", rgb, "JPEG", quality=85, **tagged, xmp=xmp, comment=b"hello")
    add("progressive.jpg", rgb, "JPEG", progressive=True, subsampling=2)
    add("grey.jpg", rgb.convert("L"), "JPEG")
    add("cmyk.jpg", rgb.convert("CMYK"), "JPEG", icc_profile=icc)
    add("rgb.png", rgb, "PNG", **tagged, dpi=(72, 72))
    add("rgba.png", rgba, "PNG")
    add("la.png", rgba.convert("LA"), "PNG")
    add("palette.png", palette, "PNG", transparency=3)
    add("bit.png", rgb.convert("1"), "PNG")
    add("grey16.png", Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257), "PNG")
    add("lossy.webp", rgba, "WEBP", **tagged, xmp=xmp)
    add("lossless.webp", rgb, "WEBP", lossless=True)
    add("plain.bmp", rgb, "BMP")
    add("palette.bmp", palette, "BMP")
    add("bit.bmp", rgb.convert("1"), "BMP")
    add("plain.gif", palette, "GIF", transparency=3, comment=b"hello")
    add("plain.avif", rgba, "AVIF", **tagged)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270], tags[700], tags[34377] = "a description", xmp, b"8BIM\x04\x0c\0\0\0\0\0\4abcd"
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        add(f"{compression}.tif", rgb, "TIFF", compression=compression, tiffinfo=tags)
    add("group4.tif", rgb.convert("1"), "TIFF", compression="group4")
    add("cmyk.tif", rgb.convert("CMYK"), "TIFF", icc_profile=icc)
    add("lab.tif", Image.merge("LAB", rgb.split()), "TIFF")
    add("palette.tif", palette, "TIFF")
    deep = np.asarray(rgb).astype(np.uint16) * 257
    for suffix in ("png", "tif"):
        files[f"deep.{suffix}"] = cv2.imencode(f".{suffix}", deep)[1].tobytes()
    tiffs: dict[str, dict[str, Any]] = {
        "tiled.tif": {"tile": (32, 32), "compression": "zlib"},
        "big.tif": {"bigtiff": True},
        "planes.tif": {"planarconfig": "separate"},
        "motorola.tif": {"byteorder": ">", "compression": "zlib"},
    }
    for name, options in tiffs.items():
        file = io.BytesIO()
        values = np.asarray(rgb)
        tifffile.imwrite(
            file,
            values.transpose(2, 0, 1) if name == "planes.tif" else values,
            photometric="rgb",
            **options,
        )
        files[name] = file.getvalue()
    try:
        import pillow_heif
    except ImportError:
        pass
    else:
        if pillow_heif.libheif_info().get("HEIF"):
            file = io.BytesIO()
            pillow_heif.from_pillow(rgb).save(file, quality=50, exif=exif.tobytes())
            files["plain.heic"] = file.getvalue()
    return files | torture()


def torture() -> dict[str, bytes]:
    """Read the odd and broken files of ``$REMOVE_OBJECTS_DATA/torture``, if it exists."""
    folder = Path(os.environ.get("REMOVE_OBJECTS_DATA", "/nowhere")) / "torture"
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.stat().st_size <= LARGEST
    )
    return {f"{path.parent.name}-{path.name}": path.read_bytes() for path in files}


def mutate(random: Random, name: str, content: bytes, others: list[bytes]) -> bytes:
    """Mutate a file one to three times, mostly once; ``others`` are files to splice it with."""
    kinds: list[Callable[[Random, bytearray], None]] = [
        _flip,
        _flip_head,
        _number,
        _cut,
        _insert,
        _delete,
        _repeat,
    ]
    by_suffix = {
        ".png": _png_chunk,
        ".jpg": _jpeg_segment,
        ".tif": _tiff_entry,
        ".tiff": _tiff_entry,
    }
    own = by_suffix.get(Path(name).suffix.lower())
    if own is not None:
        kinds += [own] * 5
    data = bytearray(content)
    for _ in range(int(random.choice([1, 1, 1, 2, 3]))):
        if random.random() < 0.05 and others:
            other = others[int(random.integers(len(others)))]
            at = int(random.integers(0, min(len(data), len(other)) + 1))
            data[at:] = other[at:]
        else:
            kinds[int(random.integers(len(kinds)))](random, data)
    return bytes(data)


def _place(random: Random, data: bytearray, room: int = 1) -> int:
    return int(random.integers(0, max(1, len(data) - room + 1)))


def _flip(random: Random, data: bytearray) -> None:
    for _ in range(int(random.integers(1, 20))):
        if data:
            data[_place(random, data)] = int(random.integers(256))


def _flip_head(random: Random, data: bytearray) -> None:
    for _ in range(int(random.integers(1, 6))):
        if data:
            data[int(random.integers(0, min(len(data), 300)))] = int(random.integers(256))


def _number(random: Random, data: bytearray) -> None:
    size = int(random.choice([1, 2, 4, 8]))
    value = int(random.choice(np.array(INTERESTING, np.uint64))) % (1 << 8 * size)
    at = (
        int(random.integers(0, min(max(1, len(data) - size + 1), 400)))
        if random.random() < 0.7
        else _place(random, data, size)
    )
    data[at : at + size] = value.to_bytes(size, "little" if random.random() < 0.5 else "big")


def _cut(random: Random, data: bytearray) -> None:
    del data[_place(random, data) :]


def _insert(random: Random, data: bytearray) -> None:
    at = _place(random, data)
    data[at:at] = random.bytes(int(random.integers(1, 64)))


def _delete(random: Random, data: bytearray) -> None:
    at = _place(random, data)
    del data[at : at + int(random.integers(1, 64))]


def _repeat(random: Random, data: bytearray) -> None:
    at = _place(random, data)
    data[at:at] = bytes(data[at : at + int(random.integers(1, 2000))]) * int(random.integers(1, 20))


def _png_chunk(random: Random, data: bytearray) -> None:
    """Damage, double, drop or rename a chunk.

    The checksum stays right: a wrong one would stop every reader at once.
    """
    chunks, at = [], 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if at + 12 + size > len(data):
            break
        chunks.append((bytes(data[at + 4 : at + 8]), bytearray(data[at + 8 : at + 8 + size])))
        at += 12 + size
    if not chunks:
        return
    i = int(random.integers(len(chunks)))
    what = random.random()
    if what < 0.6:
        (_number if random.random() < 0.5 else _flip)(random, chunks[i][1])
    elif what < 0.75:
        chunks.insert(int(random.integers(len(chunks))), chunks[i])
    elif what < 0.9:
        del chunks[i]
    else:
        names = [
            b"IHDR",
            b"PLTE",
            b"tRNS",
            b"acTL",
            b"fcTL",
            b"eXIf",
            b"iCCP",
            b"iTXt",
            b"zTXt",
            b"IDAT",
            b"IEND",
        ]
        chunks[i] = (names[int(random.integers(len(names)))], chunks[i][1])
    out = bytearray(data[:8])
    for kind, payload in chunks:
        out += (
            struct.pack(">I", len(payload))
            + kind
            + payload
            + struct.pack(">I", zlib.crc32(kind + payload))
        )
    data[:] = out


def _jpeg_segment(random: Random, data: bytearray) -> None:
    """Damage, double or drop a segment before the first scan."""
    segments, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        segments.append(data[at : at + size])
        at += size
    if not segments:
        return
    i = int(random.integers(len(segments)))
    what = random.random()
    if what < 0.6:
        body = segments[i][4:]
        (_number if random.random() < 0.5 else _flip)(random, body)
        segments[i][4:] = body
        if random.random() < 0.8:
            segments[i][2:4] = min(len(segments[i]) - 2, 0xFFFF).to_bytes(2, "big")
    elif what < 0.8:
        segments.insert(int(random.integers(len(segments))), segments[i])
    else:
        del segments[i]
    data[2:at] = b"".join(segments)


def _tiff_entry(random: Random, data: bytearray) -> None:
    """Change tag, type, count or value of an entry of the first directory."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 10:
        return
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    if first + 2 > len(data):
        return
    (count,) = struct.unpack_from(f"{order}H", data, first)
    at = first + 2 + 12 * int(random.integers(0, max(1, min(count, 40))))
    if at + 12 > len(data):
        return
    field, form = [(0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H")][int(random.integers(5))]
    if field == 0:
        tags = [
            254,
            256,
            257,
            258,
            259,
            262,
            273,
            277,
            278,
            279,
            284,
            317,
            320,
            322,
            323,
            324,
            325,
            330,
            338,
            339,
            347,
            700,
            34377,
            34665,
        ]
        value = tags[int(random.integers(len(tags)))]
    else:
        value = (
            INTERESTING[int(random.integers(len(INTERESTING)))]
            if random.random() < 0.6
            else int(random.integers(0, 20))
        )
    struct.pack_into(order + form, data, at + field, value % (1 << (16 if form == "H" else 32)))
