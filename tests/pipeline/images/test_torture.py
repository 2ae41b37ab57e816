"""Every odd and broken file of the torture set, if available: $REMOVE_OBJECTS_DATA/torture."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import read_photo, write_photo


def files() -> list[Path]:
    folder = Path(os.environ.get("REMOVE_OBJECTS_DATA", "/nowhere")) / "torture"
    return sorted(path for path in folder.rglob("*") if path.is_file())


#: PIL's modes of the colours that profiles are for.
MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def colours(image: Image.Image) -> np.ndarray | None:
    """Return what a picture's profile makes of some colours; None if it has none that works."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info.get("icc_profile") or b""))
        mode = MODES[profile.profile.xcolor_space.strip()]
        lab = ImageCms.createProfile("LAB")
        transform = ImageCms.buildTransform(profile, lab, mode, "LAB")
    except (OSError, KeyError, ImageCms.PyCMSError):
        return None
    channels = len(mode) if mode != "L" else 1
    levels = np.random.default_rng(0).integers(0, 256, (64, 64, channels), np.uint8)
    swatch = Image.frombytes(mode, (64, 64), levels.tobytes())
    return np.asarray(ImageCms.applyTransform(swatch, transform))


@pytest.mark.parametrize("path", files() or [None], ids=lambda path: path.name if path else "none")
def test_a_photo_or_a_clear_refusal_and_a_faithful_copy(path: Path | None, tmp_path: Path) -> None:
    if path is None:
        pytest.skip("set REMOVE_OBJECTS_DATA to the folder that holds torture/")
    before = hashlib.sha256(path.read_bytes()).digest()
    try:
        photo = read_photo(path)
    except UnreadableError as error:
        assert str(path) in str(error)
        assert len(str(error)) > len(str(path)) + 20
        return
    height, width = photo.size
    hole = np.zeros((height, width), bool)
    hole[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = True
    rgb = photo.rgb.copy()
    rgb[hole] = rgb[hole][::-1]
    result = write_photo(photo, rgb, hole, tmp_path / path.name)
    assert os.listdir(tmp_path) == [path.name]
    assert hashlib.sha256(path.read_bytes()).digest() == before
    again = read_photo(result.path)
    assert (again.size, again.rgb.dtype, again.native.layout.mode) == (
        photo.size,
        photo.rgb.dtype,
        photo.native.layout.mode,
    )
    assert (again.alpha is None) == (photo.alpha is None)
    if photo.native.lossless:
        assert (result.psnr_outside, result.changed_outside) == (None, 0)
    else:
        assert result.psnr_outside is None or result.psnr_outside > 33
    with Image.open(path) as old, Image.open(result.path) as new:
        assert new.format == old.format
        assert np.array_equal(colours(new), colours(old))  # private tags of a profile may go
        assert new.getexif().get(0x0112, 1) == (
            1 if photo.native.coded is None or result.note else photo.native.turn
        )
