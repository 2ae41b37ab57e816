"""Decisions about results: nothing stale is saved, nothing foreign replaced, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import images
from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.batch.output.replaced import versions
from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import open_photos
from remove_objects.pipeline.config import MAX_PIXELS, Settings
from remove_objects.pipeline.errors import (
    ChangedError,
    ExistsError,
    UnreadableError,
    UnwritableError,
    UsageError,
)
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from remove_objects.pipeline.storage.stamp import is_unchanged
from remove_objects.pipeline.system import lock
from tests.support.board_run import command, entry_of, fill, load, make_run, review
from tests.support.scenes import scene


@pytest.fixture
def opened(run: Path) -> Board:
    """A board on the run's folder."""
    return Board(run_folder.open_run(run))


def kept(folder: Path, name: str) -> list[bytes]:
    """The kept versions of a file, the oldest first."""
    return [version.path.read_bytes() for version in versions(folder, PurePosixPath(name))]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, but the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != lock.NAME
    }


def replace_photo(path: Path, *, same_time: bool = False) -> None:
    """Replace a photo by another one."""
    status = path.stat()
    Image.fromarray(scene(seed=9)).save(path)
    if same_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


class TestChangedPhoto:
    """The photo's file is replaced while its photo is open at the board."""

    def test_old_pixels_never_replace_the_result_of_the_new_photo(
        self, run: Path, opened: Board
    ) -> None:
        source = run.parent / "photos" / "a.png"
        fill(opened, "a.png")
        replace_photo(source)
        shutil.rmtree(run)
        command(source.parent)
        before = contents(run)
        with pytest.raises(ChangedError, match=r"a\.png: changed since it was opened") as refused:
            opened.save("a.png")
        assert refused.value.code == "changed"
        assert contents(run) == before
        decisions: list[Callable[[str], object]] = [
            opened.accept,
            opened.restore,
            opened.put_back,
            opened.fill,
        ]
        for decide in decisions:
            with pytest.raises(ChangedError):
                decide("a.png")
        with pytest.raises(ChangedError):
            opened.download("a.png", "result")
        assert contents(run) == before

        again = opened.open("a.png")
        assert again["filled"] is None
        assert not again["can_undo"]
        new = opened.sessions.session("a.png").photo.rgb
        assert np.array_equal(new, np.asarray(Image.open(source)))
        review(opened, "a.png")
        assert entry_of(run, "a.png")["reviewed"] is True

    def test_equal_size_and_time_do_not_hide_a_change(self, photo_folder: Path) -> None:
        source = photo_folder / "a.bmp"
        Image.fromarray(scene(seed=3)).save(source)
        board = Board(open_photos(photo_folder, None, Settings(probe=False)))
        fill(board, "a.bmp")
        replace_photo(source, same_time=True)
        with pytest.raises(ChangedError):
            board.save("a.bmp")
        assert not (photo_folder.parent / "cleaned" / "a.bmp").exists()
        board.close()

    def test_a_copy_of_the_same_content_is_no_change(
        self, photo_folder: Path, board: Board
    ) -> None:
        fill(board, "a.png")
        content = (photo_folder / "a.png").read_bytes()
        (photo_folder / "a.png").unlink()
        (photo_folder / "a.png").write_bytes(content)
        board.save("a.png")

    def test_a_mask_that_was_packed_away_is_not_applied_to_another_photo(
        self, photo_folder: Path
    ) -> None:
        for i in range(4):
            Image.fromarray(scene(seed=i)).save(photo_folder / f"n{i}.png")
        board = Board(open_photos(photo_folder, None, Settings()))
        board.stroke("a.png", [[60, 40]], 8)
        for i in range(4):
            board.open(f"n{i}.png")
        assert "p0" in board.sessions._packed
        replace_photo(photo_folder / "a.png")
        with pytest.raises(ChangedError):  # the page still shows the old photo
            board.stroke("a.png", [[20, 20]], 8)
        assert board.open("a.png")["share"] == 0
        board.close()

    def test_a_missing_photo_keeps_its_mask_until_it_is_back(
        self, photo_folder: Path, board: Board
    ) -> None:
        board.stroke("a.png", [[60, 40]], 8)
        away = photo_folder.parent / "away.png"
        (photo_folder / "a.png").rename(away)
        with pytest.raises(ChangedError):
            board.fill("a.png")
        away.rename(photo_folder / "a.png")
        assert board.open("a.png")["share"] > 0
        board.fill("a.png", compare=False)


