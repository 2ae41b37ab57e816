"""The list of opened photos: links that leave the folder, and names that a run writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import is_plain, open_photos
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UnreadableError


def test_links_that_leave_the_folder_are_not_opened(photo_folder: Path) -> None:
    secret = photo_folder.parent / "secret.png"
    Image.new("RGB", (9, 9)).save(secret)
    (photo_folder / "link.png").symlink_to(secret)
    board = Board(open_photos(photo_folder, None, Settings()))
    with pytest.raises(UnreadableError, match="outside the opened folder"):
        board.open("link.png")


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a.jpg", 1), ("deep/a.jpg", 1), ("..", 0), ("a/../b", 0), ("/a", 0), ("", 0), ("a\0", 0)],
)
def test_plain_names_go_only_down(name: str, plain: int) -> None:
    assert is_plain(name) == bool(plain)
