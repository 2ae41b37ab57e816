"""TIFF of floating-point samples: cleaned from 0 to 1, every other pixel stays to the bit."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import read_photo, write_photo
from remove_objects.pipeline.images.formats.tiff_float import WideTiff, float_samples, open_picture
from remove_objects.pipeline.types import Photo
from tests.support.scenes import scene
from tests.support.tiffs import SHORT, tiff

FLOATS = [np.float16, np.float32, np.float64]


def picture(channels: int, dtype: type) -> np.ndarray:
    """Values between those of 16 bits, so that rounding would show."""
    values = (scene(48, 64).astype(np.float64) / 255 * 0.9 + 1e-4 / 3).astype(dtype)
    alpha = np.linspace(0, 1, 64 * 48, dtype=dtype).reshape(48, 64, 1)
    return {
        1: values[..., :1],
        2: np.dstack([values[..., 0], alpha]),
        3: values,
        4: np.dstack([values, alpha]),
    }[channels]


def samples_of(path: Path) -> np.ndarray:
    with open(path, "rb") as handle:
        image = open_picture(handle)
        assert isinstance(image, WideTiff)
        return float_samples(image, handle)


def clean(photo: Photo, target: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the cleaned file's samples, and the hole."""
    hole = np.zeros(photo.size, bool)
    hole[8:24, 10:30] = True
    result = write_photo(photo, np.full_like(photo.rgb, 20000), hole, target)
    assert (result.changed_outside, result.psnr_outside) == (0, None)
    return samples_of(target), hole


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_floating_point_samples_stay_to_the_bit_outside_the_hole(
    dtype: type, channels: int, order: str, tmp_path: Path
) -> None:
    pixels = picture(channels, dtype)
    extra = {338: (SHORT, (2,))} if channels in (2, 4) else {}
    (tmp_path / "a.tif").write_bytes(tiff(pixels, extra, order=order))
    photo = read_photo(tmp_path / "a.tif")
    assert photo.rgb.dtype == np.uint16
    assert (photo.alpha is not None) == (channels in (2, 4))
    colours = pixels[..., :1] if channels < 3 else pixels[..., :3]
    assert np.abs(photo.rgb / 65535 - colours.astype(np.float64)).max() < 1 / 65535
    assert len(photo.warnings) == 1
    after, hole = clean(photo, tmp_path / "o.tif")
    assert (after.dtype, after.shape) == (pixels.dtype, pixels.shape)
    np.testing.assert_array_equal(after[~hole], pixels[~hole])
    count = colours.shape[2]
    assert np.abs(after[hole][:, :count].astype(np.float64) - 20000 / 65535).max() < 1e-3
    np.testing.assert_array_equal(after[hole][:, count:], pixels[hole][:, count:])


def test_a_turned_one_is_upright(tmp_path: Path) -> None:
    pixels = picture(3, np.float32)
    (tmp_path / "a.tif").write_bytes(tiff(pixels, {274: (SHORT, (6,))}))
    photo = read_photo(tmp_path / "a.tif")
    assert photo.size == (64, 48)
    after, hole = clean(photo, tmp_path / "o.tif")
    np.testing.assert_array_equal(after[~hole], np.rot90(pixels, -1)[~hole])


@pytest.mark.parametrize("compression", [5, 32946])
def test_a_compressed_one_is_read(compression: int, tmp_path: Path) -> None:
    pixels = picture(3, np.float32)
    settings = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
    cv2.imwrite(str(tmp_path / "a.tif"), pixels[..., ::-1], settings)
    np.testing.assert_array_equal(samples_of(tmp_path / "a.tif"), pixels)
    after, hole = clean(read_photo(tmp_path / "a.tif"), tmp_path / "o.tif")
    np.testing.assert_array_equal(after[~hole], pixels[~hole])


def test_planes_apart_are_read(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = picture(3, np.float32)
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(samples_of(tmp_path / "a.tif"), pixels)


@pytest.mark.parametrize(
    ("worst", "cause"), [(8.0, "from .* to 8"), (-1.0, "from -1"), (float("nan"), "nan")]
)
def test_an_unknown_range_is_refused(worst: float, cause: str, tmp_path: Path) -> None:
    pixels = picture(3, np.float32)
    pixels[20, 20, 1] = worst
    (tmp_path / "a.tif").write_bytes(tiff(pixels, {}))
    with pytest.raises(UnreadableError, match=f"floating-point numbers .*{cause}"):
        read_photo(tmp_path / "a.tif")


def test_missing_samples_and_other_wide_ones_are_refused_with_the_cause(tmp_path: Path) -> None:
    whole = tiff(picture(3, np.float32), {})
    far = tiff(picture(3, np.float32), {273: (4, (len(whole) - 100,))})
    (tmp_path / "a.tif").write_bytes(far)
    with pytest.raises(UnreadableError, match="ends before its last pixel"):
        read_photo(tmp_path / "a.tif")
    (tmp_path / "a.tif").write_bytes(tiff(scene(32, 32).astype(np.uint32), {}))
    with pytest.raises(UnreadableError, match="its samples have 32 bits"):
        read_photo(tmp_path / "a.tif")
