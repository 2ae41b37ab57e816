"""Orientation is applied and declared once; copies of the removed object go; the rest stays."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.images import read_photo, write_photo
from remove_objects.pipeline.images.metadata.exif_xmp import (
    bare_exif,
    orientation,
    photoshop_without_thumbnails,
    upright_exif,
    upright_xmp,
)
from remove_objects.pipeline.types import Photo
from tests.support.jpeglib import needs_jpeglib

UPRIGHT = [[1, 2, 3], [4, 5, 6]]
STORED = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[3, 6], [2, 5], [1, 4]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[4, 1], [5, 2], [6, 3]],
}
JPEG_THUMBNAIL = b"\xff\xd8\xff\xdb the removed object, small \xff\xd9"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    b'tiff:Orientation="6"><xmp:Rating>4</xmp:Rating>'
    b"<xmp:Thumbnails><rdf:Alt><rdf:li>/9j/4AAQ</rdf:li></rdf:Alt></xmp:Thumbnails>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def colours(grid: list[list[int]], scale: int = 1) -> Any:
    """A picture of flat cells, one colour per number.

    Red and green differ, so that a swap of channels shows too.
    """
    cells = np.array(grid, np.uint8)
    cells = np.kron(cells, np.ones((scale, scale), np.uint8))
    return np.stack([cells * 40, 255 - cells * 30, cells * 5], axis=-1)


def exif_block(turn: int, order: str = "<", size: tuple[int, int] = (3, 2)) -> bytes:
    """EXIF as a camera writes it.

    IFD0 (orientation, maker, sub-IFD), the sub-IFD (size, maker note), IFD1 with a thumbnail.
    """

    def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
        return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")

    def short(value: int) -> bytes:
        return struct.pack(order + "H", value)

    def long(value: int) -> bytes:
        return struct.pack(order + "I", value)

    sub_at, note_at, second_at = 8 + 2 + 3 * 12 + 4, 8 + 2 + 3 * 12 + 4 + 2 + 3 * 12 + 4, 200
    note = b"MAKER preview " + JPEG_THUMBNAIL + b" and settings"
    block = (b"II*\0" if order == "<" else b"MM\0*") + long(8)
    block += (
        short(3)
        + entry(0x010F, 2, 4, b"Cam\0")
        + entry(0x0112, 3, 1, short(turn))
        + entry(0x8769, 4, 1, long(sub_at))
        + long(second_at)
    )
    block += short(3) + entry(0xA002, 4, 1, long(size[0])) + entry(0xA003, 3, 1, short(size[1]))
    block += entry(0x927C, 7, len(note), long(note_at)) + long(0) + note
    block = block.ljust(second_at, b"\0")
    thumbnail_at = second_at + 2 + 2 * 12 + 4
    block += (
        short(2)
        + entry(0x0201, 4, 1, long(thumbnail_at))
        + entry(0x0202, 4, 1, long(len(JPEG_THUMBNAIL)))
        + long(0)
    )
    return block + JPEG_THUMBNAIL


def rewrite(source: Path, target: Path, *, keep_all: bool = False) -> Photo:
    photo = read_photo(source)
    write_photo(photo, photo.rgb, np.zeros(photo.size, bool), target, keep_all=keep_all)
    return read_photo(target)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_orientation_is_applied_once(turn: int, suffix: str, tmp_path: Path) -> None:
    source, target = tmp_path / f"s.{suffix}", tmp_path / f"o.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(colours(STORED[turn])).save(source, exif=exif, **options)
    photo = read_photo(source)
    np.testing.assert_array_equal(photo.rgb, colours(UPRIGHT))
    after = rewrite(source, target)
    np.testing.assert_array_equal(after.rgb, colours(UPRIGHT))
    with Image.open(target) as new:
        assert new.size == (3, 2)
        assert new.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("turn", range(1, 9))
def test_alpha_and_own_bands_turn_with_the_picture(turn: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    stored = np.array(STORED[turn], np.uint8)
    Image.fromarray(np.dstack([stored * 9, stored * 31])).save(tmp_path / "la.png", exif=exif)
    alpha = read_photo(tmp_path / "la.png").alpha
    np.testing.assert_array_equal(alpha, np.array(UPRIGHT) * 31)
    Image.fromarray(np.dstack([stored, stored * 2, stored * 3, stored * 4]), "CMYK").save(
        tmp_path / "c.tif", exif=exif
    )
    after = rewrite(tmp_path / "c.tif", tmp_path / "o.tif")
    np.testing.assert_array_equal(after.native.layout.bands[..., 3], np.array(UPRIGHT) * 4)


@pytest.fixture
def no_coefficients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Act as if jpeglib were not installed: every JPEG is encoded anew."""
    from remove_objects.pipeline.images.dct import splice

    monkeypatch.setattr(splice.importlib.util, "find_spec", lambda name: None)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.usefixtures("no_coefficients")
