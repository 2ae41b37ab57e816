"""Every tag that a TIFF keeps has its type and its value before and after."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import read_photo, write_photo
from remove_objects.pipeline.images.containers.tiff import Tiff, Value
from remove_objects.pipeline.images.formats.table import encode
from remove_objects.pipeline.images.native import Sheet
from tests.support.scenes import scene
from tests.support.tiffs import (
    ASCII,
    BYTE,
    DOUBLE,
    EXIF,
    FLOAT,
    GPS,
    LONG,
    RATIONAL,
    SBYTE,
    SHORT,
    SLONG,
    SRATIONAL,
    SSHORT,
    UNDEFINED,
    Tag,
    tiff,
)

IPTC_TAG, PHOTOSHOP, PROFILE = 33723, 34377, 34675
IPTC = b"\x1c\x02\x78\0\x0bA caption. \x1c\x02\x19\0\x04tree\x1c\x02\x19\0\x03sky\0\0\0"


def wide(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


#: As exiftool, Photoshop, Lightroom, GDAL, scanners and Pillow write them.
TAGS: dict[int, Tag] = {
    269: (ASCII, b"Scan 12\0"),
    270: (ASCII, "Ein Mann in Köln\0".encode()),
    271: (ASCII, b"Canon\0"),
    282: (RATIONAL, (3000, 10)),
    283: (RATIONAL, (300, 1)),
    296: (SHORT, (2,)),
    306: (ASCII, b"2024:05:06 07:08:09\0"),
    315: (ASCII, "Jürgen Müller\0".encode()),
    318: (RATIONAL, (3127, 10000, 3290, 10000)),
    319: (RATIONAL, (64, 100, 33, 100, 30, 100, 60, 100, 15, 100, 6, 100)),
    18246: (SHORT, (4,)),
    33432: (ASCII, b"the photographer\0the editor\0"),
    33550: (DOUBLE, (1.5, 2.5, 0.0)),
    33922: (DOUBLE, (0.0, 0.0, 0.0, 400000.5, 5600000.25, 0.0)),
    PHOTOSHOP: (BYTE, b"8BIM\x04\x04\0\0\0\0\0\x04abcd"),
    PROFILE: (UNDEFINED, bytes(range(200))),
    34735: (SHORT, (1, 1, 0, 1, 1024, 0, 1, 1)),
    34737: (ASCII, b"WGS 84 / UTM zone 32N|\0"),
    40091: (BYTE, wide("Titel")),
    40092: (BYTE, wide("Kommentar ä")),
    40093: (BYTE, wide("Ich")),
    40094: (BYTE, wide("Baum; Himmel")),
    40095: (BYTE, wide("Thema")),
    65000: (BYTE, bytes(range(9))),
    65001: (ASCII, b"latin \xe9\0"),
    65002: (SHORT, (1, 2, 3)),
    65003: (LONG, (1, 2, 70000)),
    65004: (RATIONAL, (4294967295, 4294967294, 0, 0)),
    65005: (SBYTE, (-1, 2, -3)),
    65006: (UNDEFINED, b"\1\2\3"),
    65007: (SSHORT, (-5, 6)),
    65008: (SLONG, (-70000, 5)),
    65009: (SRATIONAL, (-2, 6, 0, 3)),
    65010: (FLOAT, (1.5, -2.25)),
    65011: (DOUBLE, (3.25, 1e300)),
    65012: (SLONG, (-7,)),
    65013: (ASCII, b"a\0b\0c\0"),
}
EXIF_TAGS: dict[int, Tag] = {
    33434: (RATIONAL, (10, 2500)),
    33437: (RATIONAL, (28, 10)),
    34855: (SHORT, (100,)),
    36864: (UNDEFINED, b"0230"),
    36867: (ASCII, b"2024:05:06 07:08:09\0"),
    36881: (ASCII, b"+02:00\0"),
    37121: (UNDEFINED, b"\1\2\3\0"),
    37380: (SRATIONAL, (0, 6)),
    37386: (RATIONAL, (50, 1)),
    37396: (SHORT, (10, 20, 30, 40)),
    37510: (UNDEFINED, b"ASCII\0\0\0hello"),
    40962: (LONG, (64,)),
    41728: (UNDEFINED, b"\3"),
    42034: (RATIONAL, (24, 1, 70, 1, 28, 10, 0, 0)),
    42036: (ASCII, b"EF24-70mm\0"),
}
GPS_TAGS: dict[int, Tag] = {
    0: (BYTE, bytes((2, 3, 0, 0))),
    1: (ASCII, b"N\0"),
    2: (RATIONAL, (52, 1, 31, 1, 1234, 100)),
    5: (BYTE, b"\1"),
    7: (RATIONAL, (1, 1, 2, 1, 3, 1)),
    27: (UNDEFINED, b"ASCII\0\0\0GPS"),
    29: (ASCII, b"2024:05:06\0"),
}
#: Each with its type: exiftool and Photoshop declare LONG, others bytes.
IPTC_KINDS = (LONG, UNDEFINED, BYTE)


def directories(content: bytes) -> dict[int, dict[int, tuple[int, object]]]:
    """Return types and values of the tags: of the file under 0, and of EXIF and GPS."""
    file = Tiff(io.BytesIO(content))
    found = {0: file.directory(file.first).values}
    for pointer in (EXIF, GPS):
        if pointer in found[0]:
            found[pointer] = file.directory(file.numbers(found[0][pointer])[0]).values

    def plain(tag: int, value: Value) -> tuple[int, object]:
        is_block = tag == IPTC_TAG
        return value.kind, value.content if is_block else file.numbers(value)

    return {
        group: {tag: plain(tag, value) for tag, value in values.items()}
        for group, values in found.items()
    }


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("iptc", IPTC_KINDS)
@pytest.mark.parametrize("deep", [False, True])
def test_every_tag_has_its_type_and_value_before_and_after(
    order: str, big: bool, iptc: int, deep: bool, tmp_path: Path
) -> None:
    pixels = scene(32, 40).astype(np.uint16) * 257 if deep else scene(32, 40)
    tags = {**TAGS, IPTC_TAG: (iptc, IPTC)}
    source = tiff(pixels, tags, exif=EXIF_TAGS, gps=GPS_TAGS, order=order, big=big)
    (tmp_path / "a.tif").write_bytes(source)
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.rgb, pixels)
    memory = io.BytesIO()
    encode(Sheet("RGB", photo.rgb), photo.native, memory)
    before, after = directories(source), directories(memory.getvalue())
    for group, planted in ((0, tags), (EXIF, EXIF_TAGS), (GPS, GPS_TAGS)):
        kept = {tag: after[group].get(tag) for tag in planted}
        assert kept == {tag: before[group][tag] for tag in planted}


@pytest.mark.parametrize("kind", IPTC_KINDS)
def test_captions_keywords_and_names_survive_a_removal(kind: int, tmp_path: Path) -> None:
    tags = {IPTC_TAG: (kind, IPTC), 270: TAGS[270], 315: TAGS[315]}
    (tmp_path / "a.tif").write_bytes(tiff(scene(32, 40), tags, exif=EXIF_TAGS))
    photo = read_photo(tmp_path / "a.tif")
    hole = np.zeros(photo.size, bool)
    hole[3:9, 4:12] = True
    write_photo(photo, np.full_like(photo.rgb, 9), hole, tmp_path / "o.tif")
    content = (tmp_path / "o.tif").read_bytes()
    for planted in (IPTC.rstrip(b"\0"), TAGS[270][1], TAGS[315][1], EXIF_TAGS[36867][1]):
        assert planted in content


def test_values_that_overlap_do_not_fill_the_memory() -> None:
    """Each of 4,000 tags declares the same 60 kilobytes of the file."""
    count, value = 4000, bytes(60_000)
    at = 8 + len(value)
    entries = b"".join(
        struct.pack("<HHII", 1000 + tag, UNDEFINED, len(value), 8) for tag in range(count)
    )
    table = struct.pack("<H", count) + entries + bytes(4)
    file = Tiff(io.BytesIO(b"II*\0" + struct.pack("<I", at) + value + table))
    read = sum(len(found.content) for found in file.directory(file.first).values.values())
    assert 0 < read <= at + len(table)


def test_a_turned_tiff_exchanges_its_sizes_and_densities(tmp_path: Path) -> None:
    exif = {40962: (LONG, (40,)), 40963: (LONG, (32,))}
    tags = {274: (SHORT, (6,)), 282: (RATIONAL, (300, 1)), 283: (RATIONAL, (150, 1))}
    (tmp_path / "a.tif").write_bytes(tiff(scene(32, 40), tags, exif=exif))
    photo = read_photo(tmp_path / "a.tif")
    memory = io.BytesIO()
    encode(Sheet("RGB", photo.rgb), photo.native, memory)
    after = directories(memory.getvalue())
    assert (after[EXIF][40962][1], after[EXIF][40963][1]) == ((32,), (40,))
    assert (after[0][282][1], after[0][283][1]) == ((150, 1), (300, 1))


def test_a_big_endian_bigtiff_of_several_pages_is_refused(tmp_path: Path) -> None:
    content = bytearray(tiff(scene(32, 40), {}, order=">", big=True))
    file = Tiff(io.BytesIO(content))
    page = file.directory(file.first)
    other = len(content)
    content += content[file.first :]
    content[page.link_at : page.link_at + 8] = other.to_bytes(8, "big")
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UnreadableError, match="2 pages"):
        read_photo(tmp_path / "a.tif")
