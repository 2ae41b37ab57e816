"""What a result is to keep is compared with what its file has: nothing is lost in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.images import read_photo, write_photo
from remove_objects.pipeline.images import write as writing
from remove_objects.pipeline.images.formats.table import encode
from remove_objects.pipeline.images.kept import lost_metadata
from remove_objects.pipeline.images.metadata.exif_xmp import without_orientation
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


@pytest.mark.parametrize("suffix", ["avif", "heic", "webp", "png", "tif", "jpg"])
@pytest.mark.parametrize("turn", [1, 3, 6])
@pytest.mark.parametrize("artist", ["", "Somebody"])
def test_an_orientation_is_not_missed(suffix: str, turn: int, artist: str, tmp_path: Path) -> None:
    """AVIF holds it outside EXIF, where 1 is said by saying nothing."""
    exif = Image.Exif()
    exif[274] = turn
    if artist:
        exif[315] = artist
    if suffix == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    source = tmp_path / f"a.{suffix}"
    Image.fromarray(scene(64, 96)).save(source, exif=exif.tobytes())
    assert about_metadata(source, tmp_path / f"o.{suffix}") == []
    assert (b"Somebody" in (tmp_path / f"o.{suffix}").read_bytes()) == bool(artist)


def test_an_avif_keeps_its_exif_byte_for_byte_but_for_the_orientation(tmp_path: Path) -> None:
    """Maker notes hold offsets into the block, which nothing may move."""
    exif = Image.Exif()
    exif[274], exif[315], exif[0x927C] = 6, "Somebody", b"a maker's note" * 3
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    Image.fromarray(scene(64, 96)).save(tmp_path / "a.avif", exif=block)
    assert about_metadata(tmp_path / "a.avif", tmp_path / "o.avif", keep_all=True) == []
    source, written = (read_photo(tmp_path / f"{name}.avif").native for name in "ao")
    assert isinstance(source, Native)
    assert source.metadata.exif
    assert isinstance(written, Native)
    assert written.metadata.exif == without_orientation(source.metadata.exif)
    assert len(written.metadata.exif or b"") == len(source.metadata.exif)


def test_an_orientation_is_taken_out_of_exif() -> None:
    alone = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    assert without_orientation(alone) is None
    for damaged in (b"", b"II*\0", alone[:9], alone[:20], b"no EXIF at all"):
        assert without_orientation(damaged) == damaged


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
