"""The layers beside a mask that a person saves: they never say of a pixel what is not so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.batch.output.replaced import versions
from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.errors import ExistsError, UsageError
from remove_objects.pipeline.storage.stamp import is_unchanged
from remove_objects.pipeline.types import Layer
from tests.support.board_run import command, entry_of, fill, make_run, review

MASK, LAYERS = "masks/b.png", "masks/b.layers.png"


@pytest.fixture
def opened(run: Path) -> Iterator[Board]:
    board = Board(run_folder.open_run(run))
    yield board
    board.close()


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture)


def kept(folder: Path, name: str) -> list[bytes]:
    return [version.path.read_bytes() for version in versions(folder, PurePosixPath(name))]


def test_a_pixel_that_stays_keeps_its_layer_and_a_new_one_is_of_the_object(
    run: Path, opened: Board
) -> None:
    before, content = pixels(run / LAYERS), (run / LAYERS).read_bytes()
    assert (before == Layer.SHADOW).any()
    shadow = np.argwhere(before == Layer.SHADOW)
    y, x = (int(value) for value in shadow[0])
    opened.stroke("b.jpg", [[x, y]], 2, True)
    state = review(opened, "b.jpg")
    assert state["mask"] == str(run / MASK)
    mask, after = pixels(run / MASK), pixels(run / LAYERS)
    assert np.array_equal(after > 0, mask)
    assert not mask[y, x]
    both = mask & (before > 0)
    assert np.array_equal(after[both], before[both])
    assert (after == Layer.SHADOW).any()
    assert (after[mask & (before == 0)] == Layer.OBJECT).all()
    assert after[20, 100] == Layer.OBJECT  # the stroke
    assert is_unchanged(run / LAYERS, Journal(run).rows["b.jpg"].get("layers_written"))
    assert kept(run, LAYERS) == [content]
    shares = entry_of(run, "b.jpg")["layers"]
    assert shares == {
        layer.label: pytest.approx((after == layer).mean(), abs=1e-5)
        for layer in (Layer.OBJECT, Layer.SHADOW)
    }
    assert {p["status"] for p in command(run.parent / "photos") if p["input"] == "b.jpg"} == {
        "skipped"
    }


def test_the_board_removes_what_is_seen_and_no_shadow_besides(opened: Board) -> None:
    opened.edit("b.jpg", "clear")
    opened.stroke("b.jpg", [[100, 20], [130, 40]], 6)
    opened.fill("b.jpg", "auto", False, False)
    filled = opened.sessions.session("b.jpg").require_fill()
    assert filled.outcome.mask is not None
    assert np.array_equal(filled.outcome.mask, filled.mask)


def test_the_layers_of_a_run_are_shown(run: Path, opened: Board) -> None:
    layers = pixels(run / LAYERS)
    editor = opened.sessions.session("b.jpg").editor
    assert np.array_equal(editor.layers, layers)
    assert opened.open("b.jpg")["layers"] == [
        {
            "name": layer.label,
            "share": pytest.approx((layers == layer).mean(), abs=1e-6),
            "taken": 0,
        }
        for layer in (Layer.OBJECT, Layer.SHADOW)
    ]
    assert list(opened.photos()["colours"]) == ["object", "shadow", "reflection", "carried"]


def test_a_layer_that_was_taken_away_is_neither_filled_nor_saved(run: Path, opened: Board) -> None:
    before, photo = pixels(run / LAYERS), pixels(run.parent / "photos" / "b.jpg")
    state = opened.layer("b.jpg", "shadow", False)
    assert [(one["name"], one["share"] > 0) for one in state["layers"]] == [
        ("object", True),
        ("shadow", False),
    ]
    opened.fill("b.jpg", "auto", False, False)
    filled = opened.sessions.session("b.jpg").require_fill()
    result = filled.outcome.result
    assert result is not None
    assert np.array_equal(result[before == Layer.SHADOW], photo[before == Layer.SHADOW])
    opened.save("b.jpg")
    after = pixels(run / LAYERS)
    assert np.array_equal(after, np.where(before == Layer.OBJECT, before, 0))
    assert np.array_equal(pixels(run / MASK), after > 0)
    assert is_unchanged(run / LAYERS, Journal(run).rows["b.jpg"].get("layers_written"))
    assert set(entry_of(run, "b.jpg")["layers"]) == {"object"}
    statuses = {p["input"]: p["status"] for p in command(run.parent / "photos")}
    assert statuses["b.jpg"] == "skipped"
    opened.put_back("b.jpg")  # its shadow goes again, as a shadow
    assert np.array_equal(opened.sessions.session("b.jpg").editor.layers, before)


def test_a_click_on_a_part_is_saved_and_a_layer_that_comes_back_too(
    run: Path, opened: Board
) -> None:
    before = pixels(run / LAYERS)
    y, x = (int(value) for value in np.argwhere(before == Layer.SHADOW)[0])
    taken = opened.part("b.jpg", x, y)
    assert (taken["layer"], taken["given"]) == ("shadow", False)
    opened.fill("b.jpg", "auto", False, False)
    assert opened.part("b.jpg", x, y)["given"]
    with pytest.raises(UsageError, match="the mask has changed"):
        opened.save("b.jpg")
    opened.edit("b.jpg", "undo")
    assert opened.part("b.jpg", 0, 0)["layer"] is None
    opened.layer("b.jpg", "shadow", True)
    opened.stroke("b.jpg", [[100, 20]], 4)
    opened.fill("b.jpg", "auto", False, False)
    opened.save("b.jpg")
    after = pixels(run / LAYERS)
    assert np.array_equal(after[before > 0], before[before > 0])
    assert after[20, 100] == Layer.OBJECT
    for layer in ("none", "Shadow", "", "glow"):
        with pytest.raises(UsageError, match="the layers are object, shadow"):
            opened.layer("b.jpg", layer, True)


def test_layers_of_another_size_are_passed_over(run: Path) -> None:
    Image.fromarray(pixels(run / LAYERS)[:50]).save(run / LAYERS)
    board = Board(run_folder.open_run(run))
    names = [one["name"] for one in board.open("b.jpg")["layers"]]
    assert names == ["object"]
    board.close()


def test_layers_come_back_with_their_mask_and_go_with_it(run: Path, opened: Board) -> None:
    first = (run / LAYERS).read_bytes()
    row = Journal(run).rows["b.jpg"]
    review(opened, "b.jpg")
    mended = (run / LAYERS).read_bytes()
    assert mended != first
    opened.put_back("b.jpg")
    assert (run / LAYERS).read_bytes() == first
    recorded = Journal(run).rows["b.jpg"].get("layers_written")
    assert recorded is not None
    assert recorded[-1] == (row.get("layers_written") or [None])[-1]
    assert entry_of(run, "b.jpg")["layers"] == row["entry"].get("layers")
    opened.put_back("b.jpg")  # undoes it
    assert (run / LAYERS).read_bytes() == mended
    opened.restore("b.jpg")
    assert (run / LAYERS).read_bytes() == mended  # as the mask's file, it stays
    opened.put_back("b.jpg")
    assert (run / LAYERS).read_bytes() == mended


def test_layers_of_a_result_that_had_none_go(tmp_path: Path, cheap: None) -> None:
    run = make_run(tmp_path, save_masks=False)
    board = Board(run_folder.open_run(run))
    review(board, "b.jpg")
    layers = (run / LAYERS).read_bytes()
    board.put_back("b.jpg")
    assert not (run / LAYERS).exists()
    assert Journal(run).rows["b.jpg"].get("layers_written") is None
    assert kept(run, LAYERS) == [layers]
    board.put_back("b.jpg")
    assert (run / LAYERS).read_bytes() == layers
    board.close()


def test_a_mask_of_an_earlier_version_comes_back_without_the_layers_of_another(
    run: Path, opened: Board
) -> None:
    journal = Journal(run)
    row = dict(journal.rows["b.jpg"])
    row.pop("layers_written")
    (run / LAYERS).unlink()
    journal.add(row)  # type: ignore[arg-type]
    journal.finish()
    mask = (run / MASK).read_bytes()
    review(opened, "b.jpg")
    assert np.array_equal(pixels(run / LAYERS) == Layer.OBJECT, pixels(run / MASK))
    opened.put_back("b.jpg")
    assert (run / MASK).read_bytes() == mask
    assert not (run / LAYERS).exists()


def test_layers_that_somebody_changed_are_replaced_only_on_request(
    run: Path, opened: Board
) -> None:
    layers = pixels(run / LAYERS).copy()
    layers[:3] = Layer.OBJECT
    picture = Image.fromarray(layers)
    picture.putpalette(bytes(768))
    picture.save(run / LAYERS)
    content = (run / LAYERS).read_bytes()
    result = (run / "b.jpg").read_bytes()
    fill(opened, "b.jpg")
    with pytest.raises(ExistsError, match=r"b\.layers\.png: exists"):
        opened.save("b.jpg")
    assert ((run / LAYERS).read_bytes(), (run / "b.jpg").read_bytes()) == (content, result)
    opened.save("b.jpg", True)
    assert kept(run, LAYERS) == [content]


def test_without_a_run_layers_are_saved_and_put_back_too(photo_folder: Path, board: Board) -> None:
    cleaned = photo_folder.parent / "cleaned"
    review(board, "a.png")
    assert np.array_equal(
        pixels(cleaned / "masks" / "a.layers.png") > 0, pixels(cleaned / "masks" / "a.png")
    )
    first = (cleaned / "masks" / "a.layers.png").read_bytes()
    board.stroke("a.png", [[20, 100]], 5)
    board.fill("a.png", compare=False)
    board.save("a.png")
    assert (cleaned / "masks" / "a.layers.png").read_bytes() != first
    board.put_back("a.png")
    assert (cleaned / "masks" / "a.layers.png").read_bytes() == first
