"""Clicks at the board: single objects come and go, and anything is selected, added and undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import open_photos
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.images import write_layers, write_mask
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import KEPT, Layer
from tests.support.scenes import scene

#: Two people and a dog, who stand apart.
PEOPLE, DOG = ((20, 40, 20, 40), (60, 40, 20, 40)), (110, 60, 24, 20)


def photo() -> np.ndarray:
    picture = scene(person=None)
    for (x, y, w, h), colour in (
        *((box, (255, 0, 0)) for box in PEOPLE),
        (DOG, (0, 0, 255)),
    ):
        picture[y : y + h, x : x + w] = colour
    return picture


def inside(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    x, y, w, h = box
    return slice(y, y + h), slice(x, x + w)


@pytest.fixture
def board(tmp_path: Path, red_is_person: None) -> Iterator[Board]:
    """A board on ``a.png``, whose first person a run removed and whose second it kept."""
    Image.fromarray(photo()).save(tmp_path / "a.png")
    layers, kept = np.zeros((120, 160), np.uint8), np.zeros((120, 160), bool)
    layers[inside(PEOPLE[0])] = Layer.OBJECT
    kept[inside(PEOPLE[1])] = True
    masks = tmp_path / "cleaned" / "masks"
    masks.mkdir(parents=True)
    write_mask(layers > 0, masks / "a.png")
    write_layers(layers, masks / "a.layers.png", kept=kept)
    board = Board(open_photos(tmp_path / "a.png", None, Settings(probe=False)))
    yield board
    board.close()


def mask(board: Board) -> np.ndarray:
    return board.sessions.session("a.png").editor.mask


def test_a_click_takes_one_person_and_adds_another_one_and_a_dog(board: Board) -> None:
    before = mask(board)
    assert before[inside(PEOPLE[0])].all()
    taken = board.click_object("a.png", 30, 60)
    assert (taken["object"], taken["added"]) == ("person", False)
    assert not mask(board).any()
    added = board.click_object("a.png", 70, 60)  # whom the run kept: who is clicked goes
    assert (added["object"], added["added"]) == ("person", True)
    assert mask(board)[inside(PEOPLE[1])].all()
    assert not mask(board)[:, :50].any()
    dog = board.click_object("a.png", 120.5, 70)  # no run asked for dogs
    assert (dog["object"], dog["added"]) == ("dog", True)
    assert mask(board)[inside(DOG)].all()
    one = board.sessions.session("a.png")
    assert set(np.unique(one.editor.layers)) == {0, Layer.OBJECT}
    board.click_object("a.png", 120.5, 70)
    assert not mask(board)[inside(DOG)].any()
    for _ in range(4):
        board.edit("a.png", "undo")
    assert np.array_equal(mask(board), before)
    nothing = board.click_object("a.png", 150, 5)
    assert (nothing["object"], nothing["added"]) == (None, False)
    assert np.array_equal(mask(board), before)


def test_objects_are_looked_for_once(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    board.click_object("a.png", 30, 60)
    monkeypatch.setattr(ObjectRemover, "clickable", lambda *_: pytest.fail("looked again"))
    board.click_object("a.png", 70, 60)


def test_a_saved_mask_still_says_who_is_kept(board: Board, tmp_path: Path) -> None:
    board.click_object("a.png", 120, 70)
    board.fill("a.png", compare=False, probe=False)
    board.save("a.png", replace_existing=True)
    with Image.open(tmp_path / "cleaned" / "masks" / "a.layers.png") as saved:
        values = np.array(saved)
    assert (values[inside(PEOPLE[1])] == KEPT).all()
    assert (values[inside(DOG)] == Layer.OBJECT).all()


def test_a_selection_is_shown_added_and_undone(board: Board) -> None:
    before = mask(board)
    state = board.select_clicks("a.png", [[122, 70, 1]])
    assert state["draft"] == 1
    assert np.array_equal(mask(board), before)  # not before it is added
    shown = board.view("a.png", "draft", None, 160, 120)
    assert shown[:4] == b"\x89PNG"
    more = board.select_clicks("a.png", [[122, 70, 1], [90, 20, 1]])
    assert more["draft"] == 2
    assert more["draft_share"] > state["draft_share"] > 0
    with pytest.raises(UsageError, match="no longer"):
        board.add_selection("a.png", 1)
    added = board.add_selection("a.png", 2)
    assert added["draft"] is None
    assert mask(board)[70, 122]
    assert mask(board)[20, 90]
    with pytest.raises(UsageError, match="no longer"):
        board.add_selection("a.png", 2)
    board.edit("a.png", "undo")
    assert np.array_equal(mask(board), before)
    board.select_clicks("a.png", [[122, 70, 1]])
    assert board.drop_selection("a.png")["draft"] is None
    with pytest.raises(UsageError, match="draft"):
        board.view("a.png", "draft", None, 160, 120)
    assert np.array_equal(mask(board), before)


def test_nothing_that_stays_is_selected(board: Board) -> None:
    """Neither whom the run kept, nor whom a click took, nor a layer that was taken away."""
    board.click_object("a.png", 30, 60)
    board.stroke("a.png", [[120, 20], [140, 20]], 6)
    board.layer("a.png", "object", False)
    for place in ((70, 60), (30, 60), (130, 20)):
        with pytest.raises(UsageError, match="what was clicked stays"):
            board.select_clicks("a.png", [[*place, 1]])
    # Clicks all over the photo select nothing of them.
    everywhere = [[x, y, 1] for x in (5, 50, 100, 150) for y in (5, 105)]
    state = board.select_clicks("a.png", everywhere)
    board.add_selection("a.png", state["draft"])
    found = mask(board)
    assert found.mean() > 0.05
    assert not found[inside(PEOPLE[0])].any()
    assert not found[inside(PEOPLE[1])].any()
    assert not found[18:22, 118:142].any()


@pytest.mark.parametrize("place", [(-1, 5), (5, -0.5), (160, 5), (5, 120), (float("nan"), 5)])
def test_points_outside_the_photo_are_refused(board: Board, place: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="outside the photo"):
        board.click_object("a.png", *place)
    with pytest.raises(UsageError, match="outside the photo"):
        board.select_clicks("a.png", [[*place, 1]])
