"""A watched folder: what arrives is cleaned once, whatever happens to folder, photos and disk."""

from __future__ import annotations

import errno
import gc
import os
import shutil
from pathlib import Path

import pytest

from remove_objects.pipeline.batch import run as batch_run
from remove_objects.pipeline.batch import worker
from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.errors import OutputError, UsageError
from remove_objects.pipeline.report import page
from remove_objects.pipeline.system import lock
from remove_objects.pipeline.system.signals import Stop
from tests.pipeline.watch.conftest import Watched
from tests.support.waiting import wait_for


def test_what_arrives_is_cleaned_and_reported(watched: Watched) -> None:
    watched.put("here_before.png")
    with watched.running():
        wait_for(lambda: watched.names() == ["here_before.png"])
        watched.put("trip/day 1/a.png", seed=2)
        wait_for(lambda: len(watched.names()) == 2)
        wait_for(lambda: set(watched.report()) == {"here_before.png", "trip/day 1/a.png"})
    assert (watched.out / "trip/day 1/a.png").is_file()
    assert watched.names() == ["here_before.png", "trip/day 1/a.png"]
    assert watched.watch.counts == {"review": 2}


def test_the_networks_load_once(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = batch_run.Worker
    monkeypatch.setattr(
        batch_run, "Worker", lambda remover, *more: made.append(remover) or real(remover, *more)
    )
    with watched.running():
        for number in range(3):
            watched.put(f"{number}.png", seed=number)
            wait_for(lambda number=number: len(watched.names()) == number + 1)
    assert len(made) == 3
    assert len({id(remover) for remover in made}) == 1


def test_the_report_tells_of_all_rounds_as_of_one_run(watched: Watched) -> None:
    with watched.running():
        for number in range(3):
            watched.put(f"{number}.png", seed=number)
            wait_for(lambda number=number: len(watched.names()) == number + 1)
    assert [entry["status"] for entry in watched.report().values()] == ["review"] * 3
    journal = Journal(watched.out)
    assert journal.complete
    assert journal.earlier == {"0.png", "1.png", "2.png"}


def test_a_round_draws_its_own_photos_and_what_the_board_decided(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    real = page.photo_view

    def noted(photo: dict, *more: object) -> dict:
        drawn.append(photo["input"])
        return real(photo, *more)

    with watched.running():
        for number, name in enumerate(("a.png", "b.png")):
            watched.put(name, seed=number)
            wait_for(lambda number=number: len(watched.names()) == number + 1)
        with watched.held():
            pass  # the round has ended
        board = Board(run_folder.open_run(watched.out))
        board.accept("a.png")
        board.close()
        monkeypatch.setattr(page, "photo_view", noted)
        watched.put("c.png", seed=3)
        wait_for(lambda: "c.png" in watched.report())
        with watched.held():
            pass
        # The board wrote a page between the rounds; the watch remembers its own, and sees that.
        assert sorted(drawn) == ["a.png", "c.png"]
        report = watched.report()
        assert (report["a.png"]["reviewed"], report["a.png"]["decision"]) == (True, "accepted")
        assert "Accepted as it is" in (watched.out / "report.html").read_text()
    assert watched.names() == ["a.png", "b.png", "c.png"]


def test_a_part_that_is_left_over_is_told(watched: Watched) -> None:
    photo = watched.put("a.png")
    part = photo.with_name("a.png.part")
    part.touch()
    with watched.running():
        wait_for(lambda: watched.told)
        assert watched.names() == []
        part.unlink()
        wait_for(lambda: watched.names() == ["a.png"])
    assert len(watched.told) == 1
    assert watched.told[0].startswith(f"{photo}: not cleaned as long as a part of it lies beside")


def test_a_second_watch_resumes_and_works_on_nothing_twice(watched: Watched) -> None:
    watched.put("a.png")
    with watched.running():
        wait_for(lambda: watched.names())
    watched.put("b.png", seed=2)
    with watched.running():
        wait_for(lambda: len(watched.names()) == 2)
    assert watched.names() == ["a.png", "b.png"]


def test_a_changed_photo_is_cleaned_again_and_a_deleted_one_left(watched: Watched) -> None:
    watched.put("gone.png", seed=3)
    watched.put("changes.png")
    with watched.running():
        wait_for(lambda: len(watched.names()) == 2)
        first = (watched.out / "changes.png").read_bytes()
        (watched.folder / "gone.png").unlink()
        watched.put("changes.png", seed=2)
        wait_for(lambda: len(watched.names()) == 3)
        wait_for(lambda: watched.report()["changes.png"]["status"] != "skipped")
    assert watched.names()[2] == "changes.png"
    assert (watched.out / "changes.png").read_bytes() != first
    assert (watched.out / "gone.png").is_file()
    assert watched.report()["gone.png"]["output"] == "gone.png"


def test_a_stop_ends_after_the_photo_in_progress_with_a_true_report(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        watched.put(f"{number}.png", seed=number)
    real = worker.Worker.__call__
    stop = Stop()

    def stopping(self: worker.Worker, task: worker.Task) -> object:
        stop.request()
        return real(self, task)

    monkeypatch.setattr(worker.Worker, "__call__", stopping)
    watched.make(workers=1).run(stop)
    assert len(watched.names()) == 1
    (name,) = watched.names()
    assert set(watched.report()) == {name}
    assert (watched.out / name).is_file()
    assert len(list(watched.out.glob("*.png"))) == 1
    monkeypatch.undo()
    with watched.running():
        wait_for(lambda: len(watched.names()) == 4)
    assert sorted(watched.names()) == ["0.png", "1.png", "2.png", "3.png"]


def test_a_failure_is_reported_and_not_tried_again_until_the_photo_changes(
    watched: Watched,
) -> None:
    (watched.folder / "bad.png").write_bytes(b"\x89PNG and no more")
    with watched.running():
        wait_for(lambda: watched.names() == ["bad.png"])
        watched.put("good.png")
        wait_for(lambda: len(watched.names()) == 2)
        wait_for(lambda: "good.png" in watched.report())
        assert watched.report()["bad.png"]["status"] == "failed"
        watched.put("bad.png", seed=2)
        wait_for(lambda: len(watched.names()) == 3)
        wait_for(lambda: watched.report()["bad.png"]["status"] == "review")
    assert watched.names() == ["bad.png", "good.png", "bad.png"]


def test_a_result_stays_in_the_report_as_failed_if_its_changed_photo_fails(
    watched: Watched,
) -> None:
    watched.put("a.png")
    with watched.running():
        wait_for(lambda: watched.names() == ["a.png"])
        (watched.folder / "a.png").write_bytes(b"no picture")
        wait_for(lambda: len(watched.names()) == 2)
        watched.put("b.png", seed=2)
        wait_for(lambda: len(watched.names()) == 3)
        wait_for(lambda: "b.png" in watched.report())
    assert watched.names() == ["a.png", "a.png", "b.png"]
    assert watched.report()["a.png"]["status"] == "failed"
    assert watched.report()["a.png"]["output"] == "a.png"


def test_a_folder_that_vanishes_is_told_and_waited_for(watched: Watched) -> None:
    watched.put("a.png")
    away = watched.folder.with_name("away")
    with watched.running():
        wait_for(lambda: watched.names() == ["a.png"])
        watched.folder.rename(away)
        wait_for(lambda: watched.told)
        away.rename(watched.folder)
        watched.put("b.png", seed=2)
        wait_for(lambda: len(watched.names()) == 2)
    assert watched.names() == ["a.png", "b.png"]
    assert watched.told == [
        f"{watched.folder}: no such file or folder; waiting until it is back",
        f"{watched.folder}: is there again",
    ]


def test_a_folder_that_vanishes_amid_photos_fails_none_of_the_rest(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        watched.put(f"{number}.png", seed=number)
    away = watched.folder.with_name("away")
    real = worker.Worker.__call__

    def vanishing(self: worker.Worker, task: worker.Task) -> object:
        row = real(self, task)
        if len(watched.cleaned) == 0:
            watched.folder.rename(away)
        return row

    monkeypatch.setattr(worker.Worker, "__call__", vanishing)
    with watched.running(workers=1):
        wait_for(lambda: any("not there any more" in text for text in watched.told))
        monkeypatch.undo()
        away.rename(watched.folder)
        wait_for(lambda: len(watched.names()) == 4)
    assert sorted(watched.names()) == ["0.png", "1.png", "2.png", "3.png"]
    assert all(entry["status"] == "review" for entry in watched.cleaned)


def test_an_output_folder_that_vanishes_is_waited_for_and_not_made_anew(watched: Watched) -> None:
    watched.put("a.png")
    away = watched.out.with_name("away")
    with watched.running():
        wait_for(lambda: watched.names() == ["a.png"])
        with watched.held():  # so the round has ended
            watched.out.rename(away)
        wait_for(lambda: watched.told)
        watched.put("b.png", seed=2)
        assert not watched.out.exists()
        away.rename(watched.out)
        wait_for(lambda: len(watched.names()) == 2)
    assert (watched.out / "b.png").is_file()


def test_an_output_folder_that_vanishes_amid_photos_is_not_filled_anew(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        watched.put(f"{number}.png", seed=number)
    away, real = watched.out.with_name("away"), worker.Worker.__call__

    def vanishing(self: worker.Worker, task: worker.Task) -> object:
        row = real(self, task)
        if not away.exists():
            watched.out.rename(away)
        return row

    monkeypatch.setattr(worker.Worker, "__call__", vanishing)
    with watched.running(workers=1):
        wait_for(lambda: any(text.endswith("until it is back") for text in watched.told))
        monkeypatch.undo()
        assert not list(watched.out.glob("*.png"))
        assert len(list(away.glob("*.png"))) == 1
        shutil.rmtree(watched.out)  # what the photo in progress made of it
        away.rename(watched.out)
        wait_for(lambda: len(watched.names()) == 4)
    assert len(list(watched.out.glob("*.png"))) == 4
    assert any("is not there any more) after 1 of 4" in text for text in watched.told)


def test_an_empty_folder_is_told_and_results_stay(watched: Watched) -> None:
    photo = watched.put("a.png")
    with watched.running():
        wait_for(lambda: watched.names() == ["a.png"])
        photo.unlink()
        wait_for(lambda: watched.told)
    assert watched.told == [f"{watched.folder}: holds no photo any more; the results stay"]
    assert (watched.out / "a.png").is_file()


def test_a_full_disk_is_told_and_tried_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = worker.Worker.__call__, [OSError(errno.ENOSPC, "No space left on device")] * 2

    def full(self: worker.Worker, task: worker.Task) -> object:
        if failures:
            raise OutputError(f"{watched.out}: {failures.pop()}")
        return real(self, task)

    monkeypatch.setattr(worker.Worker, "__call__", full)
    watched.put("a.png")
    with watched.running():
        wait_for(lambda: watched.names() == ["a.png"])
    assert len(watched.told) == 1  # said once, not at each try
    assert "No space left" in watched.told[0]
    assert watched.told[0].endswith("trying again")


def test_one_watch_per_output_folder(watched: Watched) -> None:
    with watched.running():
        wait_for(lambda: (watched.out / f"{lock.WATCH}.json").exists())
        with pytest.raises(UsageError, match="another remove-objects watch cleans into it"):
            watched.make().run(Stop())
    assert not (watched.out / f"{lock.WATCH}.json").exists()


def test_while_another_run_has_the_folder_the_watch_waits(watched: Watched) -> None:
    watched.put("a.png")
    with watched.running():
        wait_for(lambda: watched.names() == ["a.png"])
        with watched.held():  # as the mask board does when it saves
            watched.put("b.png", seed=2)
            wait_for(lambda: watched.told)
            assert watched.names() == ["a.png"]
        wait_for(lambda: len(watched.names()) == 2)
    assert "another run or board writes there" in watched.told[0]


def test_other_settings_than_those_of_the_results_end_the_watch(watched: Watched) -> None:
    watched.put("a.png")
    with watched.running():
        wait_for(lambda: watched.names() == ["a.png"])
    with pytest.raises(UsageError, match="other settings"), watched.running(classes=("dog",)):
        wait_for(lambda: not watched.is_running())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"classes": ()}, "name what to remove"),
        ({"overwrite": True}, "--overwrite belongs to a run"),
        ({"dry_run": True}, "--dry-run belongs to a run"),
        ({"add": True}, "--add belongs to a run"),
        ({"engine": "ray"}, "--engine ray belongs to a run"),
        ({"masks": Path("."), "classes": ()}, "one mask file"),
    ],
)
def test_what_belongs_to_a_single_run_is_refused(
    watched: Watched, changes: dict, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        watched.make(**changes)


def test_places_that_cannot_be_watched_are_refused(watched: Watched) -> None:
    with pytest.raises(UsageError, match="both input and output"):
        watched.make(output=watched.folder)
    photo = watched.put("a.png")
    watched.folder = photo
    with pytest.raises(UsageError, match="what arrives in a folder"):
        watched.make()
    watched.folder = photo.with_name("nowhere")
    with pytest.raises(UsageError, match="no such file or folder"):
        watched.make()


def test_results_inside_the_watched_folder_are_not_cleaned(watched: Watched) -> None:
    watched.put("a.png")
    watched.out = watched.folder / "cleaned"
    with watched.running():
        wait_for(lambda: watched.names() == ["a.png"])
        watched.put("b.png", seed=2)
        wait_for(lambda: len(watched.names()) == 2)
        os.utime(watched.out / "a.png")
    assert watched.names() == ["a.png", "b.png"]


def test_memory_does_not_grow_with_rounds_and_looks(watched: Watched) -> None:
    watched.out.mkdir()
    watch, stop = watched.make(), Stop()
    watch._arrivals._settle = 0.0

    def rounds(first: int, last: int) -> int:
        """Let photos come and go, each under another name; returns how many objects live then."""
        for number in range(first, last):
            photo = watched.put(f"{number}.png", seed=number)
            watch._look(stop)
            assert watched.cleaned.pop()["input"] == photo.name
            photo.unlink()
            watch._look(stop)
            watched.told.clear()
        watch._pages.forget_others(())  # it has a bound of its own
        gc.collect()
        return len(gc.get_objects())

    # A photo's entry alone is some fifty of them.
    few, many = rounds(0, 5), rounds(5, 15)
    assert many - few < 50, many - few
    assert not watch._done
    assert not len(watch._arrivals)
