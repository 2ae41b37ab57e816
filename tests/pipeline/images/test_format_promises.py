"""Each written format keeps its kind, EXIF, XMP, profile, density, alpha and outside pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.images import WriteResult, read_photo, write_photo
from tests.support.planted import DPI, ICC, INNER, PLACE, PLANTED, SECRET, XMP, pillow_heif
from tests.support.scenes import scene

WITH_EXIF = [name for name in PLANTED if name not in ("a.gif", "a.bmp")]
WITH_XMP = WITH_EXIF
WITH_DPI = ["plain.jpg", "progressive.jpg", "grey.jpg", "a.png", "a.tif", "a.bmp"]
LOSSLESS = ["a.png", "lossless.webp", "a.tif", "a.gif", "a.bmp"]


def clean(name: str, folder: Path, *, keep_all: bool = False) -> tuple[Path, Path, WriteResult]:
    """Return the photo, the cleaned photo, and the result of writing it."""
    source, target = folder / name, folder / "out" / name
    if not source.exists():
        PLANTED[name](source)
    photo = read_photo(source)
    hole = np.zeros(photo.size, bool)
    hole[40:70, 60:80] = True
    rgb = np.full_like(photo.rgb, 120)
    return source, target, write_photo(photo, rgb, hole, target, keep_all=keep_all)


def exif_of(path: Path) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    with Image.open(path) as image:
        image.load()
        block = image.getexif()
        return dict(block), dict(block.get_ifd(0x8769)), dict(block.get_ifd(0x8825))


@pytest.mark.parametrize("name", PLANTED)
def test_the_format_and_the_mode_stay(name: str, tmp_path: Path) -> None:
    source, target, _ = clean(name, tmp_path)
    with Image.open(source) as old, Image.open(target) as new:
        assert (new.format, new.mode, new.size) == (old.format, old.mode, old.size)


@pytest.mark.parametrize("name", PLANTED)
def test_pixels_outside_the_hole_are_identical_or_as_near_as_the_codec_allows(
    name: str, tmp_path: Path
) -> None:
    _, _, result = clean(name, tmp_path)
    if name in LOSSLESS:
        assert (result.changed_outside, result.psnr_outside) == (0, None)
    else:
        assert result.psnr_outside is not None
        assert result.psnr_outside > 38


@pytest.mark.parametrize("name", WITH_EXIF)
@pytest.mark.parametrize("keep_all", [False, True])
def test_exif_stays_with_its_place_and_on_request_its_maker_note(
    name: str, keep_all: bool, tmp_path: Path
) -> None:
    source, target, _ = clean(name, tmp_path, keep_all=keep_all)
    (old, old_inner, old_place), (new, new_inner, new_place) = exif_of(source), exif_of(target)
    for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298):
        assert new[tag] == old[tag] == SECRET
    # A maker note's offsets would be wrong in a new TIFF.
    kept = set(INNER) - ({0x927C} if name == "a.tif" or not keep_all else set())
    assert set(new_inner) & set(INNER) == kept
    assert {tag: new_inner[tag] for tag in kept} == {tag: old_inner[tag] for tag in kept}
    assert new_place == old_place
    assert set(new_place) == set(PLACE)


@pytest.mark.parametrize("name", WITH_XMP)
def test_xmp_of_any_content_stays_on_request(name: str, tmp_path: Path) -> None:
    if name == "a.tif":  # the planted value is not XMP
        from PIL import TiffImagePlugin

        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[700], tags.tagtype[700] = XMP, 1
        Image.fromarray(scene()).save(tmp_path / name, tiffinfo=tags)
    _, target, _ = clean(name, tmp_path, keep_all=True)
    assert XMP in target.read_bytes()


@pytest.mark.parametrize("name", WITH_EXIF)
def test_the_colour_profile_stays_to_the_byte(name: str, tmp_path: Path) -> None:
    _, target, _ = clean(name, tmp_path)
    with Image.open(target) as new:
        assert new.info["icc_profile"] == ICC


@pytest.mark.parametrize("name", WITH_DPI)
def test_the_density_stays(name: str, tmp_path: Path) -> None:
    _, target, _ = clean(name, tmp_path)
    with Image.open(target) as new:
        assert [round(float(value)) for value in new.info["dpi"]] == list(DPI)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("a.png", 0),
        ("a.tif", 0),
        ("lossless.webp", 0),
        ("lossy.webp", 0),
        ("a.avif", 3),
        ("a.heic", 3),
    ],
)
def test_alpha_stays(name: str, tolerance: int, tmp_path: Path) -> None:
    if name == "a.heic" and pillow_heif is None:
        pytest.skip("HEIC needs the package pillow-heif")
    height, width = scene().shape[:2]
    alpha = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width))
    options = {
        "lossless.webp": {"lossless": True, "exact": True},
        "lossy.webp": {"exact": True},
        "a.heic": {"quality": 95},
    }.get(name, {})
    Image.fromarray(np.dstack([scene(), alpha])).save(tmp_path / name, **options)
    source, target, _ = clean(name, tmp_path)
    before, after = read_photo(source).alpha, read_photo(target).alpha
    assert before is not None
    assert after is not None
    assert np.abs(after.astype(int) - before).max() <= tolerance
    assert np.ptp(before) > 240
