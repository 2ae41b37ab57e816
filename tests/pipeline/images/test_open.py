"""Unsuitable files are refused with a message that names the file, the reason and the remedy."""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images.read import read_photo


def noise(height: int = 64, width: int = 80) -> Any:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    def chunk(name: bytes, payload: bytes) -> bytes:
        return (
            struct.pack(">I", len(payload))
            + name
            + payload
            + struct.pack(">I", zlib.crc32(name + payload))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "the file is empty"),
        (b"GIF8", "not a picture"),
        (b"%PDF-1.7 not for us", "not a picture of a known kind.*%PDF.*JPEG, PNG"),
        (b"8BPS\0\1" + bytes(9), "not a picture of a known kind, but a Photoshop file"),
        (b"\n<!DOCTYPE html><html>", "not a picture of a known kind, but a web page"),
        (b"\0\0\0\x18ftypmp42" + bytes(9), "not a picture of a known kind, but a video"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"\xff\xd8\xff\xe0", "damaged"),
        (png_header(0, 5), "not a picture|damaged|nothing to clean"),
        (
            png_header(50_000, 50_000),
            r"50000 x 50000 = 2,500,000,000 pixels, more than the limit of 200,000,000",
        ),
        (png_header(20, 20), "damaged or incomplete"),
        (png_header(20, 20, 16), "damaged or incomplete"),
    ],
)
def test_content_that_is_no_picture_is_refused(content: bytes, match: str, tmp_path: Path) -> None:
    path = tmp_path / "a photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=match) as caught:
        read_photo(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_paths_that_are_no_regular_files_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.jpg"):
        with pytest.raises(UnreadableError, match=r"regular file|no such file"):
            read_photo(path)
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would block for ever
    with pytest.raises(UnreadableError, match="not a regular file"):
        read_photo(tmp_path / "pipe.jpg")


def test_the_pixel_limit_is_the_callers_and_no_global_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(noise()).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow alone would raise
    assert read_photo(tmp_path / "a.png").size == (64, 80)
    assert read_photo(tmp_path / "a.png", max_pixels=64 * 80).warnings == ()
    with pytest.raises(UnreadableError, match="more than the limit of 5,119"):
        read_photo(tmp_path / "a.png", max_pixels=64 * 80 - 1)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.png").write_bytes(png_header(30_000, 30_000))

    def decoded(*_: object) -> None:
        raise AssertionError("the bomb was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(UnreadableError, match="900,000,000 pixels"):
        read_photo(tmp_path / "b.png")


FORMATS: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 90},
    "progressive.jpg": {"progressive": True},
    "png": {},
    "webp": {"lossless": True},
    "tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "bmp": {},
    "gif": {},
    "avif": {},
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_truncation_is_never_accepted(suffix: str, share: float, tmp_path: Path) -> None:
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(noise()).save(whole, **FORMATS[suffix])
    read_photo(whole)
    content = whole.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableError):
        read_photo(cut)


@pytest.mark.parametrize("depth", ["png", "tif"])
def test_truncated_sixteen_bits_are_never_accepted(depth: str, tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / f"w.{depth}"), noise().astype(np.uint16) * 257)
    content = (tmp_path / f"w.{depth}").read_bytes()
    (tmp_path / f"c.{depth}").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UnreadableError):
        read_photo(tmp_path / f"c.{depth}")


@pytest.mark.parametrize("suffix", FORMATS)
def test_damage_anywhere_gives_a_photo_or_a_refusal(suffix: str, tmp_path: Path) -> None:
    """400 files with a few wrong bytes: any exception of a decoder becomes ``UnreadableError``."""
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(noise(16, 16)).save(whole, **FORMATS[suffix])
    content = np.frombuffer(whole.read_bytes(), np.uint8)
    random = np.random.default_rng(1)
    broken = tmp_path / "broken"
    for _ in range(60):
        damaged = content.copy()
        at = random.integers(0, min(len(damaged), 400), 4)
        damaged[at] = random.integers(0, 256, 4)
        broken.write_bytes(damaged.tobytes())
        try:
            assert read_photo(broken, max_pixels=1_000_000).rgb.dtype == np.uint8
        except UnreadableError as error:
            assert str(broken) in str(error)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_animations_and_pages_are_refused(suffix: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((16, 16, 3), 40 * i, np.uint8)) for i in range(3)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(
        UnreadableError, match=r"has 3 (frames|pages).*on the others; split it first"
    ):
        read_photo(tmp_path / f"a.{suffix}")


def test_a_tiff_with_reduced_copies_is_read_with_a_warning(tmp_path: Path) -> None:
    from PIL import TiffImagePlugin

    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "a.tif"), True) as writer:
        for size, kind in ((64, 0), (32, 1)):
            Image.fromarray(noise(size, size)).save(writer, "TIFF", tiffinfo={254: kind})
            writer.newFrame()
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.rgb, noise(64, 64))
    assert photo.warnings == (
        "the file holds reduced copies of its picture: the cleaned file drops them",
    )


@pytest.mark.parametrize(
    ("mode", "match"),
    [
        ("I", "32 bits, which cannot be written back"),
        ("F", "floating-point numbers from 255 to 255"),
    ],
)
def test_depths_that_cannot_be_written_back_are_refused(
    mode: str, match: str, tmp_path: Path
) -> None:
    Image.new(mode, (8, 8), 255).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableError, match=match):
        read_photo(tmp_path / "a.tif")


def test_a_missing_heic_reader_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    (tmp_path / "a.heic").write_bytes(struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadableError, match=r"HEIC pictures need .*pillow-heif"):
        read_photo(tmp_path / "a.heic")


def test_running_out_of_memory_is_an_error_of_this_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remove_objects.pipeline.images import read

    Image.fromarray(noise()).save(tmp_path / "a.png")

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(read, "decode", full)
    with pytest.raises(UnreadableError, match="not enough memory"):
        read_photo(tmp_path / "a.png")


def test_pillows_warnings_become_the_photos_own(tmp_path: Path) -> None:
    palette = Image.fromarray(np.zeros((8, 8), np.uint8))
    palette.putpalette(bytes(768))
    palette.save(tmp_path / "a.png", transparency=bytes(200))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_photo(tmp_path / "a.png")


def test_threads_read_the_same_pixels(tmp_path: Path) -> None:
    for name in "abcd":
        Image.fromarray(noise()).save(tmp_path / f"{name}.png")
    results: list[bool] = []

    def work(name: str) -> None:
        for _ in range(5):
            results.append(np.array_equal(read_photo(tmp_path / f"{name}.png").rgb, noise()))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 20
    assert (limit, filters) == (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
