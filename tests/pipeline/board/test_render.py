"""The pictures that the page shows are the photo's own pixels and the mask's."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.types import Box


def decode(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)))


def test_views_show_the_photo_and_the_mask_exactly(board: Board, photo_folder: Path) -> None:
    photo = np.asarray(Image.open(photo_folder / "a.png"))
    window = board.view("a.png", "photo", Box(10, 20, 30, 40), 500, 500)
    assert np.array_equal(decode(window), photo[20:60, 10:40])
    assert decode(board.view("a.png", "photo", None, 80, 60)).shape == (60, 80, 3)
    board.stroke("a.png", [[60, 40]], 8)
    shown = decode(board.view("a.png", "mask", None, 160, 120))
    assert np.array_equal(shown[..., 3] == 255, board.sessions.session("a.png").editor.mask)


@pytest.mark.parametrize(
    ("layer", "window", "size"),
    [
        ("result", None, 9),
        ("photo", Box(150, 0, 20, 20), 9),
        ("photo", Box(0, 0, 0, 5), 9),
        ("photo", None, 9999),
    ],
    ids=["no fill", "outside", "empty", "too large"],
)
def test_impossible_views_are_refused(
    board: Board, layer: str, window: Box | None, size: int
) -> None:
    with pytest.raises(UsageError):
        board.view("a.png", layer, window, size, size)
