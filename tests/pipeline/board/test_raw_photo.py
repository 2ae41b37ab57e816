"""A RAW photo at the board: its result has another name than the photo."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import open_photos
from remove_objects.pipeline.config import Settings
from tests.support.board_run import command, entry_of, fill, review
from tests.support.raws import dng, needs_rawpy
from tests.support.scenes import scene

pytestmark = needs_rawpy


@pytest.fixture
def photos(tmp_path: Path, cheap: None) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.dng").write_bytes(dng(scene(96, 128, person=(20, 20, 30, 50))))
    return folder


def test_a_raw_is_saved_and_downloaded_under_the_name_of_its_result(
    photos: Path, tmp_path: Path
) -> None:
    board = Board(open_photos(photos, None, Settings(probe=False)))
    fill(board, "a.dng")
    board.save("a.dng")
    with Image.open(tmp_path / "cleaned" / "a.dng.tif") as new:
        assert new.format == "TIFF"
    path, name = board.download("a.dng", "result")
    assert (name, path.suffix) == ("a.dng.tif", ".tif")
    board.close()
    assert not list((tmp_path / "cleaned").rglob("*.part*"))


def test_a_runs_result_of_a_raw_is_reviewed_and_gives_way_to_the_original(
    photos: Path, tmp_path: Path
) -> None:
    command(photos)
    cleaned = tmp_path / "cleaned"
    assert entry_of(cleaned, "a.dng")["output"] == "a.dng.tif"
    board = Board(run_folder.open_run(cleaned))
    review(board, "a.dng")
    assert entry_of(cleaned, "a.dng")["output"] == "a.dng.tif"
    board.restore("a.dng")
    assert entry_of(cleaned, "a.dng")["output"] == "a.dng"
    assert (cleaned / "a.dng").read_bytes() == (photos / "a.dng").read_bytes()
    assert not (cleaned / "a.dng.tif").exists()
    board.put_back("a.dng")
    assert entry_of(cleaned, "a.dng")["output"] == "a.dng.tif"
    assert (cleaned / "a.dng.tif").is_file()
    board.close()
