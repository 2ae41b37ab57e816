"""What a photo keeps in which something was removed: the known, and on request everything."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.images import WriteResult, read_photo, write_photo
from remove_objects.pipeline.images.containers.jpeg import Segment, assemble, parse
from tests.support.planted import DPI, ICC, PLANTED, SECRET, exif
from tests.support.scenes import scene

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256))
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
    assert "MakerNote" in told
    assert SECRET not in told
    assert cleaned(tmp_path / name, tmp_path / "all" / name, keep_all=True).about_metadata == ()


@pytest.mark.parametrize("name", PLANTED)
def test_a_result_loses_nothing_when_it_is_cleaned_again(name: str, tmp_path: Path) -> None:
    PLANTED[name](tmp_path / name)
    cleaned(tmp_path / name, tmp_path / "once" / name)
    again = cleaned(tmp_path / "once" / name, tmp_path / "twice" / name)
    assert again.about_metadata == ()


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        (Segment(0xFE, base64.b64encode(PICTURE)), "comment"),
        (Segment(0xFE, b"A comment\1"), "comment"),
        (Segment(0xEB, b"JP\0" + PICTURE), "APP11 JP"),
        (Segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + PICTURE), "APP1 http://ns."),
        (Segment(0xEC, b"Ducky\0\1\0"), "APP12"),
        (Segment(0xED, b"Photoshop 3.0\x008BIM\4\x0c\0\0\0\0\0\4abcd"), "Photoshop's thumb"),
    ],
)
def test_a_jpegs_dropped_segments_are_told(segment: Segment, name: str, tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "s.jpg")
    own = parse((tmp_path / "s.jpg").read_bytes()).segments
    (tmp_path / "s.jpg").write_bytes(assemble([own[0], segment, *own[1:]]))
    (told,) = cleaned(tmp_path / "s.jpg", tmp_path / "o.jpg").about_metadata
    assert told.startswith(f"dropped metadata: {name}")
    assert segment.payload not in (tmp_path / "o.jpg").read_bytes()


def test_a_tiffs_dropped_tags_are_told(tmp_path: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in ((65000, b"private"), (65001, PICTURE), (37724, b"layers")):
        tags[tag], tags.tagtype[tag] = value, 7
    Image.fromarray(scene()).save(tmp_path / "s.tif", tiffinfo=tags)
    (told,) = cleaned(tmp_path / "s.tif", tmp_path / "o.tif").about_metadata
    assert set(told.removeprefix("dropped metadata: ").split(", ")) == {
        "tag 0xFDE8",
        "tag 0xFDE9",
        "tag 0x935C",
    }


def test_png_keeps_the_standards_texts_and_no_recipe(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    for keyword in ("Title", "prompt", "workflow", "parameters"):
        text.add_text(keyword, "A man beside a wall.", zip=keyword == "Title")
    text.add_itxt("Description", "Zoë beside a wall.")
    text.add(b"tEXt", b"Author\0" + "東京".encode())  # no Latin-1, as many programs write it
    text.add(b"gAMA", (45455).to_bytes(4, "big") + b"hidden")
    text.add(b"sBIT", b"\5\6\5")
    Image.fromarray(scene()).save(tmp_path / "s.png", pnginfo=text, dpi=DPI, icc_profile=ICC)
    (told,) = cleaned(tmp_path / "s.png", tmp_path / "o.png").about_metadata
    assert told == (
        "dropped metadata: PNG tEXt prompt, PNG tEXt workflow, PNG tEXt parameters, PNG gAMA"
    )
    with Image.open(tmp_path / "o.png") as new:
        assert new.text == {
            "Title": "A man beside a wall.",
            "Description": "Zoë beside a wall.",
            "Author": "東京".encode().decode("latin-1"),
        }
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
