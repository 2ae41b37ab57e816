"""The store of open photos: edits survive, and memory and uploads stay bounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.board import session_store
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import Opened, open_photos
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UnreadableError
from tests.support.board_uploads import upload
from tests.support.scenes import scene


def test_edits_survive_other_photos_and_memory_stays_bounded(photo_folder: Path) -> None:
    for i in range(6):
        Image.fromarray(scene(seed=i)).save(photo_folder / f"n{i}.png")
    board = Board(open_photos(photo_folder, None, Settings()))
    board.stroke("a.png", [[60, 40]], 8)
    board.layer("a.png", "object", False)
    board.stroke("a.png", [[100, 40]], 8)
    values = board.sessions.session("a.png").editor.values
    assert len(np.unique(values)) == 3  # nothing, an object, and one that was taken away
    for i in range(6):
        board.open(f"n{i}.png")
    assert len(board.sessions._sessions) == session_store.OPEN_AT_ONCE
    assert "p0" not in board.sessions._sessions
    assert np.array_equal(board.sessions.session("a.png").editor.values, values)
    assert board.sessions._packed == {}


def test_uploads_are_bounded(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(Opened("empty", ""))
    monkeypatch.setattr(session_store, "UPLOAD_PIXELS", 100)
    with pytest.raises(UnreadableError, match="more than the limit of 100") as refused:
        upload(board, photo_folder / "a.png")
    assert str(board.folder) not in str(refused.value)
    assert board.sessions.items == {}
    monkeypatch.undo()
    (photo_folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing more")
    with pytest.raises(UnreadableError, match=r"^broken\.png"):
        upload(board, photo_folder / "broken.png")
    monkeypatch.setattr(session_store, "UPLOADS_KEPT", 2)
    keys = [upload(board, photo_folder / "a.png")["photo"] for _ in range(4)]
    assert list(board.sessions.items) == keys[-2:]
    assert len([p for p in board.folder.iterdir() if p.is_file()]) == 2
    board.close()


@pytest.mark.parametrize(
    "name",
    ["../../evil.png", "C:\\evil.png", "a\nb.png", "<img src=x onerror=alert(1)>.png", "." * 300],
)
def test_strange_names_stay_names(photo_folder: Path, name: str) -> None:
    board = Board(Opened("empty", ""))
    photo = upload(board, photo_folder / "a.png", name)
    assert "\n" not in photo["name"]
    assert "/" not in photo["name"]
    (kept,) = [p for p in board.folder.iterdir() if p.is_file()]
    assert kept.is_relative_to(board.folder)
    board.close()


def test_a_mask_is_a_draft_until_it_is_saved_and_unfilled_until_it_is_filled(
    photo_folder: Path,
) -> None:
    board = Board(open_photos(photo_folder, None, Settings(probe=False)))

    def state() -> tuple[bool, bool, list[str]]:
        told = board.open("a.png")
        return told["unfilled"], told["fill_is_current"], board.drafts()

    assert state() == (False, False, [])
    board.stroke("a.png", [[60, 40]], 8)
    assert state() == (True, False, ["a.png"])
    board.fill("a.png", "auto", False, False)
    assert state() == (False, True, ["a.png"])
    board.stroke("a.png", [[100, 80]], 8)
    assert state() == (True, False, ["a.png"])
    board.edit("a.png", "undo")
    assert state() == (False, True, ["a.png"])
    board.save("a.png")
    assert state() == (False, True, [])
    board.edit("a.png", "undo")
    assert state() == (True, False, ["a.png"])
    rows = {row["name"]: row["draft"] for row in board.photos()["photos"]}
    assert rows == {"a.png": True, "b.jpg": False}
    board.close()


def test_a_draft_that_ends_with_its_file_is_told(photo_folder: Path) -> None:
    board = Board(open_photos(photo_folder, None, Settings()))
    board.stroke("a.png", [[60, 40]], 8)
    Image.fromarray(scene(90, 90, seed=5)).save(photo_folder / "a.png")
    assert session_store.DRAFT_IS_GONE in board.open("a.png")["notes"]
    assert board.drafts() == []
    board.close()