@pytest.mark.parametrize(
    "decide",
    [
        lambda board: board.accept("a.png"),
        lambda board: board.restore("a.png"),
        lambda board: board.save("a.png"),
        lambda board: board.put_back("a.png"),
        lambda board: board.undo_decision("a.png"),
    ],
    ids=["accept", "restore", "save", "put back", "undo"],
)
def test_a_run_that_was_moved_is_not_made_anew(
    run: Path, opened: Board, decide: Callable[[Board], object]
) -> None:
    review(opened, "a.png")
    fill(opened, "a.png")
    away = run.with_name("away")
    run.rename(away)
    before = contents(away)
    with pytest.raises(UsageError, match="is not there any more, so nothing was decided"):
        decide(opened)
    assert not run.exists()
    assert contents(away) == before


def test_an_empty_mask_is_neither_filled_nor_saved(run: Path, opened: Board) -> None:
    before = contents(run)
    opened.edit("a.png", "clear")
    with pytest.raises(UsageError, match=r"nothing is selected.*Restore the original"):
        opened.fill("a.png")
    with pytest.raises(UsageError, match="nothing is filled"):
        opened.save("a.png")
    assert contents(run) == before


class TestMasks:
    """A mask that a person made is never replaced without a question."""

    def test_a_foreign_mask_in_a_folder_is_replaced_only_on_request(
        self, photo_folder: Path, board: Board
    ) -> None:
        mask = photo_folder.parent / "cleaned" / "masks" / "a.png"
        mask.parent.mkdir(parents=True)
        drawn = np.zeros((120, 160), bool)
        drawn[20:40, 20:40] = True
        Image.fromarray(drawn).save(mask)
        content = mask.read_bytes()
        fill(board, "a.png")
        with pytest.raises(ExistsError, match=r"masks/a\.png: exists, and (neither|it)") as refused:
            board.save("a.png")
        assert refused.value.code == "exists"
        assert mask.read_bytes() == content
        assert not (photo_folder.parent / "cleaned" / "a.png").exists()
        board.save("a.png", True)
        assert mask.read_bytes() != content
        assert kept(photo_folder.parent / "cleaned", "masks/a.png") == [content]
        board.stroke("a.png", [[20, 100]], 5)
        board.fill("a.png", compare=False)
        board.save("a.png")  # the board wrote this mask itself

    def test_a_run_mask_that_was_edited_is_replaced_only_on_request(
        self, run: Path, opened: Board
    ) -> None:
        mask = run / "masks" / "b.png"
        edited = np.array(Image.open(mask))
        edited[100:110, 10:20] = True
        Image.fromarray(edited).save(mask)
        before = contents(run)
        fill(opened, "b.jpg")
        with pytest.raises(ExistsError, match=r"masks/b\.png"):
            opened.save("b.jpg")
        assert contents(run) == before
        opened.save("b.jpg", True)
        assert kept(run, "masks/b.png") == [before["masks/b.png"]]

    def test_the_journal_knows_the_saved_mask(self, run: Path, opened: Board) -> None:
        review(opened, "b.jpg")
        row = Journal(run).rows["b.jpg"]
        assert is_unchanged(run / "masks" / "b.png", row["mask_written"])
        later = Board(run_folder.open_run(run))
        fill(later, "b.jpg")
        later.stroke("b.jpg", [[20, 100]], 5)
        later.fill("b.jpg", compare=False, probe=False)
        later.save("b.jpg")

    def test_a_file_of_another_board_is_called_changed_since_this_one_began(
        self, photo_folder: Path, board: Board
    ) -> None:
        time.sleep(0.02)  # more than a tick of the disk's clock
        other = Board(open_photos(photo_folder, None, Settings(probe=False)))
        review(other, "a.png")
        other.close()
        fill(board, "a.png")
        with pytest.raises(ExistsError, match="changed since this board opened the folder"):
            board.save("a.png")

    def test_two_foreign_files_are_one_question(self, run: Path, opened: Board) -> None:
        for name in ("b.jpg", "masks/b.png"):
            (run / name).write_bytes(b"another program's work")
        fill(opened, "b.jpg")
        with pytest.raises(ExistsError, match=r"b\.jpg and .*b\.png: exist, .* replace them"):
            opened.save("b.jpg")


