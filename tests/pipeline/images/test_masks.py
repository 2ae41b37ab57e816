"""Mask files: white removes, at the photo's upright size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.errors import UnreadableError, UnwritableError
from remove_objects.pipeline.images import read_mask, write_mask

MASK = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 0, 1]], bool)


def test_a_written_mask_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "masks" / "a" / "b.png"
    write_mask(MASK, path)
    np.testing.assert_array_equal(read_mask(path, (3, 4)), MASK)
    with Image.open(path) as image:
        assert (image.mode, image.size) == ("1", (4, 3))
    assert [p.name for p in path.parent.iterdir()] == ["b.png"]


def test_a_mask_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "masks").write_text("a file")
    with pytest.raises(UnwritableError):
        write_mask(MASK, tmp_path / "masks" / "a.png")


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "LA", "P", "CMYK"])
def test_any_mode_is_a_mask(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("m.tif" if mode == "CMYK" else "m.png")
    Image.fromarray(MASK).convert("L").convert(mode).save(path)
    np.testing.assert_array_equal(read_mask(path, (3, 4)), MASK)


def test_half_bright_is_removed_and_darker_is_not(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 127, 128, 255]], np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", (1, 4)).tolist() == [[False, False, True, True]]
    Image.frombytes("I;16", (4, 1), np.array([0, 32767, 32768, 65535], "<u2").tobytes()).save(
        tmp_path / "deep.png"
    )
    assert read_mask(tmp_path / "deep.png", (1, 4)).tolist() == [[False, False, True, True]]


def test_transparent_is_black(tmp_path: Path) -> None:
    rgba = np.full((1, 2, 4), 255, np.uint8)
    rgba[0, 1, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", (1, 2)).tolist() == [[True, False]]


def test_a_mask_of_another_size_and_the_same_shape_is_scaled(tmp_path: Path) -> None:
    write_mask(MASK, tmp_path / "m.png")
    np.testing.assert_array_equal(
        read_mask(tmp_path / "m.png", (6, 8)), MASK.repeat(2, 0).repeat(2, 1)
    )
    write_mask(MASK.repeat(3, 0).repeat(3, 1), tmp_path / "large.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "large.png", (3, 4)), MASK)
    write_mask(
        np.ones((667, 1000), bool), tmp_path / "rounded.png"
    )  # 2000 x 3000 at a third, rounded
    assert read_mask(tmp_path / "rounded.png", (2000, 3000)).all()


@pytest.mark.parametrize(
    ("size", "match"),
    [
        ((4, 4), "4 x 3 pixels, its photo 4 x 4"),
        ((4, 3), "lie on its side"),
        ((9, 1600), "1600 x 9"),
    ],
)
def test_a_mask_of_another_shape_is_refused(
    size: tuple[int, int], match: str, tmp_path: Path
) -> None:
    write_mask(MASK, tmp_path / "m.png")
    with pytest.raises(UnreadableError, match=match):
        read_mask(tmp_path / "m.png", size)


def test_orientation_of_a_mask_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(MASK).convert("L").save(tmp_path / "m.png", exif=exif)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", (3, 4)), MASK[::-1, ::-1])
