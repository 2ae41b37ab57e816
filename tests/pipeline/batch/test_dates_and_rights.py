"""Results and copies keep the date of their photo, and nothing is readable by more people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import FolderResult, remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.storage.layout import PREVIEWS
from tests.support.faults import FAST
from tests.support.memory_store import remote
from tests.support.scenes import scene

LONG_AGO = 1_234_567_890_123_456_789
NAMES = ("with.jpg", "without.jpg", "with.png", "without.png")


@pytest.fixture
def photos(tmp_path: Path, cheap: None) -> Path:
    """A JPEG and a PNG with a person, and one of each without; all of the same distant date."""
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x010E] = "a description"
    for name in NAMES:
        person = (20, 10, 12, 16) if name.startswith("with.") else None
        picture = Image.fromarray(scene(48, 64, person=person))
        picture.save(folder / name, exif=exif, quality=92)
        os.utime(folder / name, ns=(LONG_AGO, LONG_AGO))
    return folder


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    mask: int = request.param
    earlier = os.umask(mask)
    yield mask
    os.umask(earlier)


def clean(photos: Path, *, strip: bool = False, lossless: bool = False) -> FolderResult:
    return remove_folder(
        [photos],
        Settings(**FAST, strip_metadata=strip, lossless=lossless),
        BatchSettings(
            output=photos.parent / "out", classes=("person",), save_masks=True, workers=1
        ),
    )


def bits(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("strip", [False, True])
def test_results_and_copies_keep_the_photos_date_unless_metadata_is_stripped(
    strip: bool, lossless: bool, photos: Path
) -> None:
    entries = clean(photos, strip=strip, lossless=lossless).photos
    assert {p["input"]: p["status"] == "unchanged" for p in entries} == {
        name: name.startswith("without") for name in NAMES
    }
    out = photos.parent / "out"
    for entry in entries:
        assert entry["output"] is not None
        modified = (out / entry["output"]).stat().st_mtime_ns
        assert (modified == LONG_AGO) != strip, entry["output"]
        assert strip == (modified > 1.7e18)
        if entry["mask"] is not None:
            assert (out / entry["mask"]).stat().st_mtime_ns > 1.7e18
    assert all(path.stat().st_mtime_ns > 1.7e18 for path in (out / PREVIEWS).iterdir())
    again = clean(photos, strip=strip, lossless=lossless).photos
    assert {p["status"] for p in again} == {"skipped"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444])
def test_nothing_that_shows_a_photo_has_more_rights_than_the_photo(
    mode: int, strip: bool, umask: int, photos: Path
) -> None:
    for name in NAMES:
        (photos / name).chmod(mode)
    entries = clean(photos, strip=strip).photos
    out, expected = photos.parent / "out", 0o666 & mode & ~umask
    files = [out / str(entry[key]) for entry in entries for key in ("output", "mask") if entry[key]]
    files += [*(out / PREVIEWS).iterdir(), *out.glob("report.*")]
    assert len(files) > 15
    assert {path.name: bits(path) for path in files} == {path.name: expected for path in files}
    assert all(np.asarray(Image.open(out / name)).any() for name in NAMES)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_one_private_photo_makes_the_reports_private_and_no_other_result(photos: Path) -> None:
    (photos / "with.jpg").chmod(0o600)
    earlier = os.umask(0o022)
    try:
        clean(photos)
    finally:
        os.umask(earlier)
    out = photos.parent / "out"
    assert [bits(out / name) for name in NAMES] == [0o600, 0o644, 0o644, 0o644]
    assert [bits(out / f"report.{kind}") for kind in ("json", "csv", "html")] == [0o600] * 3


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_the_private_copy_of_a_stores_photo_does_not_decide(
    photos: Path, memory: fsspec.AbstractFileSystem
) -> None:
    memory.put(f"{photos}/", "/photos/", recursive=True)
    earlier = os.umask(0o022)
    try:
        remove_folder(
            [remote("memory://photos")],
            Settings(**FAST),
            BatchSettings(output=photos.parent / "out", classes=("person",), workers=1),
        )
    finally:
        os.umask(earlier)
    out = photos.parent / "out"
    assert {bits(path) for path in out.glob("with*.*")} == {0o644}
    assert {bits(path) for path in (out / PREVIEWS).iterdir()} == {0o644}
