"""Cameras' RAW files are developed as the camera saw them, and written as TIFF or JPEG."""

from __future__ import annotations

import io
import re
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import SaveOptions, read_photo, save_outcome, write_photo
from remove_objects.pipeline.images import read as in_this_process
from remove_objects.pipeline.images.containers.raw_exif import camera_exif, camera_xmp
from remove_objects.pipeline.images.containers.tiff import Tiff
from remove_objects.pipeline.images.formats import raw
from remove_objects.pipeline.system.extras import install_command
from remove_objects.pipeline.types import Outcome, Photo, Status
from tests.support import raws, tiffs
from tests.support.raws import dng, needs_rawpy
from tests.support.scenes import scene

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def smooth() -> np.ndarray:
    return cv2.GaussianBlur(scene(96, 128), (0, 0), 3)


def read(content: bytes, tmp_path: Path) -> Photo:
    (tmp_path / "IMG_1.DNG").write_bytes(content)
    return read_photo(tmp_path / "IMG_1.DNG")


def clean(photo: Photo, target: Path, **options: str) -> Path:
    hole = np.zeros(photo.size, bool)
    hole[8:30, 10:40] = True
    return write_photo(photo, np.full_like(photo.rgb, 30000), hole, target, **options).path


@needs_rawpy
def test_a_raw_is_developed_with_the_cameras_white_balance_in_full_size(tmp_path: Path) -> None:
    grey = np.full((96, 128, 3), 90, np.uint8)
    grey[:, 64:] = 200
    photo = read(dng(grey), tmp_path)
    assert (photo.size, photo.rgb.dtype, photo.warnings) == ((96, 128), np.uint16, ())
    inner = photo.rgb[8:-8, 8:56].astype(int)
    assert np.ptp(inner, axis=2).max() < 0.02 * 65535  # grey stays grey
    assert photo.rgb[:, 72:].mean() > 1.5 * inner.mean()


@needs_rawpy
@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_raw_is_upright(turn: int, tmp_path: Path) -> None:
    lying = smooth()
    lying[:24, :32] = 255
    photo = read(dng(lying, turn), tmp_path)
    height, width = (96, 128) if turn in (1, 3) else (128, 96)
    assert photo.size == (height, width)
    corner = {1: (0, 0), 3: (1, 1), 6: (0, 1), 8: (1, 0)}[turn]
    rows = slice(-16, None) if corner[0] else slice(16)
    columns = slice(-16, None) if corner[1] else slice(16)
    assert photo.rgb[rows, columns].min() > 60000
    target = clean(photo, tmp_path / "o.dng", raw_output="jpeg")
    with Image.open(target) as new:
        assert new.size == (width, height)
        assert new.getexif().get(274) == 1


@needs_rawpy
@pytest.mark.parametrize(("output", "ending"), [("tiff", ".tif"), ("jpeg", ".jpg")])
def test_a_cleaned_raw_is_a_tiff_or_jpeg_with_its_metadata(
    output: str, ending: str, tmp_path: Path
) -> None:
    photo = read(dng(smooth(), 6), tmp_path)
    target = clean(photo, tmp_path / "out" / "IMG_1.DNG", raw_output=output)
    assert target == tmp_path / "out" / f"IMG_1.DNG{ending}"
    again = read_photo(target)
    assert again.native.format == {"tiff": "TIFF", "jpeg": "JPEG"}[output]
    if output == "tiff":
        assert again.rgb.dtype == np.uint16
        np.testing.assert_array_equal(again.rgb[40:], photo.rgb[40:])
    else:
        assert np.abs(again.rgb[48:].astype(int) - raw.to_8_bits(photo.rgb)[48:]).mean() < 2
    with Image.open(target) as new:
        exif = new.getexif()
        inner, place = exif.get_ifd(34665), exif.get_ifd(34853)
        assert (exif[271], exif[272]) == ("Maker", "Model 1")
        assert (exif[306], exif[33432]) == ("2024:05:06 07:08:09", "All rights")
        assert (inner[36867], inner[34855]) == ("2024:05:06 07:08:09", 400)
        assert (float(inner[33434]), float(inner[33437])) == (1 / 250, 2.8)
        assert inner[42036] == "A lens 50mm"
        assert (place[1], [float(n) for n in place[2]]) == ("N", [52, 31, 12])
        assert new.info["icc_profile"]
    assert "Jürgen".encode() in target.read_bytes()
    assert b"a maker note" not in target.read_bytes()


@needs_rawpy
def test_an_unchanged_raw_is_copied_and_without_its_metadata_developed(tmp_path: Path) -> None:
    content = dng(smooth())
    photo = read(content, tmp_path)
    outcome = Outcome(Status.UNCHANGED, "nothing")
    saved = save_outcome(photo, outcome, tmp_path / "o.dng", SaveOptions())
    assert saved.path == tmp_path / "o.dng"
    assert saved.path.read_bytes() == content
    stripped = save_outcome(photo, outcome, tmp_path / "p.dng", SaveOptions(strip=True))
    assert stripped.path == tmp_path / "p.dng.tif"
    np.testing.assert_array_equal(read_photo(stripped.path).rgb, photo.rgb)
    for secret in (b"2024:05:06", b"Model 1", b"All rights"):
        assert secret not in stripped.path.read_bytes()


