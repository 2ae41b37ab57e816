"""One record per image format: the table is consistent and the only place of its facts."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from remove_objects.pipeline.errors import UnwritableError
from remove_objects.pipeline.images import read_photo, write_photo
from remove_objects.pipeline.images.formats.format import Format
from remove_objects.pipeline.images.formats.raw import is_installed
from remove_objects.pipeline.images.formats.table import FORMATS, format_named, format_of_suffix
from remove_objects.pipeline.images.suffixes import LOSSY_SUFFIXES, RAW_SUFFIXES, SUFFIXES
from remove_objects.pipeline.types import Photo
from tests.support.scenes import scene
from tools.package_tree import ROOT

every_format = pytest.mark.parametrize("record", FORMATS, ids=[record.name for record in FORMATS])
IMAGES = ROOT / "pipeline" / "images"


def test_the_suffixes_are_those_of_the_documentation() -> None:
    lossy = {".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".heic", ".heif", ".hif", ".avif"}
    assert lossy == LOSSY_SUFFIXES
    assert lossy | {".png", ".bmp", ".tif", ".tiff", ".gif"} == SUFFIXES - RAW_SUFFIXES
    raw = ["dng", "cr2", "cr3", "nef", "nrw", "arw", "raf", "orf", "rw2", "pef", "srw"]
    assert {f".{name}" for name in raw} == RAW_SUFFIXES
    assert (RAW_SUFFIXES <= SUFFIXES) == (is_installed())


def test_no_name_and_no_suffix_belongs_to_two_formats() -> None:
    names = [name for record in FORMATS for name in (record.name, *record.aliases)]
    suffixes = [suffix for record in FORMATS for suffix in record.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in suffixes)


@every_format
def test_a_format_is_known_by_its_names_and_suffixes(record: Format) -> None:
    assert all(format_named(name) is record for name in (record.name, *record.aliases))
    assert all(format_of_suffix(suffix.upper()) is record for suffix in record.suffixes)


@every_format
def test_what_a_photo_of_no_file_is_written_as_is_read_as_that_format(
    record: Format, tmp_path: Path
) -> None:
    if record.name == "HEIF":
        pytest.importorskip("pillow_heif")
    photo, nothing = Photo(scene(48, 64)), np.zeros((48, 64), bool)
    target = tmp_path / f"a{record.suffixes[0]}"
    if not record.from_pixels:
        with pytest.raises(UnwritableError, match="no format is known by the suffix"):
            write_photo(photo, photo.rgb, nothing, target)
        return
    write_photo(photo, photo.rgb, nothing, target)
    again = read_photo(target)
    assert again.native.format == record.name
    assert again.native.lossless == (not record.lossy)


def test_each_format_has_one_file_and_no_other_file_names_its_suffixes() -> None:
    files = list(IMAGES.rglob("*.py"))
    constants = {
        file: {
            node.value
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for file in files
    }
    for record in FORMATS:
        users = {file for file in files if set(record.suffixes) <= constants[file]}
        if record.name == "PNG":  # what a lossless photo of a lossy format becomes
            users -= {IMAGES / "write.py"}
        assert users == {IMAGES / "formats" / f"{record.name.lower()}.py"}
