"""A photo that was dropped on the page is saved under a name that nothing has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.board import dropped, report_page, run_folder, session_store
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import Opened, open_photos
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from tests.support.board_run import command, load
from tests.support.board_uploads import upload
from tests.support.scenes import scene


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo that lies in no folder of the board."""
    path = tmp_path / "elsewhere" / "new.png"
    path.parent.mkdir()
    Image.fromarray(scene(seed=9)).save(path)
    return path


def saved(board: Board, source: Path, name: str | None = None) -> Path:
    """Drop, fill and save a photo; returns its result."""
    key = upload(board, source, name)["photo"]
    board.stroke(key, [[60, 40], [80, 60]], 9)
    board.fill(key, "auto", False, False)
    return Path(board.save(key)["output"])


def test_it_is_saved_to_the_output_folder_and_nothing_is_overwritten(
    board: Board, photo_folder: Path, photo: Path
) -> None:
    out = photo_folder.parent / "cleaned"
    told = upload(board, photo)
    assert told["saves_to"] == str(out / "new.png")
    assert told["is_upload"]
    assert not out.exists()
    first = saved(board, photo)
    assert first == out / "new.png"
    changed = (np.asarray(Image.open(first)) != np.asarray(Image.open(photo))).any(2)
    mask = np.asarray(Image.open(out / "masks" / "new.png"))
    assert changed.any()
    assert not (changed & ~mask).any()
    before = first.read_bytes()
    assert saved(board, photo) == out / "new-2.png"
    assert first.read_bytes() == before
    # The names of the opened photos are theirs, though no result stands there yet.
    assert saved(board, photo, "a.png") == out / "a-2.png"
    assert saved(board, photo, "B.JPG").name == "B-2.JPG"
    assert Path(board.open("a.png")["saves_to"]) == out / "a.png"


def test_saved_again_it_keeps_its_name_and_what_it_replaces(board: Board, photo: Path) -> None:
    key = upload(board, photo)["photo"]
    board.stroke(key, [[60, 40]], 9)
    board.fill(key, "auto", False, False)
    first = board.save(key)
    before = Path(first["output"]).read_bytes()
    board.stroke(key, [[100, 80]], 9)
    board.fill(key, "auto", False, False)
    again = board.save(key)
    assert again["output"] == first["output"] == again["saves_to"]
    assert again["can_put_back"]
    assert board.put_back(key)["output"] == first["output"]
    assert Path(first["output"]).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../evil.png", "evil.png"),
        ("C:\\evil.png", "evil.png"),
        ("a\nb.png", "a_nb.png"),
        ("report.html", "report.html.png"),
        (".hidden.png", "hidden.png"),
        ("con.png", "_con.png"),
        ("..", "photo.png"),
        ("no ending", "no ending.png"),
        ("ü" * 200 + ".png", "ü" * 90 + ".png"),
        ("<img src=x>.png", "_img src=x_.png"),
    ],
)
def test_strange_names_make_plain_ones(
    name: str, expected: str, tmp_path: Path, photo: Path, cheap: None
) -> None:
    out = tmp_path / "out"
    board = Board(Opened("empty", "", output=out, settings=Settings(probe=False)))
    result = saved(board, photo, name)
    assert result == out / expected
    assert {path.parent for path in tmp_path.rglob("*.png")} <= {
        out,
        out / "masks",
        photo.parent,
        board.folder,
    }
    board.close()


def test_unicodes_other_spelling_of_a_name_is_the_same_name(
    photo_folder: Path, photo: Path, cheap: None
) -> None:
    (photo_folder / "a.png").rename(photo_folder / "\xe9.png")
    board = Board(open_photos(photo_folder, None, Settings(probe=False)))
    assert saved(board, photo, "e\u0301.png").name == "e\u0301-2.png"
    board.close()


def test_a_run_and_its_report_know_nothing_of_it(run: Path, photo: Path) -> None:
    board = Board(run_folder.open_run(run))
    report = load(run)
    result = saved(board, photo, "b.jpg")
    assert result.name == "b-2.jpg"
    assert load(run) == report
    assert 'data-name="b-2.jpg"' not in board.report_html()
    assert board.report_html().count('data-name="b.jpg"') == 1
    opened = board.opened
    assert (
        report_page.find(opened, board.sessions.listed(), "file/result", "b.jpg") == run / "b.jpg"
    )
    # A run that wrote the report meanwhile is read again, and takes no dropped photo for its own.
    command(run.parent / "photos")
    board.photos()
    assert [item.name for item in board.sessions.listed() if item.is_upload] == ["b.jpg"]
    assert result.is_file()
    board.close()


def test_without_a_folder_it_is_downloaded(photo: Path, cheap: None) -> None:
    board = Board(Opened("empty", "", settings=Settings(probe=False)))
    told = upload(board, photo)
    key = told["photo"]
    assert told["saves_to"] is None
    board.stroke(key, [[60, 40]], 9)
    board.fill(key, "auto", False, False)
    with pytest.raises(UsageError, match="download the result and the mask, or name a folder"):
        board.save(key)
    assert not board.open(key)["fill_is_saved"]
    board.download(key, "result")
    assert board.open(key)["fill_is_saved"]
    assert board.drafts() == []
    board.close()


def test_those_without_work_make_room_first_and_lost_work_is_told(
    photo: Path, cheap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_store, "UPLOADS_KEPT", 2)
    board = Board(Opened("empty", "", settings=Settings(probe=False)))
    drawn = upload(board, photo, "drawn.png")["photo"]
    board.stroke(drawn, [[60, 40]], 9)
    upload(board, photo, "idle.png")
    third = upload(board, photo, "third.png")
    assert [item.name for item in board.sessions.listed()] == ["drawn.png", "third.png"]
    assert third["notes"] == []
    board.stroke(third["photo"], [[60, 40]], 9)
    fourth = upload(board, photo, "fourth.png")
    assert [item.name for item in board.sessions.listed()] == ["third.png", "fourth.png"]
    assert "drawn.png made room for it, with a mask that was not saved" in fourth["notes"][0]
    board.close()


def test_the_name_leaves_room_for_what_is_added() -> None:
    assert dropped.LONGEST_STEM + len(".png.layers.png-9999") < 255


def test_a_folder_of_photos_that_has_results_already(
    photo_folder: Path, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cleaned"
    out.mkdir()
    for taken in ("new.png", "new-2.png.png"):
        (out / taken).write_bytes(b"somebody's file")
    board = Board(open_photos(photo_folder, None, Settings(probe=False)))
    assert saved(board, photo).name == "new-3.png"
    assert (out / "new.png").read_bytes() == b"somebody's file"
    board.close()
