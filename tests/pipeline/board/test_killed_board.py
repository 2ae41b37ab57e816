"""``kill -9`` of the board before every change to the disk: no decision is half done, none lost."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.batch.output.claims import CLAIMS
from remove_objects.pipeline.batch.output.replaced import versions
from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.report import previews
from tests.support.board_run import command, entry_of, fill, make_run
from tests.support.faults import decode_here
from tools.faults.points import at_points, die_at, ended, start

pytestmark = pytest.mark.slow

PHOTO, MASK, LAYERS = "b.jpg", "masks/b.png", "masks/b.layers.png"
DECISIONS: dict[str, Callable[[Board], object]] = {
    "save": lambda board: board.save(PHOTO),
    "restore": lambda board: board.restore(PHOTO),
    "accept": lambda board: board.accept(PHOTO),
    "put back": lambda board: board.put_back(PHOTO),
    "put back without a mask": lambda board: board.put_back(PHOTO),
    "undo an acceptance": lambda board: board.undo_decision(PHOTO),
}


#: The parts of names that differ between two attempts: random ones and times.
RANDOM = re.compile(r"[0-9a-f]{16,}|\d{8}T\d{6}\.\d+")


def standing(run: Path) -> tuple[bytes, bytes | None, bytes | None]:
    """Result, mask and layers that stand in a folder."""
    mask, layers = (
        path.read_bytes() if path.exists() else None for path in (run / MASK, run / LAYERS)
    )
    return (run / PHOTO).read_bytes(), mask, layers


class Killed:
    """A run's folder and its photos, which every attempt finds as they were."""

    def __init__(self, run: Path, *, saved: bool, accepted: bool) -> None:
        self.run, self.whole = run, run.with_name("whole")
        self.board = Board(run_folder.open_run(run))
        fill(self.board, PHOTO)
        if saved:
            self.board.save(PHOTO)
        if accepted:
            self.board.accept(PHOTO)
        run.rename(self.whole)
        self.before = self.files()

    def files(self) -> tuple[bytes, bytes | None, bytes | None]:
        """Result, mask and layers of the run."""
        return standing(self.whole)

    def attempt(
        self,
        decide: Callable[[Board], object],
        at: Callable[[int, str], None],
        *,
        here: bool = True,
    ) -> int:
        """Decide in a child over a fresh copy of the folder; returns its exit code.

        Args:
            decide: the decision.
            at: called before each change to the disk.
            here: whether the child decodes photos in its own process.
        """
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.copytree(self.whole, self.run)

        def work() -> None:
            if here:
                decode_here()
            at_points(self.run, at)
            decide(self.board)

        return ended(start(work))

    def points(
        self, decide: Callable[[Board], object], log: Path, *, here: bool = True
    ) -> list[str]:
        """Return the changes of an undisturbed decision."""
        with log.open("w") as file:

            def write(_: int, what: str) -> None:
                print(what, file=file, flush=True)

            assert self.attempt(decide, write, here=here) == 0
        return [RANDOM.sub("*", line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("name", sorted(DECISIONS))
def test_a_killed_decision_is_done_or_not_and_a_later_run_keeps_it(
    name: str, cheap: None, tmp_path: Path
) -> None:
    decide, has_mask = DECISIONS[name], name != "put back without a mask"
    run = make_run(tmp_path, save_masks=has_mask)
    is_undone = name == "undo an acceptance"
    killed = Killed(run, saved=name.startswith("put back"), accepted=is_undone)
    was_reviewed = bool(entry_of(killed.whole, PHOTO).get("reviewed"))
    as_the_board = killed.points(decide, tmp_path / "log", here=False)
    made = killed.points(decide, tmp_path / "log")
    assert made == as_the_board
    done = standing(run)
    assert (done[1] is not None) == (done[2] is not None) == has_mask
    if name == "save":
        order = [
            made.index(what)
            for what in (
                f"os.rename {CLAIMS}/*.json",
                f"os.rename {PHOTO}",
                f"os.rename {MASK}",
                f"os.rename {LAYERS}",
                "os.rename report_files/*-after.jpeg",
                "open .remove-objects-journal.jsonl",
                f"os.remove {CLAIMS}/*.json",
                "os.rename report.json",
            )
        ]
        assert order == sorted(order)
    for number in range(len(made)):
        assert killed.attempt(decide, die_at(number)) == -signal.SIGKILL, made[number]
        reopened = Board(run_folder.open_run(run))
        result, mask, layers = standing(run)
        assert (result, mask, layers) in (killed.before, done), made[number]
        entry = dict(reopened.sessions.find(PHOTO).entry or {})
        reviewed = bool(entry.get("reviewed"))
        if done != killed.before:
            is_done = result == done[0]
            assert reviewed == (not was_reviewed if is_done else was_reviewed), made[number]
        if not has_mask:
            assert (entry["mask"] is None) == (mask is None), made[number]
            assert [v.path.read_bytes() for v in versions(run, PurePosixPath(MASK))] in (
                [],
                [killed.before[1]],
            )
        assert Journal(run).owns(PHOTO, run / PHOTO)
        assert not (run / CLAIMS).exists(), made[number]
        reopened.close()
        if result != killed.before[0]:
            kept = [v.path.read_bytes() for v in versions(run, PurePosixPath(PHOTO))]
            assert kept[-1] == killed.before[0], made[number]
            shown = previews.find(run, PHOTO).get("after")
            whole = previews.place(killed.whole, PHOTO, "after").read_bytes()
            assert shown is None or shown.read_bytes() != whole  # not a picture of the old result
        later = {p["input"]: p for p in command(run.parent / "photos", save_masks=has_mask)}
        # Killed between the photo's line and the journal's last one, the decision counts as part of
        # an interrupted run, which reports its photos as its own.
        assert later[PHOTO]["status"] in ("skipped", entry["status"]), made[number]
        assert bool(later[PHOTO].get("reviewed")) == reviewed, made[number]
        assert standing(run) == (result, mask, layers)
    killed.board.close()