def test_a_turned_jpeg_that_is_encoded_anew_comes_back_upright_and_close(
    turn: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(colours(STORED[turn], 16)).save(
        tmp_path / "s.jpg", exif=exif, quality=92, subsampling=1
    )
    after = rewrite(tmp_path / "s.jpg", tmp_path / "o.jpg")
    assert np.abs(after.rgb.astype(int) - colours(UPRIGHT, 16)).mean() < 2
    with Image.open(tmp_path / "o.jpg") as new:
        assert (new.size, new.getexif()[0x0112]) == ((48, 32), 1)


@needs_jpeglib
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_jpeg_keeps_its_stored_pixels_and_declares_its_orientation_once(
    turn: int, tmp_path: Path
) -> None:
    source, target = tmp_path / "s.jpg", tmp_path / "o.jpg"
    stored = Image.fromarray(colours(STORED[turn], 16))
    stored.save(source, exif=b"Exif\0\0" + exif_block(turn, size=(9, 9)), quality=92, subsampling=1)
    before, after = read_photo(source), rewrite(source, target)
    np.testing.assert_array_equal(after.rgb, before.rgb)
    with Image.open(source) as old, Image.open(target) as new:
        np.testing.assert_array_equal(np.asarray(new), np.asarray(old))
        assert (new.size, new.getexif()[0x0112]) == (stored.size, turn)
        inner = new.getexif().get_ifd(0x8769)
        assert (inner[0xA002], inner[0xA003]) == stored.size


@needs_jpeglib
@pytest.mark.parametrize("keep_all", [False, True])
def test_a_turned_jpeg_whose_exif_is_damaged_still_declares_its_orientation(
    keep_all: bool, tmp_path: Path
) -> None:
    block = bytearray(exif_block(6))
    block[8 + 2 + 2 * 12 + 8 : 8 + 2 + 3 * 12] = struct.pack(
        "<I", 10_000_000
    )  # the inner directory's offset is far behind the end
    Image.fromarray(colours(STORED[6], 16)).save(
        tmp_path / "s.jpg", exif=b"Exif\0\0" + bytes(block)
    )
    photo = read_photo(tmp_path / "s.jpg")
    nothing = np.zeros(photo.size, bool)
    result = write_photo(photo, photo.rgb, nothing, tmp_path / "o.jpg", keep_all=keep_all)
    np.testing.assert_array_equal(read_photo(tmp_path / "o.jpg").rgb, photo.rgb)
    with Image.open(tmp_path / "o.jpg") as new:
        exif = dict(new.getexif())
    if keep_all:
        assert result.about_metadata == ("its EXIF is damaged: the cleaned file has none",)
        assert exif == {0x0112: 6}
    else:  # the directory that can be read is rebuilt
        assert exif == {0x0112: 6, 0x010F: "Cam"}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [pytest.param("jpg", marks=needs_jpeglib), "png", "webp"])
@pytest.mark.parametrize("keep_all", [False, True])
def test_thumbnails_are_gone_and_the_rest_of_exif_stays(
    order: str, suffix: str, keep_all: bool, tmp_path: Path
) -> None:
    source, target = tmp_path / f"s.{suffix}", tmp_path / f"o.{suffix}"
    Image.fromarray(colours(STORED[6], 16)).save(
        source, exif=b"Exif\0\0" + exif_block(6, order, (32, 48))
    )
    assert source.read_bytes().count(JPEG_THUMBNAIL) == 2
    rewrite(source, target, keep_all=keep_all)
    assert b"removed object" not in target.read_bytes()
    assert (b"and settings" in target.read_bytes()) is keep_all  # the maker note
    with Image.open(target) as new:
        exif = new.getexif()
        assert (exif[0x010F], exif[0x0112]) == ("Cam", 6 if suffix == "jpg" else 1)
        assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == new.size


