"""HEIC and AVIF go back in the depth, the sampling and the profile in which they came."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import WriteResult, read_photo, write_photo
from remove_objects.pipeline.images.containers import coding
from remove_objects.pipeline.types import Photo
from tests.support.scenes import scene

MAIN, MAIN_10, MAIN_STILL, RANGE_EXTENSIONS = 1, 2, 3, 4
PQ = {
    "color_primaries": 9,
    "transfer_characteristics": 16,
    "matrix_coefficients": 9,
    "full_range_flag": 0,
}


def clean(source: Path) -> tuple[Photo, Path, WriteResult]:
    photo = read_photo(source)
    hole = np.zeros(photo.size, bool)
    hole[8:24, 10:30] = True
    target = source.with_name(f"clean_{source.name}")
    return photo, target, write_photo(photo, np.full_like(photo.rgb, 120), hole, target)


def smooth() -> np.ndarray:
    """A picture whose colours survive halving."""
    return cv2.GaussianBlur(scene(96, 128), (0, 0), 3)


def hevc(path: Path) -> tuple[int, int, int]:
    """Return profile, chroma and bits of the first picture's decoder configuration."""
    content = path.read_bytes()
    body = content[content.find(b"hvcC") + 4 :]
    return body[1] & 31, body[16] & 3, 8 + (body[17] & 7)


def heic(path: Path, bits: int, chroma: int, **colours: int) -> Path:
    heif = pytest.importorskip("pillow_heif")
    if bits == 8:
        file = heif.from_pillow(Image.fromarray(smooth()))
    else:
        samples = smooth().astype(np.uint16) * 257
        file = heif.from_bytes("RGB;16", (128, 96), samples.tobytes())
    file.save(path, quality=95, chroma=chroma, bit_depth=bits, **colours)
    return path


@pytest.mark.parametrize(
    ("bits", "chroma", "expected"),
    [
        (8, 420, ({MAIN, MAIN_STILL}, 1, 8)),
        (8, 422, ({RANGE_EXTENSIONS}, 2, 8)),
        (8, 444, ({RANGE_EXTENSIONS}, 3, 8)),
        (10, 420, ({MAIN_10}, 1, 10)),
        (10, 422, ({RANGE_EXTENSIONS}, 2, 10)),
        (12, 420, ({RANGE_EXTENSIONS}, 1, 12)),
    ],
)
def test_a_heic_keeps_depth_chroma_and_profile(
    bits: int, chroma: int, expected: tuple[set[int], int, int], tmp_path: Path
) -> None:
    photo, target, result = clean(heic(tmp_path / "a.heic", bits, chroma))
    profile, *rest = hevc(target)
    assert profile in expected[0]
    assert tuple(rest) == expected[1:]
    assert photo.rgb.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert photo.warnings == ()
    assert result.psnr_outside is not None
    assert result.psnr_outside > 48
    assert target.stat().st_size < 1.3 * (tmp_path / "a.heic").stat().st_size


def test_a_deep_heic_spans_the_whole_range(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    samples = np.zeros((64, 64, 3), np.uint16)
    samples[:, 32:] = 65535
    heif.from_bytes("RGB;16", (64, 64), samples.tobytes()).save(tmp_path / "a.heic", quality=-1)
    rgb = read_photo(tmp_path / "a.heic").rgb
    assert (rgb[:, :28].max(), rgb[:, 36:].min()) == (0, 65535)


def test_the_colours_of_a_heic_without_a_profile_stay(tmp_path: Path) -> None:
    _, target, _ = clean(heic(tmp_path / "a.heic", 10, 420, **PQ))
    with open(target, "rb") as handle:
        assert coding.colour_numbers(handle) == (9, 16)


@pytest.mark.parametrize("bits", [8, 10])
def test_a_heic_of_pixels_from_memory_opens_everywhere(bits: int, tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    rgb = smooth() if bits == 8 else smooth().astype(np.uint16) * 257
    write_photo(Photo(rgb), rgb, np.zeros(rgb.shape[:2], bool), tmp_path / "a.heic")
    profile, chroma, depth = hevc(tmp_path / "a.heic")
    assert profile in (MAIN, MAIN_10, MAIN_STILL)
    assert (chroma, depth) == (1, bits)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4", "4:0:0"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_avif_keeps_its_chroma(subsampling: str, mode: str, tmp_path: Path) -> None:
    picture = Image.fromarray(smooth()).convert(mode)
    picture.save(tmp_path / "a.avif", quality=95, subsampling=subsampling)
    _, target, result = clean(tmp_path / "a.avif")
    with open(target, "rb") as handle:
        assert coding.av1_coding(handle) == (8, subsampling)
    assert result.psnr_outside is not None
    assert result.psnr_outside > 40


@pytest.mark.skipif(not hasattr(cv2, "imencodeWithMetadata"), reason="an older OpenCV")
@pytest.mark.parametrize("bits", [10, 12])
def test_a_deep_avif_keeps_depth_metadata_and_colours(bits: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[270] = "kept"
    samples = (smooth().astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)
    _, content = cv2.imencodeWithMetadata(
        ".avif",
        samples,
        [cv2.IMAGE_METADATA_EXIF],
        [np.frombuffer(exif.tobytes().removeprefix(b"Exif\0\0"), np.uint8)],
        [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 95],
    )
    (tmp_path / "a.avif").write_bytes(coding.with_colour_numbers(content.tobytes(), (9, 16)))
    photo, target, result = clean(tmp_path / "a.avif")
    assert photo.rgb.dtype == np.uint16
    assert photo.warnings == ()
    with open(target, "rb") as handle:
        assert coding.av1_coding(handle) == (bits, "4:2:0")
        assert coding.colour_numbers(handle) == (9, 16)
    with Image.open(target) as new:
        assert new.getexif()[270] == "kept"
    assert result.psnr_outside is not None
    assert result.psnr_outside > 40


@pytest.mark.skipif(not hasattr(cv2, "imencodeWithMetadata"), reason="an older OpenCV")
def test_a_damaged_deep_avif_is_refused_and_nothing_else_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    samples = smooth().astype(np.uint16) * 4
    content = bytearray(cv2.imencode(".avif", samples, [cv2.IMWRITE_AVIF_DEPTH, 10])[1].tobytes())
    content[-200:-150] = bytes(50)
    (tmp_path / "a.avif").write_bytes(content)
    with pytest.raises(UnreadableError, match="damaged"):
        read_photo(tmp_path / "a.avif")
    assert capfd.readouterr().err == ""


def test_a_damaged_container_declares_nothing() -> None:
    for content in (
        b"",
        b"\0\0\0\x10meta\0\0\0\0iprp",
        b"\0\0\0\x14meta\0\0\0\0\0\0\0\x99iprpabcd",
    ):
        assert coding.av1_coding(io.BytesIO(content)) == (8, "4:4:4")
        assert coding.colour_numbers(io.BytesIO(content)) is None
        assert coding.as_main_10(content) == content