@needs_rawpy
def test_a_damaged_raw_is_refused_with_the_cause(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    strip = raws.mosaic(smooth()).tobytes()
    at = len(dng(smooth(), tags={273: (tiffs.LONG, (1,))}))
    whole = dng(smooth(), tags={273: (tiffs.LONG, (at,))})
    assert read(whole + strip, tmp_path).size == (96, 128)
    for lost in (2, len(strip) // 2, len(strip)):
        with pytest.raises(UnreadableError, match="LibRaw cannot develop it"):
            read(whole + strip[:-lost], tmp_path)
    assert capfd.readouterr().err == ""


def test_a_raw_without_its_reader_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    (tmp_path / "a.dng").write_bytes(dng(smooth()))
    with pytest.raises(UnreadableError, match=re.escape(install_command("raw"))):
        in_this_process.read_photo(tmp_path / "a.dng")


@pytest.mark.parametrize(
    "head",
    [
        raw.FUJI + b"0201FF389501X-T1",
        b"IIRO\x08\0\0\0",
        b"IIRS\x08\0\0\0",
        b"MMOR\0\0\0\x08",
        b"IIU\0\x18\0\0\0",
        b"II*\0\x10\0\0\0CR\2\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    ],
)
def test_each_makers_files_are_recognised(head: bytes) -> None:
    assert raw.recognise(head.ljust(64, b"\0"), io.BytesIO(head))


def test_a_raw_is_recognised_by_its_directories_and_a_plain_tiff_is_none() -> None:
    plain = tiffs.tiff(scene(16, 16), raws.TAGS, exif=raws.EXIF)
    sensor = tiffs.tiff(scene(16, 16)[..., 0], {262: (tiffs.SHORT, (32803,))}, order=">")
    at = len(plain)
    inner = tiffs.directory(at, {262: (tiffs.SHORT, (34892,))}, "<", False)
    nested = tiffs.tiff(scene(16, 16), {330: (tiffs.LONG, (at + 12,))})
    nested += bytes(at + 12 - len(nested))
    inner = tiffs.directory(at + 12, {262: (tiffs.SHORT, (34892,))}, "<", False)
    for content, expected in ((plain, False), (sensor, True), (nested + inner, True)):
        assert raw.recognise(content[:64], io.BytesIO(content)) is expected


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def small(tags: dict[int, tiffs.Tag]) -> bytes:
    return b"II*\0\x08\0\0\0" + tiffs.directory(8, tags, "<", False)


def fuji() -> bytes:
    exif = Image.Exif()
    exif[271], exif[306] = "Maker", "2024:05:06 07:08:09"
    exif.get_ifd(34665)[36867] = "2024:05:06 07:08:09"
    exif.get_ifd(34853)[1] = "N"
    jpeg = io.BytesIO()
    Image.fromarray(scene(16, 16)).save(jpeg, "JPEG", exif=exif)
    head = raw.FUJI.ljust(84, b"\0") + struct.pack(">II", 92, len(jpeg.getvalue()))
    return head + jpeg.getvalue()


def canon() -> bytes:
    uuid = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    parts = box(b"CMT1", small(raws.TAGS)) + box(b"CMT2", small(raws.EXIF))
    parts += box(b"CMT4", small(raws.GPS))
    xmp = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP)
    return box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"moov", box(b"uuid", uuid + parts)) + xmp


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dng", dng(smooth(), tags={700: (tiffs.BYTE, XMP)})),
        ("raf", fuji()),
        ("cr3", canon()),
        ("rw2", b"IIU\0" + small({**raws.TAGS, 700: (tiffs.BYTE, XMP)})[4:]),
        ("orf", b"IIRO" + small(raws.TAGS)[4:]),
    ],
)
def test_the_cameras_exif_is_found_where_its_maker_keeps_it(name: str, content: bytes) -> None:
    block = camera_exif(io.BytesIO(content), (96, 128), "A lens of the maker note")
    file = Tiff(io.BytesIO(block))
    own = file.directory(file.first).values
    inner = file.directory(file.numbers(own[34665])[0]).values
    assert own[271].content == b"Maker\0"
    assert own[306].content == b"2024:05:06 07:08:09\0"
    assert file.numbers(own[274]) == (1,)
    assert (file.numbers(inner[40962]), file.numbers(inner[40963])) == ((128,), (96,))
    if name in ("dng", "cr3", "raf"):
        assert inner[36867].content == b"2024:05:06 07:08:09\0"
        assert file.directory(file.numbers(own[34853])[0]).values[1].content == b"N\0"
        assert 37500 not in inner
    assert inner[42036].content.startswith(b"A lens")
    assert camera_xmp(io.BytesIO(content)) == (XMP if name in ("dng", "cr3", "rw2") else None)


def test_what_is_no_camera_file_gives_no_more_than_the_size() -> None:
    for content in (b"", b"\0" * 40, raw.FUJI, b"II*\0\xff\0\0\0", canon()[:60], fuji()[:100]):
        block = camera_exif(io.BytesIO(content), (2, 3), "")
        file = Tiff(io.BytesIO(block))
        assert set(file.directory(file.first).values) == {274, 34665}
        assert camera_xmp(io.BytesIO(content)) is None


def test_8_of_16_bits_are_rounded() -> None:
    every = np.arange(1 << 16, dtype=np.uint16)
    assert np.array_equal(raw.to_8_bits(every), np.round(every / 257))