def test_upright_exif_changes_only_what_must_change() -> None:
    before = exif_block(8)
    after = upright_exif(before, (3, 2))
    assert after is not None
    assert len(after) == len(before) - len(JPEG_THUMBNAIL)
    changed = {i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b}
    note = before.index(JPEG_THUMBNAIL)
    expected = set(range(note, note + len(JPEG_THUMBNAIL))) | {
        8 + 2 + 12 + 8,
        *range(46, 50),
        *range(52 + 8, 52 + 28),
    }
    assert changed <= expected
    assert orientation(after, None) == 1


@pytest.mark.parametrize("cut", range(0, 160, 7))
def test_damaged_exif_never_raises(cut: int) -> None:
    block = exif_block(6)
    for damaged in (block[:cut], block[:cut] + b"\xff" * 8 + block[cut + 8 :]):
        assert 1 <= orientation(damaged, None) <= 8
        result = upright_exif(damaged, (2, 3))
        assert result is None or JPEG_THUMBNAIL not in result


@pytest.mark.parametrize(
    ("exif", "xmp", "expected"),
    [
        (None, None, 1),
        (exif_block(6), None, 6),
        (exif_block(3), XMP, 3),  # EXIF wins
        (exif_block(9), XMP, 1),  # and an invalid value is ignored
        (None, XMP, 6),
        (b"rubbish", XMP, 6),
        (None, b"<tiff:Orientation>8</tiff:Orientation>", 8),
    ],
)
def test_orientation_sources(exif: bytes | None, xmp: bytes | None, expected: int) -> None:
    assert orientation(exif, xmp) == expected


@pytest.mark.parametrize("suffix", [pytest.param("jpg", marks=needs_jpeglib), "png", "webp"])
@pytest.mark.parametrize("keep_all", [False, True])
def test_orientation_in_xmp_is_applied_and_declared_once(
    suffix: str, keep_all: bool, tmp_path: Path
) -> None:
    source, target = tmp_path / f"s.{suffix}", tmp_path / f"o.{suffix}"
    image = Image.fromarray(colours(STORED[6], 16))
    if suffix == "png":
        from PIL import PngImagePlugin

        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        image.save(source, pnginfo=text)
    else:
        image.save(source, xmp=XMP, **({"lossless": True} if suffix == "webp" else {}))
    assert read_photo(source).size == (32, 48)
    assert rewrite(source, target, keep_all=keep_all).size == (32, 48)
    written = target.read_bytes()
    turn = b"6" if suffix == "jpg" else b"1"
    assert re.findall(rb"tiff:Orientation(?:=\"|>)([0-9])", written) == [turn]
    assert b"<xmp:Rating>4" in written
    assert b"Thumbnails" not in written
    assert rewrite(target, tmp_path / f"again.{suffix}").size == (32, 48)


def test_imagemagick_exif_in_png_text_is_applied_and_replaced(tmp_path: Path) -> None:
    from PIL import PngImagePlugin

    text = PngImagePlugin.PngInfo()
    block = exif_block(6)
    text.add_text("Raw profile type exif", f"\nexif\n{len(block)}\n{block.hex()}\n")
    Image.fromarray(colours(STORED[6])).save(tmp_path / "s.png", pnginfo=text)
    after = rewrite(tmp_path / "s.png", tmp_path / "o.png")
    np.testing.assert_array_equal(after.rgb, colours(UPRIGHT))
    assert b"Raw profile" not in (tmp_path / "o.png").read_bytes()
    with Image.open(tmp_path / "o.png") as new:
        assert new.getexif()[0x010F] == "Cam"


@pytest.mark.parametrize(
    "what",
    [
        b'hdrgm:Version="1.0"',
        b'GCamera:MicroVideo="1"',
        b"<Container:Directory>",
        b"GDepth:Format='x'",
    ],
)
def test_xmp_that_describes_a_second_picture_is_dropped(what: bytes) -> None:
    assert upright_xmp(b"<x " + what + b">") is None


