"""When a photo was taken, from files of several formats, without decoding them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline.images.taken import Taken, taken_of, time_taken


def exif(original: str, fraction: str | None = None) -> Image.Exif:
    made = Image.Exif()
    made[0x010F] = "Maker"
    made.get_ifd(0x8769)[0x9003] = original
    if fraction is not None:
        made.get_ifd(0x8769)[0x9291] = fraction
    return made


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_every_format_tells(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (40, 30), (9, 99, 200)).save(path, exif=exif("2024:05:01 10:00:00", "25"))
    assert time_taken(path) == "2024:05:01 10:00:00.25"


def test_a_tiff_is_exif_itself(tmp_path: Path) -> None:
    (tmp_path / "a.dng").write_bytes(exif("2024:05:01 10:00:00").tobytes()[6:])
    assert time_taken(tmp_path / "a.dng") == "2024:05:01 10:00:00"


@pytest.mark.parametrize("original", ["0000:00:00 00:00:00", "    :  :     :  :  ", ""])
def test_a_camera_without_a_clock_tells_nothing(original: str, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif(original))
    assert time_taken(tmp_path / "a.jpg") is None


def test_damaged_exif_prints_no_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    whole = exif("2024:05:01 10:00:00").tobytes()
    (tmp_path / "a.jpg").write_bytes(whole[6:14] + b"\0\x05" + whole[16:22])
    time_taken(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"MM\0*\0\0\0\x08\0\x03abc")
    time_taken(tmp_path / "b.jpg")
    assert not list(recwarn)


def test_files_without_a_time(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"II*\0" * 5000)
    (tmp_path / "c.jpg").write_bytes(b"MM\0*\0\0\0\x08\xff\xff" + bytes(range(256)) * 40)
    assert [time_taken(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg")] == [
        None
    ] * 4


@pytest.mark.parametrize(("before", "is_found"), [(7, True), (8, False)])
def test_what_looks_like_a_header_is_passed_over_a_few_times(
    before: int, is_found: bool, tmp_path: Path
) -> None:
    """Each costs a parse of what follows, and pixels may hold thousands."""
    content = b"II*\0\0\0\0\0" * before + exif("2024:05:01 10:00:00").tobytes()[6:]
    (tmp_path / "a.heic").write_bytes(content)
    assert (time_taken(tmp_path / "a.heic") is not None) is is_found


def test_the_time_in_seconds_has_its_fraction() -> None:
    seconds = [
        Taken(text, "").seconds for text in ("2024:02:29 23:59:59.5", "2024:03:01 00:00:00.25")
    ]
    assert seconds[1] - seconds[0] == pytest.approx(0.75)


@pytest.mark.parametrize("text", ["2024-02-29 23:59:59", "2023:02:29 10:00:00", "yesterday"])
def test_a_text_that_is_no_time_has_no_seconds(text: str) -> None:
    assert Taken(text, "").seconds is None


def test_exif_names_the_camera() -> None:
    made = exif("2024:05:01 10:00:00")
    made[0x0110] = "Model 5"
    assert taken_of(made.tobytes()[6:]) == Taken("2024:05:01 10:00:00", "Maker Model 5")
