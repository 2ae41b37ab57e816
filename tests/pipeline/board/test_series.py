"""Fill at the board uses photos of the same place, as a run does."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch import series as batch_series
from remove_objects.pipeline.batch.run import FolderResult, remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.cli import open_path, parser
from remove_objects.pipeline.board.job import CancelledError
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from remove_objects.pipeline.storage.stamp import mark
from tests.support.board_uploads import upload
from tests.support.hand_held import (
    empty_shot,
    place,
    save,
    save_shots,
    shot,
    walker,
    with_person,
)
from tests.support.snapshots import snapshot

QUICK = Settings(probe=False)
OTHERS = {"IMG_0.png", "IMG_2.png"}


@pytest.fixture
def photos(tmp_path: Path, red_is_person: None) -> Path:
    """Three photos of one place, two seconds apart."""
    return save_shots(tmp_path / "photos")


@pytest.fixture
def covered(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The neighbours that were segmented."""
    seen: list[np.ndarray] = []
    real = ObjectRemover.hidden

    def spy(self: ObjectRemover, photo: Any, *arguments: Any) -> Any:
        seen.append(photo.rgb)
        return real(self, photo, *arguments)

    monkeypatch.setattr(ObjectRemover, "hidden", spy)
    return seen


@pytest.fixture
def boards() -> Iterator[list[Board]]:
    opened: list[Board] = []
    yield opened
    for board in opened:
        board.close()


def board_on(path: Path, boards: list[Board], *options: str) -> Board:
    always = ("--with", "none", "--segmenter", "compact")  # BoxSegmenter stands for it
    board = Board(open_path(parser().parse_args([str(path), *always, *options])))
    boards.append(board)
    return board


def clean(photos: Path, **changes: Any) -> FolderResult:
    batch = {"classes": ("person",), "workers": 1, "save_masks": True, **changes}
    return remove_folder([photos], QUICK, BatchSettings(**batch))


def fill(board: Board, name: str = "IMG_1.png") -> dict[str, Any]:
    board.open(name)
    if board.sessions.session(name).editor.mask.sum() == 0:
        board.select_class(name, ["person"])
    return board.fill(name, "auto", False, False)["report"]


def lent(report: dict[str, Any]) -> dict[str, float]:
    (hole,) = report["holes"]
    return hole.get("borrowed", {})


def error(result: np.ndarray, number: int = 1) -> float:
    true = empty_shot(number).astype(float)
    return float(np.abs(result.astype(float) - true)[walker(number)].mean())


def filled(board: Board, name: str = "IMG_1.png") -> np.ndarray:
    return np.asarray(board.sessions.session(name).layer("result"))


def rows(photos: Path) -> dict[str, Any]:
    lines = (photos.parent / "cleaned" / JOURNAL_NAME).read_text().splitlines()
    return {row["input"]: row for row in map(json.loads, lines) if "input" in row}


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("a photo was read")


def test_fill_shows_what_a_neighbour_shows(photos: Path, boards: list[Board]) -> None:
    before = snapshot(photos)
    board = board_on(photos, boards)
    report = fill(board)
    assert lent(report).keys() <= OTHERS
    assert sum(lent(report).values()) > 0.9
    alone = board_on(photos, boards, "--series", "off")
    assert lent(fill(alone)) == {}
    assert error(filled(board)) < 0.5 * error(filled(alone))
    assert snapshot(photos) == before
    assert not (photos.parent / "cleaned").exists()


