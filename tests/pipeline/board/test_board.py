"""The board without its page: draw, select, fill and download as a person or a program does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.models.categories import CLASSES
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import Opened, open_photos
from remove_objects.pipeline.config import ALONG, Settings
from remove_objects.pipeline.errors import UnreadableError, UsageError
from remove_objects.pipeline.types import Layer
from tests.support.board_uploads import upload
from tests.support.scenes import scene


def test_a_stroke_is_filled_and_nothing_else_changes(board: Board, photo_folder: Path) -> None:
    before = (photo_folder / "a.png").read_bytes()
    board.stroke("a.png", [[60, 40], [80, 70]], 12)
    state = board.fill("a.png")
    assert state["fill_is_current"]
    assert state["report"]["holes"][0]["route"] == "free-form"
    assert (
        set(state["report"]["holes"][0]["compare"])
        == {"navier-stokes", "telea"}
        == set(state["compared"])
    )
    saved = board.save("a.png")
    result = np.asarray(Image.open(saved["output"]))
    changed = (result != np.asarray(Image.open(photo_folder / "a.png"))).any(2)
    mask = np.asarray(Image.open(saved["mask"]))
    assert changed.sum() > 400
    assert not (changed & ~mask).any()
    yy, xx = np.nonzero(mask)
    assert (xx.min() >= 47, xx.max() <= 92, yy.min() >= 27, yy.max() <= 82) == (True,) * 4
    assert Path(saved["output"]) == photo_folder.parent / "cleaned" / "a.png"
    assert (photo_folder / "a.png").read_bytes() == before


def test_a_class_is_added_and_subtracted_with_its_radius(board: Board) -> None:
    state = board.select_class("a.png", ["person"], 0)
    red = (np.asarray(Image.open(board.sessions.find("a.png").source)) == (255, 0, 0)).all(2)
    mask = board.sessions.session("a.png").editor.mask
    assert state["class_share"] == pytest.approx(red.mean(), abs=1e-4)
    assert np.array_equal(mask, red)
    board.stroke("a.png", [[140, 100]], 5)
    wide = board.select_class("a.png", ["person"], 6, "subtract")
    assert wide["class_share"] > state["class_share"]
    assert not (board.sessions.session("a.png").editor.mask & red).any()
    assert board.sessions.session("a.png").editor.mask[100, 140]
    for classes, message in (([], "at least one"), (["unicorn"], "unicorn")):
        with pytest.raises(UsageError, match=message):
            board.select_class("a.png", classes)


@pytest.mark.parametrize("along", [ALONG, ()])
def test_a_class_brings_along_what_the_settings_say(
    tmp_path: Path, cheap: None, along: tuple[str, ...]
) -> None:
    photo = scene(seed=1)
    Image.fromarray(photo).save(tmp_path / "a.png")
    board = Board(open_photos(tmp_path / "a.png", None, Settings(probe=False, along=along)))
    state = board.select_class("a.png", ["person"], 0)
    red = (photo == (255, 0, 0)).all(2)
    layers = board.sessions.session("a.png").editor.layers
    assert state["doubtful"] == []
    assert state["class_share"] == pytest.approx((layers > 0).mean(), abs=1e-6)
    assert state["found"] == {
        layer.label: pytest.approx((layers == layer).mean(), abs=1e-5)
        for layer in ((Layer.OBJECT, Layer.SHADOW) if along else (Layer.OBJECT,))
    }
    assert np.array_equal(layers == Layer.OBJECT, red)
    report = board.fill("a.png", compare=False, probe=False)["report"]
    assert report["layers"] == {
        name: pytest.approx(share, abs=1e-4) for name, share in state["found"].items()
    }
    # What goes along can stay all the same, and the fill is of what is shown.
    board.layer("a.png", "shadow", False)
    board.fill("a.png", compare=False, probe=False)
    filled = board.sessions.session("a.png").require_fill()
    assert filled.outcome.mask is not None
    assert np.array_equal(filled.outcome.mask, red)
    board.select_class("a.png", ["person"], 0, "subtract")
    assert not board.sessions.session("a.png").editor.mask.any()
    board.close()


@pytest.mark.parametrize("along", [ALONG, ()])
def test_what_goes_along_with_a_drawn_object_is_found(
    tmp_path: Path, cheap: None, along: tuple[str, ...]
) -> None:
    Image.fromarray(scene(person=None)).save(tmp_path / "a.png")
    board = Board(open_photos(tmp_path / "a.png", None, Settings(probe=False, along=along)))
    with pytest.raises(UsageError, match="nothing is selected"):
        board.find_along("a.png")
    editor = board.sessions.session("a.png").editor
    board.stroke("a.png", [[40, 40], [60, 40]], 12)
    drawn = editor.mask
    state = board.find_along("a.png")
    shadow = editor.layers == Layer.SHADOW
    assert np.array_equal(editor.layers == Layer.OBJECT, drawn)
    assert state["found"] == {"shadow": pytest.approx(shadow.mean(), abs=1e-5)}
    assert shadow.any()
    assert not board.find_along("a.png")["found"]  # it has it already
    # What was taken away stays so, and a shadow throws none.
    board.layer("a.png", "shadow", False)
    board.stroke("a.png", [[120, 40]], 8)
    board.find_along("a.png")
    assert not (editor.mask & shadow).any()
    assert (editor.layers == Layer.SHADOW)[:, 100:].any()
    board.layer("a.png", "object", False)
    with pytest.raises(UsageError, match="no object is marked"):
        board.find_along("a.png")
    board.close()


def test_the_classes_on_offer_begin_with_the_runs_own(board: Board) -> None:
    offered = board.photos()["categories"]
    assert offered[0] == "person"
    assert sorted(offered) == sorted(CLASSES)
    run = Board(Opened("run", "cleaned", classes=("dog", "car")))
    offered = run.photos()["categories"]
    run.close()
    assert offered[:3] == ["dog", "car", "person"]
    assert sorted(offered) == sorted(CLASSES)


@pytest.mark.parametrize("photo", ["../a.png", "/etc/passwd", "p99", "", "a.png\0", "photos/a.png"])
def test_a_name_is_never_a_path(board: Board, photo: str) -> None:
    with pytest.raises(UsageError, match="not one of the opened photos"):
        board.open(photo)


def test_an_uploaded_photo_is_downloaded_in_its_own_format(photo_folder: Path) -> None:
    board = Board(Opened("empty", "", settings=Settings(probe=False)))
    photo = upload(board, photo_folder / "b.jpg")
    assert photo["saves_to"] is None
    key = photo["photo"]
    board.stroke(key, [[60, 40]], 8)
    board.fill(key, compare=False)
    with pytest.raises(UsageError, match="download"):
        board.save(key)
    path, name = board.download(key, "result")
    assert name == "b.jpg"
    assert path.read_bytes()[:3] == b"\xff\xd8\xff"
    path, name = board.download(key, "mask")
    assert name == "b-mask.png"
    assert np.array_equal(np.asarray(Image.open(path)), board.sessions.session(key).editor.mask)
    with pytest.raises(UsageError, match="result and mask"):
        board.download(key, "../b")
    assert path.is_relative_to(board.folder)
    board.close()
    assert not board.folder.exists()


def test_a_mask_file_of_twice_the_size_is_applied(board: Board, photo_folder: Path) -> None:
    mask = np.zeros((240, 320), bool)
    mask[20:60, 40:80] = True
    path = photo_folder.parent / "mask.png"
    Image.fromarray(mask).save(path)
    board.load_mask("a.png", path)
    assert np.array_equal(board.sessions.session("a.png").editor.mask, mask[::2, ::2])
    Image.new("L", (50, 50)).save(path)
    with pytest.raises(UnreadableError, match="same shape"):
        board.load_mask("a.png", path)
