"""The report of a large run is written after several decisions, and no decision is lost before."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.board import late_report, records, run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.report.page_view import DECISIONS
from remove_objects.pipeline.system import lock
from tests.support.board_run import command, entry_of, fill
from tools.faults.points import ended, start


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run counts as a large one, and no report is due before the board closes."""
    monkeypatch.setattr(records, "AT_ONCE", 0)
    monkeypatch.setattr(late_report, "SECONDS", 1000.0)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The reports that are written."""
    folders, write = [], records.write_reports

    def noted(folder: Path, *rest: object) -> Path:
        report = write(folder, *rest)
        folders.append(folder)
        return report

    monkeypatch.setattr(records, "write_reports", noted)
    return folders


def decided(run: Path, name: str) -> str | None:
    """The decision that the report tells of; its page agrees."""
    decision = entry_of(run, name).get("decision")
    page = (run / "report.html").read_text()
    assert decision is None or DECISIONS[decision].capitalize() in page
    return decision


def until(condition: Callable[[], object]) -> None:
    """Wait for a thread; ten seconds are enough on a busy machine."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def test_many_decisions_read_the_journal_once_and_write_the_report_once(
    run: Path, written: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(run_folder.open_run(run))
    loads, load = [], Journal.load_rows
    monkeypatch.setattr(
        Journal, "load_rows", lambda self, text: (loads.append(1), load(self, text))[1]
    )
    board.accept("a.png")
    board.undo_decision("a.png")
    fill(board, "b.jpg")
    loads_of_fill = len(loads)  # it looks up the settings of the photo's own run
    board.save("b.jpg")
    board.restore("a.png")
    assert loads_of_fill <= 2
    assert (len(loads), written) == (loads_of_fill, [])
    # The journal has them, the list too; the page of the board as well.
    assert [Journal(run).rows[name]["entry"]["decision"] for name in ("a.png", "b.jpg")] == [
        "restored",
        "mended",
    ]
    assert Journal(run).complete
    rows = {row["name"]: row for row in board.photos()["photos"]}
    assert rows["b.jpg"]["decision"] == "mended"
    assert "Mended by hand" in board.report_html()
    board.close()
    assert written == [run]
    assert (decided(run, "a.png"), decided(run, "b.jpg")) == ("restored", "mended")
    # Nothing is left to write.
    again = Board(run_folder.open_run(run))
    assert not again.opened.is_behind
    again.close()
    assert written == [run]


def test_it_is_written_by_itself_after_a_while(
    run: Path, written: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_report, "SECONDS", 0.05)
    board = Board(run_folder.open_run(run))
    board.accept("a.png")
    until(lambda: written)
    assert decided(run, "a.png") == "accepted"
    assert not Board(run_folder.open_run(run)).opened.is_behind
    board.photos()
    assert board.sessions.find("a.png").entry["decision"] == "accepted"
    board.close()
    assert written == [run]


def test_a_board_that_was_killed_loses_no_decision(run: Path, written: list[Path]) -> None:
    def decide_and_die() -> None:
        board = Board(run_folder.open_run(run))
        board.accept("a.png")
        board.restore("b.jpg")
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(start(decide_and_die)) == -signal.SIGKILL
    assert (decided(run, "a.png"), decided(run, "b.jpg")) == (None, None)
    board = Board(run_folder.open_run(run))
    assert board.opened.is_behind
    rows = {row["name"]: row for row in board.photos()["photos"]}
    assert (rows["a.png"]["decision"], rows["b.jpg"]["decision"]) == ("accepted", "restored")
    board.close()
    assert (decided(run, "a.png"), decided(run, "b.jpg")) == ("accepted", "restored")
    assert written == [run]


def test_a_run_after_a_killed_board_tells_of_its_decisions(run: Path) -> None:
    def decide_and_die() -> None:
        Board(run_folder.open_run(run)).accept("a.png")
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(start(decide_and_die)) == -signal.SIGKILL
    command(run.parent / "photos")
    assert decided(run, "a.png") == "accepted"


def test_decisions_go_on_while_it_is_written(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_report, "SECONDS", 0.0)
    begun, go_on, write = threading.Event(), threading.Event(), records.write_reports

    def slow(*arguments: object) -> Path:
        begun.set()
        assert go_on.wait(10)
        return write(*arguments)

    monkeypatch.setattr(records, "write_reports", slow)
    board = Board(run_folder.open_run(run))
    board.accept("a.png")
    assert begun.wait(10)
    fill(board, "b.jpg")
    board.save("b.jpg")  # it neither waits nor takes the writer's unfinished files for left ones
    go_on.set()
    board.close()
    assert (decided(run, "a.png"), decided(run, "b.jpg")) == ("accepted", "mended")
    assert not (run / lock.HOLDER).exists()
    with lock.folder_lock(run):
        pass  # nobody holds it


def test_a_folder_that_another_process_holds_is_written_later(
    run: Path, written: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(run_folder.open_run(run))
    board.accept("a.png")
    with lock.folder_lock(run), caplog.at_level(logging.WARNING):
        board.close()
    assert written == []
    assert "another run or board writes there" in caplog.text
    assert "they are kept" in caplog.text
    again = Board(run_folder.open_run(run))
    again.close()
    assert decided(run, "a.png") == "accepted"


def test_a_folder_that_is_gone_is_not_made_anew(run: Path) -> None:
    board = Board(run_folder.open_run(run))
    board.accept("a.png")
    moved = run.rename(run.with_name("moved"))
    board.close()
    assert not run.exists()
    assert Journal(moved).rows["a.png"]["entry"]["decision"] == "accepted"


def test_what_the_journal_alone_would_not_tell_is_written_at_once(
    run: Path, written: list[Path]
) -> None:
    # Both rows are of runs: a later reader could not say which of them is the present one.
    command(run.parent / "photos", overwrite=True, dilate=9)
    board = Board(run_folder.open_run(run))
    board.put_back("a.png")
    assert written == [run]
    assert entry_of(run, "a.png") == Journal(run).rows["a.png"]["entry"]
    board.close()
    assert written == [run]
