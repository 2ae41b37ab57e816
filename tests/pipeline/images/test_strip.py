"""``--strip-metadata``: no secret planted anywhere in a file is in its output; pixels stay."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.images import read_photo, strip_photo, write_photo
from remove_objects.pipeline.images.containers import bmff_rebuild, webp
from remove_objects.pipeline.images.containers.jpeg import assemble, parse
from remove_objects.pipeline.images.metadata.exif_xmp import essential_exif, orientation
from remove_objects.pipeline.images.metadata.icc import plain_profile
from tests.support.jpeglib import needs_jpeglib
from tests.support.planted import (
    DPI,
    ICC,
    PLANTED,
    SECRET,
    avif,
    exif,
    jpeg,
    pillow_heif,
    unpacked,
)
from tests.support.scenes import scene

NO_PROFILE = ("a.gif", "a.bmp")
NO_DENSITY = ("lossless.webp", "lossy.webp", "a.gif", "a.heic", "a.avif")


def secrets_in(path: Path) -> list[bytes]:
    content = unpacked(path.read_bytes())
    return [s for s in (SECRET.encode(), SECRET.encode("utf-16-le"), b"Planted") if s in content]


@pytest.mark.parametrize("name", PLANTED)
def test_an_unchanged_photo_loses_its_metadata_and_not_one_pixel(name: str, tmp_path: Path) -> None:
    source, target = tmp_path / name, tmp_path / "out" / name
    PLANTED[name](source)
    assert secrets_in(source)
    before = read_photo(source)
    strip_photo(before, source, target)
    assert secrets_in(target) == []
    after = read_photo(target)
    np.testing.assert_array_equal(after.rgb, before.rgb)
    assert_colours_and_density_stay(name, source, target)


@pytest.mark.parametrize("name", PLANTED)
def test_a_cleaned_photo_is_written_without_its_metadata(name: str, tmp_path: Path) -> None:
    source, target = tmp_path / name, tmp_path / "out" / name
    PLANTED[name](source)
    photo = read_photo(source)
    hole = np.zeros(photo.size, bool)
    hole[40:70, 60:80] = True
    rgb = np.full_like(photo.rgb, 120)
    kept = write_photo(photo, rgb, hole, tmp_path / "kept" / name).path
    assert (
        secrets_in(kept) or name in NO_PROFILE
    )  # a GIF keeps its comment only, a BMP has nothing to keep
    write_photo(photo, rgb, hole, target, strip=True)
    assert secrets_in(target) == []
    assert_colours_and_density_stay(name, source, target)
    assert np.abs(read_photo(target).rgb[50:60, 66:74].astype(int) - 120).max() < 12


def assert_colours_and_density_stay(name: str, source: Path, target: Path) -> None:
    with Image.open(source) as old, Image.open(target) as new:
        assert (new.format, new.mode, new.size) == (old.format, old.mode, old.size)
        if name not in NO_PROFILE:
            assert new.info["icc_profile"] == ICC
        if name not in NO_DENSITY:
            assert [round(float(v)) for v in new.info["dpi"]] == list(DPI)
        assert new.info.get("gamma") == old.info.get("gamma")
        assert set(new.getexif()) <= {
            0x0112,
            256,
            257,
            258,
            259,
            262,
            273,
            277,
            278,
            279,
            282,
            283,
            284,
            296,
            317,
            34675,
        }


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("unchanged", [True, pytest.param(False, marks=needs_jpeglib)])
def test_a_turned_jpeg_keeps_its_orientation_and_nothing_else_of_its_exif(
    turn: int, unchanged: bool, tmp_path: Path
) -> None:
    source, target = tmp_path / "s.jpg", tmp_path / "o.jpg"
    jpeg(source, turn)
    photo = read_photo(source)
    if unchanged:
        strip_photo(photo, source, target)
    else:
        write_photo(photo, photo.rgb, np.zeros(photo.size, bool), target, strip=True)
    assert secrets_in(target) == []
    np.testing.assert_array_equal(read_photo(target).rgb, photo.rgb)
    with Image.open(target) as new:
        assert dict(new.getexif()) == ({} if turn == 1 else {0x0112: turn})


def test_an_unchanged_jpegs_coded_samples_stay(tmp_path: Path) -> None:
    source, target = tmp_path / "s.jpg", tmp_path / "o.jpg"
    jpeg(source, progressive=True)
    strip_photo(read_photo(source), source, target)
    before, after = (parse(path.read_bytes()) for path in (source, target))
    assert [s for s in after.segments if not s.is_metadata] == [
        s for s in before.segments if not s.is_metadata
    ]
    assert after.trailer == b""


def test_density_that_only_exif_declares_is_kept(tmp_path: Path) -> None:
    block = exif(6)
    block[0x011A], block[0x011B], block[0x0128] = 305.5, 305.5, 2
    Image.fromarray(scene()).save(tmp_path / "s.jpg", exif=block)
    content = parse((tmp_path / "s.jpg").read_bytes())
    (tmp_path / "s.jpg").write_bytes(
        assemble(s for s in content.segments if s.marker != 0xE0)
    )  # no JFIF header, as from a camera
    strip_photo(read_photo(tmp_path / "s.jpg"), tmp_path / "s.jpg", tmp_path / "o.jpg")
    assert secrets_in(tmp_path / "o.jpg") == []
    with Image.open(tmp_path / "o.jpg") as new:
        assert new.info["dpi"] == pytest.approx((305.5, 305.5))
        assert new.getexif()[0x0112] == 6


def test_essential_exif_is_read_back() -> None:
    assert essential_exif(1) is None
    block = essential_exif(8, (72.0, 71.5))
    assert orientation(block, None) == 8
    read = Image.Exif()
    read.load(b"Exif\0\0" + (block or b""))
    assert {tag: float(read[tag]) for tag in read} == {
        0x0112: 8,
        0x011A: 72.0,
        0x011B: 71.5,
        0x0128: 2,
    }


def test_a_webp_without_metadata_is_the_same_bytes(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "a.webp", quality=70)
    content = (tmp_path / "a.webp").read_bytes()
    assert webp.without_metadata(content, None, None) == content


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (struct.pack(">I4s", 8, b"moov"), "a film"),
        (struct.pack(">I4s", 900, b"free"), "does not fit into its parent"),
    ],
)
def test_unsupported_containers_are_refused_and_never_copied(content: bytes, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        bmff_rebuild.without_metadata(
            struct.pack(">I4s4s", 12, b"ftyp", b"heic") + content, None, plain_profile
        )


def test_damaged_containers_never_raise_anything_else(tmp_path: Path) -> None:
    avif(tmp_path / "a.avif")
    content = np.frombuffer((tmp_path / "a.avif").read_bytes(), np.uint8)
    random = np.random.default_rng(2)
    refused = 0
    for _ in range(300):
        damaged = content.copy()
        damaged[random.integers(0, 400, 3)] = random.integers(0, 256, 3)
        try:
            bmff_rebuild.without_metadata(damaged.tobytes(), None, plain_profile)
        except ValueError:
            refused += 1
    assert 0 < refused < 300


@pytest.mark.usefixtures("red_is_person")
def test_a_run_strips_cleaned_and_unchanged_photos_alike_and_reports_it(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    names = [name for name in PLANTED if name != "a.heic" or pillow_heif is not None]
    for name in names:
        PLANTED[name](folder / name)
    Image.fromarray(scene(person=None)).save(folder / "no_person.jpg", exif=exif(), comment=SECRET)
    batch = BatchSettings(classes=("person",), output=tmp_path / "out", save_masks=True, workers=1)
    result = remove_folder(
        [folder],
        Settings(segmenter="compact", probe=False, offline=True, strip_metadata=True),
        batch,
    )
    entries = {photo["input"]: photo for photo in result.photos}
    assert all(entry["error"] is None for entry in entries.values())
    assert entries["no_person.jpg"]["status"] == "unchanged"
    assert entries["no_person.jpg"]["reason"].endswith("; its metadata was removed")
    assert entries["plain.jpg"]["status"] in ("ok", "review")
    assert result.run["settings"]["strip_metadata"] is True
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) > 2 * len(names)
    assert [path for path in written if secrets_in(path)] == []
    plain = Settings(segmenter="compact", probe=False, offline=True)
    with pytest.raises(UsageError, match="--strip-metadata; now without --strip-metadata"):
        remove_folder([folder], plain, batch)  # without the option the result differs
    again = remove_folder([folder], plain, replace(batch, overwrite=True))
    assert "skipped" not in {photo["status"] for photo in again.photos}
    assert SECRET.encode() in (tmp_path / "out" / "no_person.jpg").read_bytes()
