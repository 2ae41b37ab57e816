"""Faults that cost no pixel are read with a warning; those that do are refused with their cause."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import SaveOptions, read_photo, save_outcome, write_photo
from remove_objects.pipeline.types import Outcome, Photo, Status
from tests.support.scenes import scene


def encoded(format: str, **options: object) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(scene(48, 64)).save(memory, format, **options)
    return memory.getvalue()


def read(content: bytes, tmp_path: Path) -> Photo:
    (tmp_path / "a.img").write_bytes(content)
    return read_photo(tmp_path / "a.img")


def cleaned(photo: Photo, target: Path) -> Path:
    hole = np.zeros(photo.size, bool)
    hole[4:20, 6:30] = True
    write_photo(photo, np.full_like(photo.rgb, 90), hole, target)
    return target


def chunk(name: bytes, payload: bytes, checksum: int | None = None) -> bytes:
    sum_ = zlib.crc32(name + payload) if checksum is None else checksum
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", sum_)


def png_with(extra: bytes) -> bytes:
    png = encoded("PNG")
    return png[:33] + extra + png[33:]


@pytest.mark.parametrize("name", [b"tEXt", b"iCCP", b"eXIf", b"gAMA", b"pHYs", b"tIME", b"zzZz"])
def test_a_png_is_read_without_a_chunk_of_a_wrong_checksum(name: bytes, tmp_path: Path) -> None:
    photo = read(png_with(chunk(name, b"Comment\0hello", 1)), tmp_path)
    np.testing.assert_array_equal(photo.rgb, scene(48, 64))
    assert len(photo.warnings) == 1
    assert name.decode() in photo.warnings[0]
    target = cleaned(photo, tmp_path / "o.png")
    assert name not in target.read_bytes()
    assert read_photo(target).warnings == ()


def test_a_colour_profile_that_is_proved_whole_stays(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    payload = b"icc\0\0" + zlib.compress(profile)
    photo = read(png_with(chunk(b"iCCP", payload, 1)), tmp_path)
    assert "its content is whole" in photo.warnings[0]
    with Image.open(cleaned(photo, tmp_path / "o.png")) as new:
        assert new.info["icc_profile"] == profile
    cut = read(png_with(chunk(b"iCCP", payload[:-40] + bytes(40), 1)), tmp_path)
    assert "does without it" in cut.warnings[0]


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT", b"tRNS"])
def test_a_png_whose_pixels_may_be_damaged_is_refused_with_the_cause(
    name: bytes, tmp_path: Path
) -> None:
    png = png_with(chunk(b"tRNS", bytes(6)))
    at = png.index(name)
    end = at + 4 + int.from_bytes(png[at - 4 : at], "big")
    with pytest.raises(UnreadableError, match=f"checksum of its chunk {name.decode()} is wrong"):
        read(png[:end] + b"\1\2\3\4" + png[end + 4 :], tmp_path)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("restart", [0, 3])
def test_a_jpeg_that_lacks_only_its_end_is_read_and_gets_one(
    lost: int, progressive: bool, restart: int, tmp_path: Path
) -> None:
    restarts = {"restart_marker_blocks": restart} if restart else {}
    whole = encoded("JPEG", quality=90, progressive=progressive, **restarts)
    expected = read(whole, tmp_path).rgb
    photo = read(whole[:-lost], tmp_path)
    np.testing.assert_array_equal(photo.rgb, expected)
    assert photo.warnings == ("its end marker was missing, and no pixel",)
    target = cleaned(photo, tmp_path / "o.jpg")
    assert target.read_bytes().endswith(b"\xff\xd9")
    assert read_photo(target).warnings == ()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.6, 0.7, 0.9, 0.99])
def test_a_jpeg_that_lacks_pixels_is_refused_with_the_cause(
    share: float, progressive: bool, tmp_path: Path
) -> None:
    whole = encoded("JPEG", quality=90, progressive=progressive)
    with pytest.raises(UnreadableError, match="ends before its last pixel"):
        read(whole[: int(len(whole) * share)], tmp_path)


def test_a_jpeg_that_lacks_its_last_bytes_is_refused(tmp_path: Path) -> None:
    """The last block alone is missing, or a part of it."""
    whole = encoded("JPEG", quality=90)
    for lost in range(3, 12):
        with pytest.raises(UnreadableError, match="ends before its last pixel"):
            read(whole[:-lost], tmp_path)


def test_a_progressive_jpeg_that_lacks_whole_scans_is_refused(tmp_path: Path) -> None:
    whole = encoded("JPEG", quality=90, progressive=True)
    starts = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    for start in starts[1:]:
        with pytest.raises(UnreadableError, match="ends before its last pixel"):
            read(whole[:start], tmp_path)


def sized(webp: bytes, size: int) -> bytes:
    return webp[:4] + struct.pack("<I", size) + webp[8:]


@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_with_a_wrong_size_is_read_whole(lossless: bool, tmp_path: Path) -> None:
    webp = encoded("WEBP", lossless=lossless, quality=90)
    expected = read(webp, tmp_path).rgb
    for size in (0, len(webp) - 30, len(webp) - 7, len(webp) + 500, 0xFFFFFFFF):
        photo = read(sized(webp, size), tmp_path)
        np.testing.assert_array_equal(photo.rgb, expected)
        assert len(photo.warnings) == 1
        assert read_photo(cleaned(photo, tmp_path / "o.webp")).warnings == ()


def test_a_webp_whose_last_metadata_is_cut_off_is_read_without_it(tmp_path: Path) -> None:
    webp = encoded("WEBP", lossless=True, xmp=b"<x:xmpmeta/>" * 9)
    photo = read(webp[:-20], tmp_path)
    np.testing.assert_array_equal(photo.rgb, scene(48, 64))
    with pytest.raises(UnreadableError):
        read(webp[: len(webp) // 3], tmp_path)


def test_small_faults_of_other_formats_cost_nothing(tmp_path: Path) -> None:
    gif, bmp = encoded("GIF"), encoded("BMP")
    for content in (gif[:-1], gif + b"rubbish" * 9, sized(bmp, 7)[:2] + bytes(4) + bmp[6:]):
        assert read(content, tmp_path).size == (48, 64)


@pytest.mark.parametrize("link", [1, 3, 100, 1 << 30])
def test_a_tiff_whose_list_of_pages_leads_nowhere_is_read(link: int, tmp_path: Path) -> None:
    tiff = encoded("TIFF")
    (at,) = struct.unpack_from("<I", tiff, 4)
    at += 2 + 12 * struct.unpack_from("<H", tiff, at)[0]
    photo = read(tiff[:at] + struct.pack("<I", link) + tiff[at + 4 :], tmp_path)
    np.testing.assert_array_equal(photo.rgb, scene(48, 64))
    assert photo.warnings == ("its list of pages leads to nothing: the pages before are read",)


def test_an_unchanged_photo_with_a_small_fault_is_copied_byte_for_byte(tmp_path: Path) -> None:
    content = encoded("JPEG")[:-2]
    photo = read(content, tmp_path)
    saved = save_outcome(
        photo, Outcome(Status.UNCHANGED, "nothing"), tmp_path / "o.jpg", SaveOptions()
    )
    assert saved.path.read_bytes() == content
