"""A glance at a photo: its size, and a small grey picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import read_glance, read_photo
from remove_objects.pipeline.images.glance import SIDE, glance_at
from tests.support.raws import dng, needs_rawpy


def ramp(height: int = 300, width: int = 400) -> np.ndarray:
    """Darkest at its left."""
    return np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_every_format_shows_itself(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(ramp()).convert("RGB").save(path)
    seen = read_glance(path)
    assert seen.size == (300, 400)
    assert seen.grey.shape == (72, SIDE)
    assert seen.grey.dtype == np.uint8
    assert seen.grey[:, 0].mean() < 20
    assert seen.grey[:, -1].mean() > 235


def test_sixteen_bits_keep_their_range(tmp_path: Path) -> None:
    Image.fromarray(ramp().astype(np.uint16) * 257).save(tmp_path / "a.png")
    grey = read_glance(tmp_path / "a.png").grey
    assert abs(float(grey.mean()) - 127) < 3


def test_a_photo_is_seen_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # its left side is up
    Image.fromarray(ramp()).convert("RGB").save(tmp_path / "a.jpg", exif=exif)
    seen = read_glance(tmp_path / "a.jpg")
    assert seen.size == (400, 300)
    assert seen.grey.shape == (SIDE, 72)
    assert seen.grey[0].mean() < 20


def test_a_small_photo_is_not_enlarged(tmp_path: Path) -> None:
    Image.fromarray(ramp(30, 40)).save(tmp_path / "a.png")
    assert read_glance(tmp_path / "a.png").grey.shape == (30, 40)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    for look in (read_glance, glance_at):
        with pytest.raises(UnreadableError, match=r"a\.jpg"):
            look(tmp_path / "a.jpg")
    with pytest.raises(UnreadableError, match="no such file"):
        read_glance(tmp_path / "b.jpg")


def test_a_picture_above_the_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Image.fromarray(ramp()).save(tmp_path / "a.png")
    with pytest.raises(UnreadableError, match="more than the limit"):
        read_glance(tmp_path / "a.png", max_pixels=1000)


@needs_rawpy
@pytest.mark.parametrize(("turn", "size"), [(1, (200, 260)), (6, (260, 200))])
def test_a_raw_file_shows_itself_upright(turn: int, size: tuple[int, int], tmp_path: Path) -> None:
    picture = np.repeat(ramp(200, 260)[..., None], 3, axis=2)
    (tmp_path / "a.dng").write_bytes(dng(picture, turn))
    seen = read_glance(tmp_path / "a.dng")
    photo = read_photo(tmp_path / "a.dng")
    assert seen.size == photo.size == size
    small = cv2.resize(photo.rgb[..., 1], seen.grey.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), seen.grey.ravel())[0, 1] > 0.98
