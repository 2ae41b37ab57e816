"""The board's save follows no link in the output folder, and keeps the photo's date and rights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board import catalog
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.run_folder import open_run
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UnwritableError, UsageError
from remove_objects.pipeline.storage.layout import JOURNAL_NAME, OWN, PREVIEWS, REPLACED
from remove_objects.pipeline.system import lock
from tests.support.faults import FAST
from tests.support.scenes import scene
from tests.support.snapshots import snapshot

LONG_AGO = 1_234_567_890_123_456_789
FOLDERS = (".remove-objects-claims", OWN, PREVIEWS, REPLACED, "masks", "masks/deep", "deep")
FILES = (lock.NAME, lock.HOLDER, JOURNAL_NAME, "report.json", "report.csv", "report.html")


@pytest.fixture
def place(tmp_path: Path, cheap: None) -> Path:
    """A photo, cleaned into ``out``, and ``other`` with files of the program's names."""
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    photo = tmp_path / "photos" / "deep" / "b.jpg"
    Image.fromarray(scene(48, 64, person=(20, 10, 12, 16))).save(photo)
    photo.chmod(0o640)
    os.utime(photo, ns=(LONG_AGO, LONG_AGO))
    batch = BatchSettings(output=tmp_path / "out", classes=("person",), save_masks=True, workers=1)
    remove_folder([tmp_path / "photos"], Settings(**FAST), batch)
    shutil.copytree(tmp_path / "out", tmp_path / "other")
    (tmp_path / "other" / f".{'0' * 16}.part").write_bytes(b"half")
    return tmp_path


@pytest.fixture
def board(place: Path) -> Iterator[Board]:
    """The run on the board, with a stroke filled."""
    board = Board(open_run(place / "out"))
    board.stroke("p0", [(40, 30)], 6)
    board.fill("p0", probe=False, compare=False)
    yield board
    board.close()


@pytest.mark.parametrize("target", ["photos/deep/b.jpg", "other", "nowhere"])
@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_a_link_is_refused_by_name_before_anything_is_written(
    name: str, target: str, place: Path, board: Board
) -> None:
    link = place / "out" / name
    wanted = place / "other" / name if target == "other" else place / target
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(wanted)
    before = snapshot(place / "photos", place / "other"), snapshot(place / "out")
    with pytest.raises(UsageError, match=rf"{link}: is a link to {wanted}.*remove it"):
        board.save("p0", replace_existing=True)
    assert (snapshot(place / "photos", place / "other"), snapshot(place / "out")) == before
    link.unlink()


@pytest.mark.parametrize("name", ["deep/b.jpg", "masks/deep/b.png"])
def test_a_linked_result_or_mask_is_neither_replaced_nor_followed(
    name: str, place: Path, board: Board
) -> None:
    link = place / "out" / name
    link.unlink()
    link.symlink_to(place / "other" / name)
    before = snapshot(place / "photos", place / "other")
    with pytest.raises(UnwritableError, match=rf"{link}: is a link to .*; remove it"):
        board.save("p0", replace_existing=True)
    assert snapshot(place / "photos", place / "other") == before
    assert os.readlink(link) == str(place / "other" / name)


def test_linked_layers_are_not_read(place: Path) -> None:
    link = place / "out" / "masks" / "deep" / "b.layers.png"

    def shown() -> list[str]:
        board = Board(open_run(place / "out"))
        names = [layer["name"] for layer in board.open("p0")["layers"]]
        board.close()
        return names

    assert shown() == ["object", "shadow"]
    link.unlink()
    link.symlink_to(place / "other" / "masks" / "deep" / "b.layers.png")
    assert shown() == ["object"]


def test_a_copy_of_the_folder_by_hard_links_stays_as_it_is(place: Path, board: Board) -> None:
    shutil.copytree(place / "out", place / "backup", copy_function=os.link)
    before = snapshot(place / "backup")
    board.save("p0", replace_existing=True)
    assert snapshot(place / "backup") == before


def test_a_photo_under_the_name_of_the_lock_is_refused(place: Path, board: Board) -> None:
    (place / "out" / lock.NAME).unlink(missing_ok=True)
    os.link(place / "photos" / "deep" / "b.jpg", place / "out" / lock.NAME)
    before = snapshot(place / "photos")
    with pytest.raises(UsageError, match="is not the lock"):
        board.save("p0", replace_existing=True)
    assert snapshot(place / "photos") == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
@pytest.mark.parametrize("strip", [False, True])
def test_what_is_saved_keeps_the_photos_date_and_has_no_more_rights(
    strip: bool, place: Path
) -> None:
    batch = BatchSettings(output=place / "new", classes=("person",), workers=1)
    earlier = os.umask(0o022)
    try:
        remove_folder([place / "photos"], Settings(**FAST, strip_metadata=strip), batch)
        board = Board(open_run(place / "new"))
        try:
            board.stroke("p0", [(40, 30)], 6)
            board.fill("p0", probe=False, compare=False)
            board.save("p0", replace_existing=True)
        finally:
            board.close()
    finally:
        os.umask(earlier)
    out = place / "new"
    result, mask = out / "deep" / "b.jpg", out / "masks" / "deep" / "b.png"
    assert (result.stat().st_mtime_ns == LONG_AGO) != strip
    assert mask.stat().st_mtime_ns > 1.7e18
    files = [result, mask, *out.glob("report.*"), *(out / PREVIEWS).iterdir()]
    assert {path.name: path.stat().st_mode & 0o777 for path in files} == {
        path.name: 0o640 for path in files
    }


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_in_a_folder_of_photos_too(place: Path) -> None:
    photo = place / "photos" / "deep" / "b.jpg"
    board = Board(catalog.open_photos(photo, place / "mended", Settings(**FAST)))
    earlier = os.umask(0o022)
    try:
        key = board.photos()["photos"][0]["photo"]
        board.stroke(key, [(40, 30)], 6)
        board.fill(key, probe=False, compare=False)
        board.save(key)
    finally:
        os.umask(earlier)
        board.close()
    saved = [path for path in (place / "mended").rglob("b.*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in saved} == {0o640}
    assert [path.stat().st_mtime_ns == LONG_AGO for path in saved if path.suffix == ".jpg"] == [
        True
    ]
