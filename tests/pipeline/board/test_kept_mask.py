"""What a run keeps for the board without saved masks, and what a person's decisions leave of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import images
from remove_objects.pipeline.batch import kept_mask
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.report import previews
from remove_objects.pipeline.storage.layout import OWN
from tests.support.board_run import command, entry_of, fill, load, make_run, review


@pytest.fixture
def plain(tmp_path: Path, cheap: None) -> Path:
    """The output folder of a run without saved masks."""
    return make_run(tmp_path, save_masks=False)


@pytest.fixture
def board(plain: Path) -> Board:
    return Board(run_folder.open_run(plain))


def mask_of(board: Board, name: str) -> np.ndarray:
    return board.sessions.session(name).editor.mask


def test_a_run_keeps_small_masks_and_the_board_opens_with_them(plain: Path, board: Board) -> None:
    assert not (plain / "masks").exists()
    files = list((plain / OWN).iterdir())
    assert {file.suffix for file in files} == {".png"}
    assert len(files) == len(load(plain)["photos"])
    photo = board.open("b.jpg")
    told = entry_of(plain, "b.jpg")
    assert {layer["name"] for layer in photo["layers"]} == set(told["layers"])
    assert not any("saved no mask" in note for note in photo["notes"])
    assert mask_of(board, "b.jpg").mean() == pytest.approx(told["hole_share"], abs=1e-5)


def test_a_run_that_saves_masks_keeps_no_others(tmp_path: Path, cheap: None) -> None:
    assert not (make_run(tmp_path) / OWN).exists()


def test_the_kept_mask_is_of_the_present_result(plain: Path) -> None:
    kept = kept_mask.place(plain, "b.jpg")
    other = np.zeros((120, 160), np.uint8)
    other[:40] = 1
    images.write_layers(other, kept)
    photo = Board(run_folder.open_run(plain)).open("b.jpg")
    assert any("this one is what its result changed" in note for note in photo["notes"])
    # A photo without holes has none.
    Image.fromarray(np.full((120, 160, 3), 90, np.uint8)).save(plain.parent / "photos" / "b.jpg")
    command(plain.parent / "photos", overwrite=True, save_masks=False)
    assert not kept.exists()


def test_a_large_mask_is_not_kept(
    tmp_path: Path, cheap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_mask, "MOST_BYTES", 20)
    cleaned = make_run(tmp_path, save_masks=False)
    assert not (cleaned / OWN).exists()
    assert Board(run_folder.open_run(cleaned)).open("b.jpg")["share"] > 0


def test_a_link_in_place_of_the_kept_mask_is_not_read(plain: Path) -> None:
    kept = kept_mask.place(plain, "b.jpg")
    kept.replace(plain.parent / "elsewhere.png")
    kept.symlink_to(plain.parent / "elsewhere.png")
    photo = Board(run_folder.open_run(plain)).open("b.jpg")
    assert any("this one is what its result changed" in note for note in photo["notes"])


def test_an_acceptance_is_told_kept_and_undone(plain: Path, board: Board) -> None:
    before = entry_of(plain, "b.jpg")
    with pytest.raises(UsageError, match="nobody accepted"):
        board.results.reopen(board.sessions.session("b.jpg"))
    state = board.accept("b.jpg")
    assert (state["decision"], state["undoes"], state["reviewed"]) == ("accepted", "accepted", True)
    assert entry_of(plain, "b.jpg")["decision"] == "accepted"
    assert "Accepted as it is" in (plain / "report.html").read_text()
    told = {p["input"]: p for p in command(plain.parent / "photos", save_masks=False)}
    assert told["b.jpg"]["status"] == "skipped"
    assert told["b.jpg"]["decision"] == "accepted"
    state = board.undo_decision("b.jpg")
    assert (state["decision"], state["undoes"], state["needs_review"]) == (None, None, True)
    assert entry_of(plain, "b.jpg") == before


def test_a_restored_photo_is_told_kept_and_undone_with_its_mask(plain: Path, board: Board) -> None:
    before, mask = entry_of(plain, "a.png"), mask_of(board, "a.png").copy()
    cleaned, shown = (plain / "a.png").read_bytes(), previews.find(plain, "a.png")
    state = board.restore("a.png")
    assert (state["decision"], state["undoes"]) == ("restored", "restored")
    original = (plain.parent / "photos" / "a.png").read_bytes()
    assert (plain / "a.png").read_bytes() == original
    assert "The original was restored" in (plain / "report.html").read_text()
    command(plain.parent / "photos", save_masks=False)
    assert (plain / "a.png").read_bytes() == original
    board.undo_decision("a.png")
    assert (plain / "a.png").read_bytes() == cleaned
    assert entry_of(plain, "a.png") == before
    assert previews.find(plain, "a.png").keys() == shown.keys()  # the page shows it all again
    assert np.array_equal(mask_of(Board(run_folder.open_run(plain)), "a.png"), mask)


def test_a_saved_fill_is_undone_with_its_mask(plain: Path, board: Board) -> None:
    mask, cleaned = mask_of(board, "b.jpg").copy(), (plain / "b.jpg").read_bytes()
    state = review(board, "b.jpg")
    assert (state["decision"], state["undoes"]) == ("mended", "mended")
    assert not np.array_equal(mask_of(board, "b.jpg"), mask)
    board.undo_decision("b.jpg")
    assert (plain / "b.jpg").read_bytes() == cleaned
    assert np.array_equal(mask_of(board, "b.jpg"), mask)
    assert entry_of(plain, "b.jpg")["mask"] is None


def test_an_acceptance_leaves_an_earlier_decision(plain: Path, board: Board) -> None:
    review(board, "b.jpg")
    mended = entry_of(plain, "b.jpg")
    assert board.accept("b.jpg")["decision"] == "mended"  # as from a window that shows it as it was
    assert entry_of(plain, "b.jpg") == mended


def test_a_fill_that_is_not_saved_is_forgotten_and_the_mask_stays(board: Board) -> None:
    fill(board, "b.jpg")
    mask = mask_of(board, "b.jpg").copy()
    state = board.drop_fill("b.jpg")
    assert (state["filled"], state["fill_is_current"], state["report"]) == (None, False, None)
    assert np.array_equal(mask_of(board, "b.jpg"), mask)
    with pytest.raises(UsageError, match="nothing is filled"):
        board.save("b.jpg")


def test_classes_added_to_a_result_keep_the_mask_of_both(plain: Path) -> None:
    rgb = np.asarray(Image.open(plain.parent / "photos" / "a.png")).copy()
    rgb[10:30, 10:30] = (20, 20, 250)
    folder = plain.parent / "more" / "photos"
    folder.mkdir(parents=True)
    Image.fromarray(rgb).save(folder / "a.png")
    for classes, add in ((("person",), False), (("dog",), True)):
        remove_folder([folder], Settings(probe=False), BatchSettings(classes=classes, add=add))
    cleaned = folder.with_name("cleaned")
    mask = mask_of(Board(run_folder.open_run(cleaned)), "a.png")
    assert mask[20, 20]
    assert mask[(rgb[..., 0] > 200) & (rgb[..., 1] < 60)].all()
