"""Every odd and broken file of the torture set, if available: $REMOVE_OBJECTS_DATA/torture."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import read_photo, write_photo


def files() -> list[Path]:
    folder = Path(os.environ.get("REMOVE_OBJECTS_DATA", "/nowhere")) / "torture"
    return sorted(path for path in folder.rglob("*") if path.is_file())


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
        assert new.info.get("icc_profile") == old.info.get("icc_profile")
        assert new.getexif().get(0x0112, 1) == (
            1 if photo.native.coded is None or result.note else photo.native.turn
        )
