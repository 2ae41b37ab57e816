"""Saving: which files are replaced, and that neither inputs nor stale fills are ever saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import open_photos
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import ExistsError, UnwritableError, UsageError


def test_a_fill_of_another_mask_is_not_saved(board: Board) -> None:
    with pytest.raises(UsageError, match="fill first"):
        board.save("a.png")
    board.stroke("a.png", [[60, 40]], 8)
    board.fill("a.png", compare=False)
    board.stroke("a.png", [[100, 40]], 8)
    with pytest.raises(UsageError, match="fill again"):
        board.save("a.png")
    with pytest.raises(UsageError, match="fill again"):
        board.download("a.png", "result")
    # Undo brings the filled mask back; the version of a new stroke is never that of another mask.
    board.edit("a.png", "undo")
    board.stroke("a.png", [[20, 40]], 8)
    with pytest.raises(UsageError, match="fill again"):
        board.save("a.png")
    board.edit("a.png", "undo")
    assert Path(board.save("a.png")["output"]).is_file()


def test_files_of_others_are_replaced_only_on_request(board: Board, photo_folder: Path) -> None:
    (photo_folder.parent / "cleaned").mkdir()
    (photo_folder.parent / "cleaned" / "a.png").write_bytes(b"another program's file")
    board.stroke("a.png", [[60, 40]], 8)
    board.fill("a.png", compare=False)
    with pytest.raises(ExistsError, match=r"exists, and (neither|it changed)"):
        board.save("a.png")
    board.save("a.png", True)
    board.stroke("a.png", [[100, 40]], 8)
    board.fill("a.png", compare=False)
    board.save("a.png")  # the board wrote this file itself


def test_an_input_is_never_a_target(photo_folder: Path) -> None:
    cleaned = photo_folder.parent / "cleaned"
    cleaned.mkdir()
    (cleaned / "a.png").symlink_to(photo_folder / "a.png")
    board = Board(open_photos(photo_folder / "b.jpg", cleaned, Settings(probe=False)))
    item = board.sessions.find("b.jpg")
    (cleaned / "b.jpg").symlink_to(item.source)
    before = item.source.read_bytes()
    board.stroke("b.jpg", [[60, 40]], 8)
    board.fill("b.jpg", compare=False)
    with pytest.raises(UnwritableError, match="results never replace it"):
        board.save("b.jpg", True)
    assert item.source.read_bytes() == before


def test_a_photo_that_is_almost_all_mask_has_no_result(board: Board) -> None:
    board.stroke("a.png", [[0, 60], [160, 60]], 200)
    assert board.fill("a.png")["report"]["status"] == "failed"
    with pytest.raises(UnwritableError, match="nothing is left"):
        board.save("a.png")


def test_stripped_metadata_is_missing_from_results_and_originals(photo_folder: Path) -> None:
    source = photo_folder / "b.jpg"
    exif = Image.Exif()
    exif[0x013B] = "a photographer"
    Image.open(source).save(source, exif=exif, quality=90)
    board = Board(open_photos(photo_folder, None, Settings(probe=False, strip_metadata=True)))
    try:
        board.stroke("b.jpg", [[60, 40], [80, 70]], 12)
        board.fill("b.jpg", compare=False)
        filled = Path(board.save("b.jpg")["output"]).read_bytes()
        copied = Path(board.restore("b.jpg")["output"]).read_bytes()
    finally:
        board.close()
    assert b"photographer" in source.read_bytes()
    assert b"photographer" not in filled + copied
