"""One open photo: the mask it begins with."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import open_photos
from remove_objects.pipeline.config import Settings


def test_a_saved_mask_of_another_shape_is_reported_and_not_used(photo_folder: Path) -> None:
    masks = photo_folder.parent / "cleaned" / "masks"
    masks.mkdir(parents=True)
    Image.new("L", (50, 50), 255).save(masks / "a.png")
    board = Board(open_photos(photo_folder, None, Settings()))
    photo = board.open("a.png")
    assert photo["share"] == 0
    assert any("not used" in note for note in photo["notes"])