class TestAccept:
    """*Accept as it is*."""

    def test_only_the_verdict_changes(self, run: Path, opened: Board) -> None:
        before = contents(run)
        assert opened.open("b.jpg")["can_accept"]
        state = opened.accept("b.jpg")
        assert (state["reviewed"], state["needs_review"]) == (True, False)
        assert not state["can_accept"]
        reports = {"report.json", "report.csv", "report.html", JOURNAL_NAME}
        after = contents(run)
        assert {name for name in after if after[name] != before.get(name)} <= reports
        assert set(after) == set(before)
        entry = entry_of(run, "b.jpg")
        assert (entry.pop("reviewed"), entry.pop("decision")) == (True, "accepted")
        old = json.loads(before["report.json"])["photos"]
        assert entry in old
        assert {p["input"]: p["status"] for p in command(run.parent / "photos")} == dict.fromkeys(
            ("a.png", "b.jpg", "deep/c.png"), "skipped"
        )
        assert entry_of(run, "b.jpg")["reviewed"] is True
        names = [i.name for i in run_folder.open_run(run).items if i.needs_review]
        assert names == ["a.png"]

    def test_a_changed_or_missing_result_is_not_accepted(self, run: Path, opened: Board) -> None:
        (run / "b.jpg").write_bytes(b"another program's work")
        with pytest.raises(UsageError, match=r"b\.jpg: is not what the run wrote"):
            opened.accept("b.jpg")
        (run / "b.jpg").unlink()
        assert not opened.open("b.jpg")["can_accept"]
        with pytest.raises(UsageError, match="is not what the run wrote"):
            opened.accept("b.jpg")
        assert "reviewed" not in entry_of(run, "b.jpg")

    def test_there_is_nothing_to_accept_without_a_run(self, board: Board) -> None:
        assert not board.open("a.png")["can_accept"]
        with pytest.raises(UsageError, match="no run's result"):
            board.accept("a.png")


