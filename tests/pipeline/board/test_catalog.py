"""The list of opened photos: links that leave the folder are not opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import open_photos
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UnreadableError


def test_links_that_leave_the_folder_are_not_opened(photo_folder: Path) -> None:
    secret = photo_folder.parent / "secret.png"
    Image.new("RGB", (9, 9)).save(secret)
    (photo_folder / "link.png").symlink_to(secret)
    board = Board(open_photos(photo_folder, None, Settings()))
    with pytest.raises(UnreadableError, match="outside the opened folder"):
        board.open("link.png")
