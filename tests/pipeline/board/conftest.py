"""Fixtures of the board's tests: a folder of two photos, and a board that has opened it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import open_photos
from remove_objects.pipeline.config import Settings
from tests.support.board_run import make_run
from tests.support.scenes import scene


@pytest.fixture
def photo_folder(tmp_path: Path, red_is_person: None) -> Path:
    """Two photos of 120 x 160 pixels with a red mark: ``a.png`` and ``b.jpg``."""
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(scene(seed=1)).save(photos / "a.png")
    Image.fromarray(scene(seed=2)).save(photos / "b.jpg", quality=90)
    return photos


@pytest.fixture
def run(tmp_path: Path, cheap: None) -> Path:
    """The output folder ``cleaned/`` of a run over ``photos/``, see ``make_run``."""
    return make_run(tmp_path)


@pytest.fixture
def board(photo_folder: Path) -> Iterator[Board]:
    """A board on ``photo_folder``; results go to ``cleaned`` beside it."""
    board = Board(open_photos(photo_folder, None, Settings(probe=False)))
    yield board
    board.close()
