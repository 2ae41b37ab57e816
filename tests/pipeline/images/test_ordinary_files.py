"""Every tag of an ordinary camera's, phone's and program's file is in the cleaned photo."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.images import read_photo, write_photo
from remove_objects.pipeline.images.containers.jpeg import parse
from tests.support.ordinary import FILES, Ordinary, block_of, properties_of, records_of, tags_of
from tests.support.planted import ICC, pillow_heif

TABLE = Path(__file__).parents[3] / "docs" / "reliability.md"
BLOCKS = ("EXIF", "GPS", "XMP", "IPTC", "texts")
TITLES = {
    "jpg": "JPEG",
    "tif": "TIFF",
    "png": "PNG",
    "webp": "WebP",
    "avif": "AVIF",
    "heic": "HEIC",
}


def cleaned(content: bytes, ending: str, folder: Path) -> bytes:
    """The file of a photo with a hole."""
    (folder / f"s.{ending}").write_bytes(content)
    photo = read_photo(folder / f"s.{ending}")
    hole = np.zeros(photo.size, bool)
    hole[40:70, 60:80] = True
    write_photo(photo, np.full_like(photo.rgb, 120), hole, folder / f"o.{ending}")
    return (folder / f"o.{ending}").read_bytes()


def exif_of(content: bytes, ending: str) -> bytes:
    """EXIF from its header on; a TIFF is EXIF of its own."""
    if ending == "tif":
        return content
    with Image.open(BytesIO(content)) as image:
        return bytes(image.info["exif"]).removeprefix(b"Exif\0\0")


def xmp_of(content: bytes) -> bytes:
    start = content.index(b"<x:xmpmeta")
    return content[start : content.index(b"</x:xmpmeta>") + 12]


def iptc_of(content: bytes, ending: str) -> bytes:
    if ending == "tif":
        return block_of(content, 33723)
    block = parse(content).first(0xED, b"Photoshop 3.0\0") or b""
    at = block.index(b"8BIM\x04\x04") + 12
    return block[at : at + int.from_bytes(block[at - 4 : at], "big")]


def parts(file: Ordinary, ending: str, content: bytes) -> dict[str, Counter[object]]:
    """Everything that a file says: its tags, properties, records and texts, each with its value."""
    tags = tags_of(exif_of(content, ending))
    found: dict[str, Counter[object]] = {
        "EXIF": Counter(item for item in tags.items() if item[0][0] != "GPS"),
        "GPS": Counter(item for item in tags.items() if item[0][0] == "GPS"),
    }
    if file.properties:
        found["XMP"] = Counter(properties_of(xmp_of(content)))
    if file.iptc and ending in ("jpg", "tif"):
        found["IPTC"] = Counter(records_of(iptc_of(content, ending)))
    with Image.open(BytesIO(content)) as image:
        assert image.info["icc_profile"] == ICC
        if ending == "png":
            texts = image.text.items()  # type: ignore[attr-defined]
            found["texts"] = Counter(item for item in texts if item[0] in file.texts)
    return found


@pytest.mark.parametrize(
    ("file", "ending", "write"), FILES, ids=[f"{f.name} {ending}" for f, ending, _ in FILES]
)
def test_every_tag_of_an_ordinary_file_stays(
    file: Ordinary, ending: str, write: object, tmp_path: Path
) -> None:
    if ending == "heic" and pillow_heif is None:
        pytest.skip("HEIC needs the package pillow-heif")
    assert callable(write)
    before = write(file)
    old, new = (
        parts(file, ending, content) for content in (before, cleaned(before, ending, tmp_path))
    )
    assert {name: list((old[name] - new[name]).elements()) for name in old} == {n: [] for n in old}
    counts = " | ".join(str(old[name].total() if name in old else 0) for name in BLOCKS)
    row = f"| {file.name} | {TITLES[ending]} | {counts} |"
    assert row in TABLE.read_text(encoding="utf-8")
