"""A board, a watch and a run on one output folder at once: each waits, and nothing is lost."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.storage.stamp import is_unchanged
from tests.pipeline.watch.conftest import Watched
from tests.support.waiting import wait_for

#: Photos that are there when the board opens, and those that arrive meanwhile.
FIRST, LATER = 4, 8


class Others:
    """A board that decides and a run that is started again and again, beside the watch.

    Attributes:
        refused: how often each was told that another one writes.
    """

    def __init__(self, watched: Watched) -> None:
        self.watched, self.refused = watched, {"board": 0, "run": 0}
        self.errors: list[BaseException] = []
        self.ends = threading.Event()

    def decide(self) -> None:
        """Accept half of the photos, and restore the others."""
        board = Board(run_folder.open_run(self.watched.out))
        try:
            for number in range(FIRST):
                name = f"{number}.png"
                board.open(name)
                self._until_done("board", board.restore if number % 2 else board.accept, name)
        except BaseException as error:
            self.errors.append(error)
        finally:
            board.close()

    def clean(self) -> None:
        """Clean the same folder as the watch, as often as it lets."""
        batch = BatchSettings(classes=("person",), output=self.watched.out)
        try:
            while not self.ends.is_set():
                try:
                    remove_folder(self.watched.folder, Settings(probe=False), batch)
                except UsageError:
                    self.refused["run"] += 1
                self.ends.wait(0.02)
        except BaseException as error:
            self.errors.append(error)

    def _until_done(self, who: str, decide: object, name: str) -> None:
        for _ in range(3000):
            try:
                decide(name)  # type: ignore[operator]
                return
            except UsageError:
                self.refused[who] += 1
                self.ends.wait(0.01)
        raise AssertionError(f"{name} could not be decided about")


def written(out: Path) -> dict[str, dict]:
    """Return the report's entries by their names."""
    report = json.loads((out / "report.json").read_text())
    return {entry["input"]: entry for entry in report["photos"]}


def test_board_watch_and_run_share_an_output_folder(watched: Watched) -> None:
    for number in range(FIRST):
        watched.put(f"{number}.png", seed=number)
    originals = {path.name: path.read_bytes() for path in watched.folder.iterdir()}
    with watched.running():
        wait_for(lambda: len(watched.names()) == FIRST)
        with watched.held():
            pass  # the first round has ended
        others = Others(watched)
        threads = [threading.Thread(target=work) for work in (others.decide, others.clean)]
        for thread in threads:
            thread.start()
        for number in range(FIRST, FIRST + LATER):
            watched.put(f"{number}.png", seed=number)
        every = {f"{number}.png" for number in range(FIRST + LATER)}
        wait_for(lambda: set(Journal(watched.out).rows) == every, 60)
        threads[0].join(60)
        others.ends.set()
        threads[1].join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert others.errors == []
        # The watch comes to rest, and a last run tells of everything.
        with watched.held():
            pass
    batch = BatchSettings(classes=("person",), output=watched.out)
    assert remove_folder(watched.folder, Settings(probe=False), batch).count("skipped") == 12
    journal, report = Journal(watched.out), written(watched.out)
    assert set(report) == every
    assert not journal.unread + journal.cut
    for name, row in journal.rows.items():
        assert is_unchanged(watched.out / row["entry"]["output"], row["written"]), name
        assert report[name]["output"] == row["entry"]["output"]
    decided = {name: entry.get("decision") for name, entry in report.items()}
    for number in range(FIRST + LATER):
        name = f"{number}.png"
        expected = ("restored" if number % 2 else "accepted") if number < FIRST else None
        assert decided[name] == expected, name
        restored = (watched.out / name).read_bytes() == originals.get(name)
        assert restored == (expected == "restored"), name
    assert not list(watched.out.rglob(".*.part"))
