"""What a photo keeps in which something was removed: the known, and on request everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.images import WriteResult, read_photo, write_photo
from tests.support.planted import DPI, ICC, PLANTED, SECRET, exif
from tests.support.scenes import scene

WITH_EXIF = [name for name in PLANTED if name not in ("a.gif", "a.bmp")]


def cleaned(source: Path, target: Path, *, keep_all: bool = False) -> WriteResult:
    photo = read_photo(source)
    hole = np.zeros(photo.size, bool)
    hole[40:70, 60:80] = True
    return write_photo(photo, np.full_like(photo.rgb, 120), hole, target, keep_all=keep_all)


@pytest.mark.parametrize("name", WITH_EXIF)
def test_what_is_dropped_is_told(name: str, tmp_path: Path) -> None:
    PLANTED[name](tmp_path / name)
    (told,) = cleaned(tmp_path / name, tmp_path / "out" / name).about_metadata
    assert told.startswith("dropped metadata: ")
    assert "XMP that cannot be parsed" in told
    assert name == "a.tif" or "MakerNote" in told
    assert SECRET not in told
    assert cleaned(tmp_path / name, tmp_path / "all" / name, keep_all=True).about_metadata == ()


@pytest.mark.parametrize("name", PLANTED)
def test_a_result_loses_nothing_when_it_is_cleaned_again(name: str, tmp_path: Path) -> None:
    PLANTED[name](tmp_path / name)
    cleaned(tmp_path / name, tmp_path / "once" / name)
    again = cleaned(tmp_path / "once" / name, tmp_path / "twice" / name)
    assert again.about_metadata == ()


def test_png_keeps_the_standards_texts_and_no_recipe(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    for keyword in ("Title", "prompt", "workflow", "parameters"):
        text.add_text(keyword, "A man beside a wall.", zip=keyword == "Title")
    text.add_itxt("Description", "Zoë beside a wall.")
    text.add(b"gAMA", (45455).to_bytes(4, "big") + b"hidden")
    text.add(b"sBIT", b"\5\6\5")
    Image.fromarray(scene()).save(tmp_path / "s.png", pnginfo=text, dpi=DPI, icc_profile=ICC)
    (told,) = cleaned(tmp_path / "s.png", tmp_path / "o.png").about_metadata
    assert told == (
        "dropped metadata: PNG tEXt prompt, PNG tEXt workflow, PNG tEXt parameters, PNG gAMA"
    )
    with Image.open(tmp_path / "o.png") as new:
        assert new.text == {"Title": "A man beside a wall.", "Description": "Zoë beside a wall."}
        assert b"sBIT" in (tmp_path / "o.png").read_bytes()


@pytest.mark.usefixtures("red_is_person")
def test_a_run_that_keeps_everything_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(scene()).save(folder / "a.jpg", exif=exif())
    Image.fromarray(scene(person=None)).save(folder / "b.jpg", exif=exif())
    settings = {"segmenter": "compact", "probe": False, "offline": True}
    for keep in ("known", "all"):
        batch = BatchSettings(classes=("person",), output=tmp_path / keep, workers=1)
        result = remove_folder([folder], Settings(**settings, keep_metadata=keep), batch)
        notes = [w for w in result.run["warnings"] if "may survive" in w]
        assert len(notes) == (keep == "all")
        entries = {photo["input"]: photo for photo in result.photos}
        dropped = "dropped metadata: MakerNote"
        assert (dropped in entries["a.jpg"]["warnings"]) == (keep == "known")
        assert entries["b.jpg"]["warnings"] == []
        assert (tmp_path / keep / "b.jpg").read_bytes() == (folder / "b.jpg").read_bytes()
    assert caplog.text.count("may survive") == 1


def test_stripping_and_keeping_everything_is_refused() -> None:
    with pytest.raises(UsageError, match="give one of them"):
        Settings(strip_metadata=True, keep_metadata="all")
    with pytest.raises(UsageError, match="keep_metadata must be one of known, all"):
        Settings(keep_metadata="some")