def test_off_reads_no_other_photo(
    photos: Path, boards: list[Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_series, "read_glance", refuse)
    assert lent(fill(board_on(photos, boards, "--series", "off"))) == {}


def test_nothing_is_looked_for_before_a_fill_and_all_of_it_once(
    photos: Path,
    boards: list[Board],
    covered: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    glanced: list[Path] = []
    real = batch_series.read_glance

    def spy(file: Path, **options: Any) -> Any:
        glanced.append(file)
        return real(file, **options)

    monkeypatch.setattr(batch_series, "read_glance", spy)
    board = board_on(photos, boards)
    board.open("IMG_1.png")
    board.select_class("IMG_1.png", ["person"])
    assert (glanced, covered) == ([], [])
    first = lent(fill(board))
    assert (len(glanced), len(covered)) == (3, 2)
    board.stroke("IMG_1.png", [[310, 150]], 8)
    assert sum(lent(fill(board)).values()) == pytest.approx(sum(first.values()), abs=0.1)
    assert (len(glanced), len(covered)) == (3, 2)


def test_the_report_and_the_journal_are_those_of_a_run(photos: Path, boards: list[Board]) -> None:
    clean(photos)
    by_run = rows(photos)["IMG_1.png"]
    board = board_on(photos.parent / "cleaned", boards)
    assert lent(fill(board)).keys() <= OTHERS
    board.save("IMG_1.png")
    row = rows(photos)["IMG_1.png"]
    assert row["neighbours"] == by_run["neighbours"] == ["IMG_0.png", "IMG_2.png"]
    (hole,) = row["entry"]["holes"]
    assert row["borrowed"].keys() == hole["borrowed"].keys()
    for name, (source, marked, _) in row["borrowed"].items():
        assert (source, marked) == (str(photos / name), mark(photos / name))
    result = np.asarray(Image.open(photos.parent / "cleaned" / "IMG_1.png"))
    assert error(result) < 8


def test_what_was_mended_stays_whatever_becomes_of_the_neighbours(
    photos: Path, boards: list[Board]
) -> None:
    clean(photos)
    board = board_on(photos.parent / "cleaned", boards)
    fill(board)
    board.save("IMG_1.png")
    mended = (photos.parent / "cleaned" / "IMG_1.png").read_bytes()
    save(with_person(empty_shot(0), 60, 160, 60, 120), photos / "IMG_0.png", 0)
    (photos / "IMG_2.png").unlink()
    result = clean(photos)
    assert {p["input"]: p["status"] for p in result.photos}["IMG_1.png"] == "skipped"
    assert (photos.parent / "cleaned" / "IMG_1.png").read_bytes() == mended


def test_a_decision_that_fills_from_nobody_says_so(photos: Path, boards: list[Board]) -> None:
    clean(photos)
    assert rows(photos)["IMG_1.png"]["borrowed"]
    board = board_on(photos.parent / "cleaned", boards, "--series", "off")
    fill(board)
    board.save("IMG_1.png")
    assert not {"borrowed", "neighbours"} & rows(photos)["IMG_1.png"].keys()
    board.put_back("IMG_1.png")
    assert rows(photos)["IMG_1.png"]["borrowed"]
    board.restore("IMG_1.png")
    assert not {"borrowed", "neighbours"} & rows(photos)["IMG_1.png"].keys()


@pytest.mark.parametrize("opened", ["cleaned", "photos"])
def test_the_runs_own_setting_decides(
    opened: str, photos: Path, boards: list[Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    clean(photos, series="off")
    board = board_on(photos.parent / opened, boards)
    with monkeypatch.context() as patch:
        patch.setattr(batch_series, "read_glance", refuse)
        assert lent(fill(board)) == {}
    assert lent(fill(board_on(photos.parent / opened, boards, "--series", "auto")))


def test_a_fixed_camera(tmp_path: Path, red_is_person: None, boards: list[Board]) -> None:
    photos = tmp_path / "photos"
    for number in range(3):
        rows_, columns = walker(number)
        picture = with_person(empty_shot(0), columns.start, rows_.start, 60, 120)
        save(picture, photos / f"door{'abc'[number]}.png")
    clean(photos, series="fixed")
    report = fill(board_on(tmp_path / "cleaned", boards), "doorb.png")
    assert lent(report).keys() <= {"doora.png", "doorc.png"}
    assert sum(lent(report).values()) > 0.9


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_a_neighbour_that_cannot_be_read_is_a_warning(
    how: str, photos: Path, boards: list[Board]
) -> None:
    board = board_on(photos, boards)
    fill(board)
    other = photos / "IMG_2.png"
    other.write_bytes(other.read_bytes()[:5000]) if how == "damaged" else other.unlink()
    report = fill(board)
    assert any("IMG_2.png of its series was left out" in text for text in report["warnings"])
    assert lent(report).keys() == {"IMG_0.png"}
    assert not any("left out" in text for text in fill(board)["warnings"])


def test_a_neighbour_that_changed_is_left_out_once_and_then_seen_as_it_is(
    photos: Path, boards: list[Board]
) -> None:
    board = board_on(photos, boards)
    fill(board)
    (photos / "IMG_2.png").unlink()
    save(place(9, 480, 640), photos / "IMG_0.png", 0)
    first = fill(board)
    assert lent(first) == {}
    assert any("IMG_0.png of its series was left out" in text for text in first["warnings"])
    save(shot(0), photos / "IMG_0.png", 0)
    os.utime(photos / "IMG_0.png", ns=(1, 1))
    fill(board)
    assert lent(fill(board)).keys() == {"IMG_0.png"}


def test_a_neighbour_that_became_a_link_out_of_the_folder_is_not_read(
    photos: Path, boards: list[Board]
) -> None:
    board = board_on(photos, boards)
    elsewhere = shutil.move(photos / "IMG_0.png", photos.parent / "elsewhere.png")
    (photos / "IMG_0.png").symlink_to(elsewhere)
    assert lent(fill(board)).keys() == {"IMG_2.png"}


def test_somebody_who_is_kept_in_a_neighbour_is_not_copied(
    tmp_path: Path, red_is_person: None, boards: list[Board]
) -> None:
    """In the neighbour somebody smaller stands where the hole is, and the run kept him."""
    photos = tmp_path / "photos"
    save(with_person(empty_shot(0), 280, 160, 60, 120), photos / "IMG_0.png", 0)
    save(with_person(empty_shot(0), 290, 180, 40, 80), photos / "IMG_1.png", 2)
    kept = remove_folder(
        [photos], replace(QUICK, keep="largest"), BatchSettings(classes=("person",), workers=1)
    )
    assert [photo["status"] for photo in kept.photos] == ["unchanged"] * 2
    board = board_on(photos.parent / "cleaned", boards)
    board.stroke("IMG_0.png", [[310, 170], [310, 270]], 40)
    report = board.fill("IMG_0.png", "auto", False, False)["report"]
    assert lent(report)["IMG_1.png"] > 0.3
    red = np.abs(filled(board, "IMG_0.png").astype(int) - (255, 0, 0)).sum(2) < 200
    assert not red.any()


def test_a_thing_that_stands_in_all_photos_and_was_drawn_over_does_not_come_back(
    tmp_path: Path, red_is_person: None, boards: list[Board]
) -> None:
    photos = tmp_path / "photos"
    for number in range(3):
        picture = empty_shot(number)
        picture[150:230, 300 - 5 * number : 350 - 5 * number] = place(7, 80, 50)
        save(picture, photos / f"IMG_{number}.png", 2 * number)
    board = board_on(photos, boards)
    board.stroke("IMG_1.png", [[320, 170], [320, 210]], 42)
    assert lent(board.fill("IMG_1.png", "auto", False, False)["report"]) == {}


def test_what_a_neighbours_saved_mask_covers_is_not_copied(
    tmp_path: Path, red_is_person: None, boards: list[Board]
) -> None:
    """Something that no class names stands in the neighbour alone, and was removed there."""
    photos = tmp_path / "photos"
    thing = slice(200, 240), slice(295, 325)
    green = empty_shot(0)
    green[thing] = (0, 160, 0)
    save(green, photos / "IMG_0.png", 0)
    save(with_person(empty_shot(0), 280, 160, 60, 120), photos / "IMG_1.png", 2)

    def greenness() -> float:
        fill(board)
        return float(np.abs(filled(board)[thing].astype(int) - (0, 160, 0)).mean())

    board = board_on(photos, boards)
    assert greenness() < 10
    board.stroke("IMG_0.png", [[310, 210], [310, 230]], 26)
    board.fill("IMG_0.png", "auto", False, False)
    board.save("IMG_0.png")
    assert greenness() > 25


def test_where_masks_say_what_goes_one_without_a_mask_lends_nothing(
    photos: Path, boards: list[Board]
) -> None:
    masks = photos.parent / "masks"
    masks.mkdir()
    for number in (0, 1):
        mask = np.zeros((480, 640), np.uint8)
        mask[walker(number)] = 255
        Image.fromarray(mask).save(masks / f"IMG_{number}.png")
    clean(photos, classes=(), masks=masks)
    board = board_on(photos.parent / "cleaned", boards)
    assert lent(fill(board)).keys() == {"IMG_0.png"}
    board.save("IMG_1.png")
    row = rows(photos)["IMG_1.png"]
    assert row["neighbours"] == ["IMG_0.png"]
    assert row["borrowed"]["IMG_0.png"][2] is not None


def test_a_photo_that_was_closed_and_a_board_that_was_left_find_the_same(
    photos: Path, boards: list[Board], covered: list[np.ndarray]
) -> None:
    clean(photos)
    covered.clear()
    board = board_on(photos.parent / "cleaned", boards)
    first = lent(fill(board))
    board.save("IMG_1.png")
    assert len(covered) == 2
    with board.sessions._lock:
        board.sessions._sessions.clear()
    assert lent(fill(board)).keys() == first.keys()
    assert len(covered) == 2
    assert lent(fill(board_on(photos.parent / "cleaned", boards))).keys() == first.keys()


def test_an_uploaded_photo_and_one_alone_have_no_neighbours(
    photos: Path, boards: list[Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_series, "read_glance", refuse)
    board = board_on(photos, boards)
    name = upload(board, photos / "IMG_1.png")["photo"]
    board.select_class(name, ["person"])
    assert lent(board.fill(name, "auto", False, False)["report"]) == {}
    assert lent(fill(board_on(photos / "IMG_1.png", boards))) == {}


def test_a_fill_is_cancelled_between_two_neighbours(
    photos: Path, boards: list[Board], covered: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = board_on(photos, boards)
    real = ObjectRemover.hidden

    def and_cancel(self: ObjectRemover, *arguments: Any) -> Any:
        board.cancel()
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectRemover, "hidden", and_cancel)
        with pytest.raises(CancelledError):
            fill(board)
    assert len(covered) == 1
    assert lent(fill(board)).keys() <= OTHERS
