"""What a result is to keep is compared with what its file has: nothing is lost in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from remove_objects.pipeline.images import read_photo, write_photo
from remove_objects.pipeline.images import write as writing
from remove_objects.pipeline.images.formats.table import encode
from remove_objects.pipeline.images.kept import lost_metadata
from remove_objects.pipeline.images.native import Layout, Metadata, Native, Sheet
from tests.support.planted import PLANTED
from tests.support.scenes import scene
from tests.support.tiffs import ASCII, tiff


def about_metadata(source: Path, target: Path, **options: bool) -> list[str]:
    """Return the sentences about metadata that did not survive being written."""
    photo = read_photo(source)
    hole = np.zeros(photo.size, bool)
    hole[20:40, 20:40] = True
    result = write_photo(photo, np.full_like(photo.rgb, 120), hole, target, **options)
    return [sentence for sentence in result.about_metadata if "could not hold" in sentence]


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("options", [{}, {"keep_all": True}, {"strip": True}, {"lossless": True}])
def test_every_format_holds_what_it_is_to_keep(
    name: str, options: dict[str, bool], tmp_path: Path
) -> None:
    PLANTED[name](tmp_path / name)
    assert about_metadata(tmp_path / name, tmp_path / "out" / name, **options) == []


@pytest.mark.parametrize("name", ["a.png", "lossless.webp"])
def test_an_encoder_that_loses_metadata_is_noticed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
        encode(sheet, replace(native, metadata=Metadata()), handle)

    monkeypatch.setattr(writing, "encode", forgetful)
    PLANTED[name](tmp_path / name)
    (sentence,) = about_metadata(tmp_path / name, tmp_path / "out" / name)
    for lost in ("EXIF", "colour profile"):
        assert lost in sentence


def test_a_tag_that_an_encoder_cuts_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cutting(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
        tags = tuple((tag, kind, value[:4]) for tag, kind, value in native.options["tags"])
        encode(sheet, replace(native, options={**native.options, "tags": tags}), handle)

    monkeypatch.setattr(writing, "encode", cutting)
    (tmp_path / "a.tif").write_bytes(tiff(scene(64, 64), {270: (ASCII, b"A description\0")}))
    assert about_metadata(tmp_path / "a.tif", tmp_path / "o.tif") == [
        "the TIFF file could not hold its tags 270"
    ]


def test_a_lost_comment_and_a_lost_block_are_noticed() -> None:
    wanted = Native(
        "GIF",
        Layout("RGB"),
        Metadata(blocks=((0xED, b"captions"), (0xFE, b"a comment"))),
        options={"comment": b"a comment"},
    )
    assert lost_metadata(wanted, wanted, turned=False) == ()
    fewer = replace(wanted, metadata=Metadata(blocks=wanted.metadata.blocks[1:]))
    assert lost_metadata(wanted, fewer, turned=False) == (
        "the GIF file could not hold its other blocks of metadata",
    )
    assert lost_metadata(wanted, replace(wanted, options={}), turned=False) == (
        "the GIF file could not hold its comment",
    )
