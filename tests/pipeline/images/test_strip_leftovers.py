"""``--strip-metadata`` leaves no room, not in a chunk, box or tag that the picture needs, either.

Each case plants a secret beside or within such a part; photos with and without a hole lose it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from remove_objects.pipeline.images import read_photo, strip_photo, write_photo
from remove_objects.pipeline.images.containers import bmff_rebuild as bmff
from remove_objects.pipeline.images.metadata.icc import plain_profile
from tests.support.planted import ICC, pillow_heif, unpacked
from tests.support.plantings.containers import (
    bmff_box,
    private_profile,
    riff_chunk,
    with_longer_mdat,
    with_meta,
    with_png_chunk,
    with_riff_chunks,
)
from tests.support.scenes import scene

SECRET = b"Planted-Secret-4711"


def picture(format: str, **options: object) -> bytes:
    """A file of a scene."""
    memory = BytesIO()
    Image.fromarray(scene()).save(memory, format, **options)
    return memory.getvalue()


def heic() -> bytes:
    memory = BytesIO()
    pillow_heif.from_pillow(Image.fromarray(scene())).save(memory, quality=80)
    return memory.getvalue()


BMFF: dict[str, Callable[[bytes], bytes]] = {
    "a free box": lambda c: c + bmff_box(b"free", SECRET),
    "a skip box": lambda c: c + bmff_box(b"skip", SECRET),
    "a free box inside": lambda c: with_meta(c, (), lambda b: b + bmff_box(b"free", SECRET)),
    "a description": lambda c: with_meta(
        c, (b"iprp", b"ipco"), lambda b: b + bmff_box(b"udes", bytes(4) + SECRET + bytes(4))
    ),
    "the handler's name": lambda c: with_meta(c, (b"hdlr",), lambda b: b[:24] + SECRET + b"\0"),
    "the samples' box": lambda c: with_longer_mdat(c, SECRET),
    "a long property": lambda c: with_meta(c, (b"iprp", b"ipco", b"ispe"), lambda b: b + SECRET),
    "brands": lambda c: c.replace(b"mif1", SECRET[:4], 1),
}


def tiff_with(tag: int, kind: int, value: object) -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[tag] = kind
    tags[tag] = value
    return picture("TIFF", tiffinfo=tags)


OTHERS: dict[str, Callable[[], tuple[str, bytes]]] = {
    "a long gamma": lambda: (
        "png",
        with_png_chunk(picture("PNG"), b"gAMA", struct.pack(">I", 45455) + SECRET),
    ),
    "long significant bits": lambda: (
        "png",
        with_png_chunk(picture("PNG"), b"sBIT", b"\x08\x08\x08" + SECRET),
    ),
    "light levels": lambda: ("png", with_png_chunk(picture("PNG"), b"cLLI", bytes(8) + SECRET)),
    "primary chromaticities": lambda: ("tif", tiff_with(319, 7, SECRET)),
    "a dot range": lambda: ("tif", tiff_with(336, 1, SECRET)),
    "a dot range of text": lambda: ("tif", tiff_with(336, 2, SECRET.decode())),
    "a resolution unit": lambda: ("tif", tiff_with(296, 2, SECRET.decode())),
    "a second picture": lambda: (
        "webp",
        with_riff_chunks(picture("WEBP"), behind=riff_chunk(b"VP8 ", SECRET)),
    ),
    "a profile that the header does not name": lambda: (
        "webp",
        with_riff_chunks(picture("WEBP"), behind=riff_chunk(b"ICCP", SECRET)),
    ),
    "a profile in JPEG": lambda: ("jpg", picture("JPEG", icc_profile=private_profile(SECRET))),
    "a profile in PNG": lambda: ("png", picture("PNG", icc_profile=private_profile(SECRET))),
    "a profile in TIFF": lambda: ("tif", picture("TIFF", icc_profile=private_profile(SECRET))),
    "a profile in WebP": lambda: ("webp", picture("WEBP", icc_profile=private_profile(SECRET))),
    "a profile in AVIF": lambda: ("avif", picture("AVIF", icc_profile=private_profile(SECRET))),
}


def in_bmff(case: str) -> tuple[str, bytes]:
    name, _, format = case.partition(" in ")
    return (format, BMFF[name](picture("AVIF") if format == "avif" else heic()))


CASES = [*OTHERS, *(f"{name} in {format}" for name in BMFF for format in ("avif", "heic"))]


def secrets_in(path: Path) -> bool:
    content = unpacked(path.read_bytes())
    return SECRET in content or SECRET[:4] in content


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("unchanged", [True, False])
def test_nothing_is_left_beside_what_the_picture_needs(
    case: str, unchanged: bool, tmp_path: Path
) -> None:
    if case.endswith("heic") and pillow_heif is None:
        pytest.skip("HEIC needs the package pillow-heif")
    suffix, content = OTHERS[case]() if case in OTHERS else in_bmff(case)
    source, target = tmp_path / f"s.{suffix}", tmp_path / f"o.{suffix}"
    source.write_bytes(content)
    assert secrets_in(source)
    photo = read_photo(source)
    if unchanged:
        strip_photo(photo, source, target)
        np.testing.assert_array_equal(read_photo(target).rgb, photo.rgb)
    else:
        hole = np.zeros(photo.size, bool)
        hole[40:70, 60:80] = True
        write_photo(photo, np.full_like(photo.rgb, 120), hole, target, strip=True)
    assert not secrets_in(target)


def test_tags_that_define_pixels_stay(tmp_path: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    primaries = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
    tags[318], tags[319], tags[282], tags[283] = (0.3127, 0.329), primaries, 240, 240
    Image.fromarray(scene()).save(tmp_path / "s.tif", tiffinfo=tags, icc_profile=ICC)
    strip_photo(read_photo(tmp_path / "s.tif"), tmp_path / "s.tif", tmp_path / "o.tif")
    with Image.open(tmp_path / "o.tif") as new:
        found = new.tag_v2  # type: ignore[attr-defined]
        assert found[319] == pytest.approx(primaries)
        assert found[318] == pytest.approx((0.3127, 0.329))
        assert (found[282], found[34675]) == (240, ICC)


def test_an_ordinary_profile_passes_and_a_private_one_loses_what_is_private() -> None:
    assert plain_profile(ICC) == ICC
    plain = plain_profile(private_profile(SECRET))
    assert plain is not None
    assert SECRET not in plain
    assert plain_profile(plain) == plain
    assert Image.open(BytesIO(picture("PNG", icc_profile=plain))).info["icc_profile"] == plain


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_a_grid_of_tiles_and_an_alpha_channel_stay(format: str, tmp_path: Path) -> None:
    if format == "HEIF" and pillow_heif is None:
        pytest.skip("HEIC needs the package pillow-heif")
    name = f"s.{'avif' if format == 'AVIF' else 'heic'}"
    whole = scene(128, 128)
    alpha = Image.fromarray(np.dstack([whole, whole[..., 0]]))
    for content in (grid(whole, format), encoded(alpha, format)):
        (tmp_path / name).write_bytes(content)
        photo = read_photo(tmp_path / name)
        strip_photo(photo, tmp_path / name, tmp_path / f"o{name}")  # compares the pixels
        assert (read_photo(tmp_path / f"o{name}").alpha is None) == (photo.alpha is None)


def encoded(image: Image.Image, format: str) -> bytes:
    memory = BytesIO()
    image.save(memory, format, quality=80)
    return memory.getvalue()


def grid(whole: np.ndarray, format: str) -> bytes:
    """A picture of four tiles, as phones write them."""
    tiles = []
    brands = b""
    for y, x in ((0, 0), (0, 64), (64, 0), (64, 64)):
        content = encoded(Image.fromarray(whole[y : y + 64, x : x + 64]), format)
        boxes = list(bmff._boxes(content))
        inside = {b.type: b.body for b in bmff._boxes(bmff._first(boxes, b"meta")[4:])}
        tile = bmff._items(content, inside, plain_profile)[
            int.from_bytes(inside[b"pitm"][4:], "big")
        ]
        tile.hidden = True
        tiles.append(tile)
        brands = bmff._brands(boxes)
    size = bmff.Box(b"ispe", struct.pack(">III", 0, *reversed(whole.shape[:2])))
    properties = [(False, size)] + [p for p in tiles[0].properties if p[1].type == b"pixi"]
    data = struct.pack(">BBBBHH", 0, 0, 1, 1, *reversed(whole.shape[:2]))
    first = bmff._Item(b"grid", data=data, properties=properties)
    items = dict(enumerate([first, *tiles], 1))
    return bmff._written(brands, items, [bmff._Reference(b"dimg", 1, (2, 3, 4, 5))], 1, None)