def test_a_jpeg_with_a_second_picture_gives_its_first_and_a_warning(tmp_path: Path) -> None:
    first, second = (Image.fromarray(colours(UPRIGHT, s)) for s in (16, 8))
    first.save(tmp_path / "s.jpg", "MPO", save_all=True, append_images=[second])
    photo = read_photo(tmp_path / "s.jpg")
    assert photo.size == (32, 48)
    assert any("further pictures" in warning for warning in photo.warnings)
    assert rewrite(tmp_path / "s.jpg", tmp_path / "o.jpg").warnings == ()
    assert (tmp_path / "o.jpg").read_bytes().count(b"\xff\xd8\xff") == 1


def resource(number: int, data: bytes, name: bytes = b"") -> bytes:
    title = bytes([len(name)]) + name
    title += b"\0" * (len(title) % 2)
    return (
        b"8BIM"
        + struct.pack(">H", number)
        + title
        + struct.pack(">I", len(data))
        + data
        + b"\0" * (len(data) % 2)
    )


def test_photoshop_thumbnails_are_cut_out() -> None:
    caption, resolution = resource(1028, b"IPTC"), resource(1005, b"odd length:", b"name")
    assert (
        photoshop_without_thumbnails(
            caption + resource(1036, b"JPEG") + resolution + resource(1033, b"old")
        )
        == caption + resolution
    )
    assert photoshop_without_thumbnails(b"8BIM") is None
    assert photoshop_without_thumbnails(caption + b"garbage of some length") is None


def test_iptc_in_a_jpeg_stays_and_its_photoshop_thumbnail_goes(tmp_path: Path) -> None:
    caption = struct.pack(">BBBH", 0x1C, 2, 120, 9) + b"a caption"
    payload = b"Photoshop 3.0\0" + resource(1028, caption) + resource(1036, JPEG_THUMBNAIL)
    segment = b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload
    Image.fromarray(colours(UPRIGHT, 16)).save(tmp_path / "s.jpg", extra=segment)
    rewrite(tmp_path / "s.jpg", tmp_path / "o.jpg")
    written = (tmp_path / "o.jpg").read_bytes()
    assert b"a caption" in written
    assert b"removed object" not in written


def large_profile() -> bytes:
    """A grey profile whose curve takes 180 KB, more than two segments of a JPEG."""
    curve = (
        struct.pack(">4s4xI", b"curv", 90_000)
        + np.linspace(0, 65535, 90_000).astype(">u2").tobytes()
    )
    head = bytearray(128)
    struct.pack_into(">I", head, 0, 128 + 16 + len(curve))
    head[36:40] = b"acsp"
    return bytes(head) + struct.pack(">I4sII", 1, b"kTRC", 144, len(curve)) + curve


def test_a_large_profile_is_split_and_kept(tmp_path: Path) -> None:
    profile = large_profile()
    Image.fromarray(colours(UPRIGHT, 16)).save(tmp_path / "s.jpg", icc_profile=profile)
    rewrite(tmp_path / "s.jpg", tmp_path / "o.jpg")
    with Image.open(tmp_path / "o.jpg") as new:
        assert new.info["icc_profile"] == profile


@pytest.mark.parametrize("suffix", ["avif", "heic"])
def test_phone_formats_keep_exif_and_turn_once(suffix: str, tmp_path: Path) -> None:
    source, target = tmp_path / f"s.{suffix}", tmp_path / f"o.{suffix}"
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Cam"
    image = Image.fromarray(colours(STORED[6], 32))
    if suffix == "heic":
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(image).save(source, quality=95, exif=exif.tobytes())
    else:
        image.save(source, quality=95, exif=exif)
    first, second = read_photo(source), rewrite(source, target)
    assert first.size == second.size
    assert np.abs(first.rgb.astype(int) - second.rgb).mean() < 4
    assert b"Cam" in target.read_bytes()
    if suffix == "avif":
        assert np.abs(first.rgb.astype(int) - colours(UPRIGHT, 32)).mean() < 6


def test_bare_exif() -> None:
    assert bare_exif(None) is bare_exif(b"") is bare_exif(b"Exif\0\0") is None
    assert bare_exif(b"Exif\0\0II") == bare_exif(b"II") == b"II"
