"""The pictures that the page shows are the photo's own pixels and the mask's."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.mask_editor import TAKEN
from remove_objects.pipeline.board.render import STRIPE, render_layers
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.types import LAYER_COLOURS, Box, Layer


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


def test_layers_are_shown_in_their_colours_and_what_was_taken_away_in_stripes() -> None:
    values = np.zeros((40, 80), np.uint8)
    values[:, :20], values[:, 20:40] = Layer.OBJECT, Layer.SHADOW
    values[:, 40:60] = Layer.CARRIED + TAKEN
    shown = decode(render_layers(values, Box(0, 0, 80, 40), 80, 40))
    for columns, layer in ((slice(0, 20), Layer.OBJECT), (slice(20, 40), Layer.SHADOW)):
        assert (shown[:, columns] == (*LAYER_COLOURS[layer], 255)).all()
    striped = shown[:, 40:60]
    assert (striped[..., :3] == LAYER_COLOURS[Layer.CARRIED]).all()
    assert set(np.unique(striped[..., 3])) == {0, 255}
    assert (striped[..., 3] > 0).mean() == pytest.approx(STRIPE, abs=0.15)
    assert not shown[:, 60:, 3].any()
    # Reduced, a pixel is of the layer that covers most of it, and as opaque as both cover it.
    small = decode(render_layers(values, Box(6, 0, 60, 40), 2, 1))
    assert tuple(small[0, 0]) == (*LAYER_COLOURS[Layer.SHADOW], 255)  # 14 columns object, 16 shadow
    assert tuple(small[0, 1]) == (
        *LAYER_COLOURS[Layer.CARRIED],
        204,
    )  # 4 shadow, 20 carried, 6 none
    assert not decode(render_layers(values * 0, Box(0, 0, 80, 40), 8, 4)).any()


def test_the_board_shows_the_layers_of_its_mask(board: Board) -> None:
    board.stroke("a.png", [[60, 40]], 8)
    shown = decode(board.view("a.png", "layers", None, 160, 120))
    assert np.array_equal(shown[..., 3] == 255, board.sessions.session("a.png").editor.mask)
    board.layer("a.png", "object", False)
    stripes = decode(board.view("a.png", "layers", None, 160, 120))[..., 3] > 0
    assert 0.2 < stripes.sum() / (shown[..., 3] == 255).sum() < 0.6
    with pytest.raises(UsageError):
        board.view("a.png", "layers", Box(150, 0, 20, 20), 9, 9)


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