class TestRestore:
    """*Restore the original*."""

    def test_the_original_stands_and_a_later_run_keeps_it(self, run: Path, opened: Board) -> None:
        source = (run.parent / "photos" / "b.jpg").read_bytes()
        result, mask = (run / "b.jpg").read_bytes(), (run / "masks" / "b.png").read_bytes()
        state = opened.restore("b.jpg")
        assert (state["status"], state["reviewed"], state["can_restore"]) == (
            "unchanged",
            True,
            False,
        )
        assert (run / "b.jpg").read_bytes() == source
        assert (run / "masks" / "b.png").read_bytes() == mask
        entry = entry_of(run, "b.jpg")
        assert entry["reason"] == "the original was restored at the mask board"
        assert (entry["holes"], entry["mask"], entry["reviewed"]) == ([], None, True)
        assert kept(run, "b.jpg") == [result]
        later = {p["input"]: p for p in command(run.parent / "photos")}
        assert (later["b.jpg"]["status"], later["b.jpg"]["reviewed"]) == ("skipped", True)
        assert (run / "b.jpg").read_bytes() == source

    def test_a_foreign_file_is_replaced_only_on_request(self, run: Path, opened: Board) -> None:
        (run / "b.jpg").write_bytes(b"another program's work")
        with pytest.raises(ExistsError):
            opened.restore("b.jpg")
        assert (run / "b.jpg").read_bytes() == b"another program's work"
        opened.restore("b.jpg", True)
        assert kept(run, "b.jpg") == [b"another program's work"]

    def test_in_a_folder_a_result_must_stand(self, photo_folder: Path, board: Board) -> None:
        assert not board.open("a.png")["can_restore"]
        with pytest.raises(UsageError, match="no result that the original could replace"):
            board.restore("a.png")
        review(board, "a.png")
        assert board.open("a.png")["can_restore"]
        board.restore("a.png")
        result = photo_folder.parent / "cleaned" / "a.png"
        assert result.read_bytes() == (photo_folder / "a.png").read_bytes()

    def test_a_lossless_result_gives_way_to_the_original(
        self, tmp_path: Path, red_is_person: None
    ) -> None:
        photos = tmp_path / "photos"
        photos.mkdir()
        Image.fromarray(scene(seed=2)).save(photos / "b.jpg", quality=92)
        command(photos, lossless=True)
        run = tmp_path / "cleaned"
        assert entry_of(run, "b.jpg")["output"] == "b.jpg.png"
        result = (run / "b.jpg.png").read_bytes()
        board = Board(run_folder.open_run(run))
        board.restore("b.jpg")
        assert (run / "b.jpg").read_bytes() == (photos / "b.jpg").read_bytes()
        assert not (run / "b.jpg.png").exists()
        assert kept(run, "b.jpg.png") == [result]
        board.put_back("b.jpg")
        assert (run / "b.jpg.png").read_bytes() == result
        assert not (run / "b.jpg").exists()
        assert entry_of(run, "b.jpg")["output"] == "b.jpg.png"
        board.close()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The files that the board decodes, with the limit on their pixels."""
    files: list[tuple[str, int]] = []

    def recorded(real: Callable[..., object]) -> Callable[..., object]:
        def read(path: Path, *args: object, max_pixels: int = MAX_PIXELS) -> object:
            files.append((path.name, max_pixels))
            return real(path, *args, max_pixels=max_pixels)

        return read

    for name in ("read_photo", "read_mask"):
        monkeypatch.setattr(images, name, recorded(getattr(images, name)))
    return files


def test_results_and_masks_may_have_as_many_pixels_as_the_photo(
    run: Path, decoded: list[tuple[str, int]]
) -> None:
    board = Board(replace(run_folder.open_run(run), max_pixels=300_000_000))
    review(board, "b.jpg")
    board.view("b.jpg", "standing", None, 40, 30)
    board.put_back("b.jpg")
    assert len(decoded) > 4
    assert {limit for _, limit in decoded} == {300_000_000}


def test_a_result_is_decoded_once(run: Path, decoded: list[tuple[str, int]]) -> None:
    shutil.rmtree(run / "masks")
    board = Board(run_folder.open_run(run))
    board.open("b.jpg")  # without a saved mask, what the result changed is the first one
    board.view("b.jpg", "standing", None, 40, 30)
    board.view("b.jpg", "standing", None, 40, 30)
    assert [name for name, _ in decoded] == ["b.jpg", "b.jpg"]  # photo and result
    shutil.copy(run / "a.png", run / "b.jpg")
    os.utime(run / "b.jpg")
    board.view("b.jpg", "standing", None, 40, 30)
    assert len(decoded) == 3


class TestPutBack:
    """*Put back the earlier result*."""

    def test_the_runs_result_comes_back_with_mask_row_and_verdict(
        self, run: Path, opened: Board
    ) -> None:
        assert not opened.open("b.jpg")["can_put_back"]
        before, row = contents(run), Journal(run).rows["b.jpg"]
        assert review(opened, "b.jpg")["can_put_back"]
        mended, mask = (run / "b.jpg").read_bytes(), (run / "masks" / "b.png").read_bytes()
        state = opened.put_back("b.jpg")
        for name in ("b.jpg", "masks/b.png"):
            assert (run / name).read_bytes() == before[name], name
        assert (state["status"], state["reviewed"]) == ("review", False)
        assert Journal(run).rows["b.jpg"]["entry"] == row["entry"]
        assert Journal(run).owns("b.jpg", run / "b.jpg")
        drawn = np.asarray(Image.open(run / "masks" / "b.png"))
        assert np.array_equal(opened.sessions.session("b.jpg").editor.mask, drawn)
        opened.edit("b.jpg", "undo")  # the mask that the person drew is not lost
        assert opened.sessions.session("b.jpg").editor.mask[20, 100]
        previews = [name for name in before if name.startswith("report_files")]
        assert {name for name in contents(run) if name.startswith("report_files")} == set(previews)

        opened.put_back("b.jpg")  # undoes it
        assert (run / "b.jpg").read_bytes() == mended
        assert (run / "masks" / "b.png").read_bytes() == mask
        assert entry_of(run, "b.jpg")["reviewed"] is True
        later = {p["input"]: p["status"] for p in command(run.parent / "photos")}
        assert later["b.jpg"] == "skipped"
        assert (run / "b.jpg").read_bytes() == mended

    def test_the_result_that_was_replaced_last_comes_first(self, run: Path, opened: Board) -> None:
        first = (run / "b.jpg").read_bytes()
        review(opened, "b.jpg")
        opened.put_back("b.jpg")
        opened.restore("b.jpg")
        opened.put_back("b.jpg")
        assert (run / "b.jpg").read_bytes() == first

    def test_without_a_run_result_and_mask_come_back(
        self, photo_folder: Path, board: Board
    ) -> None:
        cleaned = photo_folder.parent / "cleaned"
        review(board, "a.png")
        before = (cleaned / "a.png").read_bytes(), (cleaned / "masks" / "a.png").read_bytes()
        board.stroke("a.png", [[20, 100]], 5)
        board.fill("a.png", compare=False)
        board.save("a.png")
        assert (cleaned / "a.png").read_bytes() != before[0]
        board.put_back("a.png")
        after = (cleaned / "a.png").read_bytes(), (cleaned / "masks" / "a.png").read_bytes()
        assert after == before

    def test_a_foreign_file_comes_back_as_reviewed(self, run: Path, opened: Board) -> None:
        Image.fromarray(scene(seed=8)).save(run / "b.jpg")
        by_hand = (run / "b.jpg").read_bytes()
        fill(opened, "b.jpg")
        opened.save("b.jpg", True)
        opened.put_back("b.jpg")
        assert (run / "b.jpg").read_bytes() == by_hand
        entry = entry_of(run, "b.jpg")
        assert (entry["status"], entry["reviewed"]) == ("ok", True)
        assert "no run wrote" in entry["reason"]

    def test_a_mask_that_the_earlier_result_did_not_have_goes_with_the_later_one(
        self, tmp_path: Path, cheap: None
    ) -> None:
        run = make_run(tmp_path, save_masks=False)
        board = Board(run_folder.open_run(run))
        review(board, "b.jpg")
        mask = (run / "masks" / "b.png").read_bytes()
        state = board.put_back("b.jpg")
        assert not (run / "masks" / "b.png").exists()
        assert (state["mask"], entry_of(run, "b.jpg")["mask"]) == (None, None)
        assert kept(run, "masks/b.png") == [mask]
        board.put_back("b.jpg")  # undoes it
        assert (run / "masks" / "b.png").read_bytes() == mask
        assert entry_of(run, "b.jpg")["mask"] == "masks/b.png"
        (run / "masks" / "b.png").write_bytes(b"changed by hand")
        board.put_back("b.jpg")
        assert (run / "masks" / "b.png").read_bytes() == b"changed by hand"
        board.close()

    def test_without_a_run_a_mask_goes_with_its_result_too(
        self, photo_folder: Path, board: Board
    ) -> None:
        cleaned = photo_folder.parent / "cleaned"
        cleaned.mkdir()
        (cleaned / "a.png").write_bytes(b"another program's")
        fill(board, "a.png")
        mask = Path(board.save("a.png", True)["mask"])
        assert mask.is_file()
        assert board.put_back("a.png")["mask"] is None
        assert (cleaned / "a.png").read_bytes() == b"another program's"
        assert not mask.exists()

    def test_nothing_was_kept(self, opened: Board) -> None:
        with pytest.raises(UsageError, match="no earlier result"):
            opened.put_back("b.jpg")


class TestPhotosOfARun:
    """The photos themselves are open, and a run has cleaned them into the same folder."""

    @pytest.fixture
    def album(self, run: Path) -> Iterator[Board]:
        board = Board(open_photos(run.parent / "photos", None, Settings(probe=False)))
        yield board
        board.close()

    def test_a_later_run_keeps_what_was_saved_and_its_report_tells_of_it(
        self, run: Path, album: Board
    ) -> None:
        review(album, "b.jpg")  # the run's own files are replaced without a question
        mended = (run / "b.jpg").read_bytes()
        assert entry_of(run, "b.jpg")["reviewed"] is True
        later = {p["input"]: p for p in command(run.parent / "photos")}
        assert later["b.jpg"]["status"] == "skipped"
        assert (run / "b.jpg").read_bytes() == mended
        assert entry_of(run, "b.jpg")["reviewed"] is True

    def test_a_result_that_was_put_back_is_the_runs_again(self, run: Path, album: Board) -> None:
        first = (run / "b.jpg").read_bytes()
        review(album, "b.jpg")
        album.put_back("b.jpg")
        assert (run / "b.jpg").read_bytes() == first
        assert not entry_of(run, "b.jpg").get("reviewed")
        assert {p["status"] for p in command(run.parent / "photos")} == {"skipped"}

    def test_each_photo_is_saved_with_the_settings_of_its_own_run(
        self, run: Path, album: Board
    ) -> None:
        photos, later = run.parent / "photos", run.parent / "later"
        command(photos, overwrite=True, strip_metadata=True)
        later.mkdir()
        shutil.copy(photos / "a.png", later / "d.png")
        command(later)
        assert not load(run)["run"]["settings"]["strip_metadata"]
        for opened in (Board(run_folder.open_run(run)), album):
            fill(opened, "b.jpg")
            downloaded, _ = opened.download("b.jpg", "result")
            opened.save("b.jpg")
            for result in (run / "b.jpg", downloaded):
                assert b"a description" not in result.read_bytes()
            opened.restore("b.jpg")
            assert b"a description" not in (run / "b.jpg").read_bytes()
            opened.close()
        assert b"a description" in (photos / "b.jpg").read_bytes()

    def test_a_photo_that_no_run_knows_is_saved_as_without_a_run(
        self, run: Path, album: Board
    ) -> None:
        Image.fromarray(scene(seed=5)).save(run.parent / "photos" / "new.png")
        board = Board(open_photos(run.parent / "photos", None, Settings(probe=False)))
        before = {p["input"] for p in load(run)["photos"]}
        review(board, "new.png")
        assert {p["input"] for p in load(run)["photos"]} == before
        board.close()

    def test_without_its_report_the_journal_is_enough(self, run: Path, album: Board) -> None:
        (run / "report.json").unlink()
        review(album, "b.jpg")
        assert not (run / "report.json").exists()
        command(run.parent / "photos")
        assert entry_of(run, "b.jpg")["reviewed"] is True


def test_everything_that_a_person_made_stays(run: Path, opened: Board) -> None:
    made = []
    for i in range(6):
        opened.stroke("b.jpg", [[20 + 10 * i, 100]], 5)
        opened.fill("b.jpg", compare=False, probe=False)
        opened.save("b.jpg")
        made.append((run / "b.jpg").read_bytes())
    assert kept(run, "b.jpg")[-5:] == made[:-1]


class TestStaleList:
    """The batch runs anew while the board is open."""

    def test_the_list_is_read_again(self, run: Path, opened: Board) -> None:
        Image.fromarray(scene(seed=5)).save(run.parent / "photos" / "new.png")
        (run.parent / "photos" / "a.png").unlink()
        command(run.parent / "photos")
        photos = opened.photos()["photos"]
        assert [p["photo"] for p in photos] == ["p0", "p1", "p2", "p3"]
        assert [p["name"] for p in photos][-1] == "new.png"
        assert opened.open("new.png")["width"] == 160

    def test_an_entry_that_the_report_lost_is_added(self, run: Path, opened: Board) -> None:
        fill(opened, "b.jpg")
        report = load(run)
        report["photos"] = [p for p in report["photos"] if p["input"] != "b.jpg"]
        (run / "report.json").write_text(json.dumps(report))
        opened.save("b.jpg")
        assert entry_of(run, "b.jpg")["reviewed"] is True
        assert len(load(run)["photos"]) == 3


class TestLinks:
    """Links that appear after the start."""

    def test_a_photo_that_became_a_link_is_not_opened(self, photo_folder: Path) -> None:
        secret = photo_folder.parent / "secret.png"
        Image.new("RGB", (9, 9)).save(secret)
        board = Board(open_photos(photo_folder, None, Settings(probe=False)))
        (photo_folder / "a.png").unlink()
        (photo_folder / "a.png").symlink_to(secret)
        with pytest.raises(UnreadableError, match="link to a file outside"):
            board.open("a.png")
        board.stroke("b.jpg", [[60, 40]], 8)
        content = (photo_folder / "b.jpg").read_bytes()
        (photo_folder / "b.jpg").unlink()
        secret.write_bytes(content)
        (photo_folder / "b.jpg").symlink_to(secret)
        with pytest.raises(UnreadableError, match="link to a file outside"):
            board.fill("b.jpg")
        board.close()

    def test_a_mask_that_is_a_link_is_not_read(self, photo_folder: Path) -> None:
        secret = photo_folder.parent / "secret.png"
        Image.new("1", (160, 120), 1).save(secret)
        masks = photo_folder.parent / "cleaned" / "masks"
        masks.mkdir(parents=True)
        (masks / "a.png").symlink_to(secret)
        board = Board(open_photos(photo_folder, None, Settings()))
        assert board.open("a.png")["share"] == 0
        board.close()

    @pytest.mark.parametrize("name", ["b.jpg", "masks/b.png"])
    def test_a_link_in_the_place_of_a_file_is_not_replaced(
        self, name: str, run: Path, opened: Board
    ) -> None:
        review(opened, "b.jpg")
        elsewhere = run.parent / "elsewhere"
        (run / name).rename(elsewhere)
        (run / name).symlink_to(elsewhere)
        before = contents(run)
        opened.stroke("b.jpg", [[20, 100]], 5)
        opened.fill("b.jpg", "auto", False, False)
        decisions = [opened.save, opened.put_back, *([opened.restore] if name == "b.jpg" else [])]
        for decide in decisions:
            with pytest.raises(UnwritableError, match=rf"{name}: is a link to .*; remove it"):
                decide("b.jpg", True)
        assert (run / name).is_symlink()
        assert contents(run) == before

    def test_nothing_is_saved_through_a_link(self, photo_folder: Path, board: Board) -> None:
        elsewhere = photo_folder.parent / "elsewhere"
        elsewhere.mkdir()
        (photo_folder.parent / "cleaned").mkdir()
        (photo_folder.parent / "cleaned" / "masks").symlink_to(elsewhere)
        fill(board, "a.png")
        with pytest.raises((UsageError, UnwritableError), match="is a link"):
            board.save("a.png", True)
        assert list(elsewhere.iterdir()) == []


def test_results_have_the_photos_rights_and_date(photo_folder: Path, board: Board) -> None:
    source = photo_folder / "a.png"
    source.chmod(0o600)
    os.utime(source, ns=(10**18, 10**18))
    review(board, "a.png")
    cleaned = photo_folder.parent / "cleaned"
    result = (cleaned / "a.png").stat()
    assert (result.st_mode & 0o777, result.st_mtime_ns) == (0o600, 10**18)
    assert (cleaned / "masks" / "a.png").stat().st_mode & 0o777 == 0o600
    board.restore("a.png")
    assert (cleaned / "a.png").stat().st_mtime_ns == 10**18
