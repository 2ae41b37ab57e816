"""Runs whose caller takes the photos one by one: what it gets, and what is left if it stops."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from remove_objects import (
    FolderRun,
    OutputError,
    UsageError,
    iter_folder,
    remove_folder,
)
from remove_objects.pipeline.batch.worker import Task, Worker
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from remove_objects.pipeline.system.lock import folder_lock
from remove_objects.pipeline.system.signals import signals_restored
from remove_objects.pipeline.system.subprocess_pool import end_idle
from tests.support.scenes import scene
from tools.package_tree import ROOT

COUNT = 4
#: How the photos are cleaned: the networks that cost nothing cannot be probed.
HOW = {"classes": "person", "series": "off", "probe": False}


@pytest.fixture
def folder(tmp_path: Path, cheap: None) -> Path:
    """Photos with a person each; no process of an earlier test is left."""
    end_idle()
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(COUNT):
        Image.fromarray(scene(seed=number)).save(photos / f"{number}.png")
    return photos


def begin(folder: Path, workers: int = 1) -> FolderRun:
    return iter_folder(folder, output=folder.parent / "out", workers=workers, **HOW)


def children() -> set[str]:
    """The processes that this one started and that are alive."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {pid for task in tasks for pid in task.read_text().split()}


def threads() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith(("ThreadPool", "end of"))}


def assert_ended(folder: Path, finished: int) -> None:
    """Nothing of the run is left but its finished photos; the report has them, the lock is free."""
    out = folder.parent / "out"
    assert not threads()
    assert not children()
    assert len(list(out.glob("*.png"))) == finished
    assert len(json.loads((out / "report.json").read_text())["photos"]) == finished
    with folder_lock(out):
        pass


def assert_resumable(folder: Path, finished: int) -> None:
    """The same call cleans the rest, and leaves the finished photos as they are."""
    assert_ended(folder, finished)
    out = folder.parent / "out"
    results = {path: path.stat().st_ino for path in out.glob("*.png")}
    again = remove_folder(folder, output=out, **HOW)
    end_idle()
    assert {entry["status"] for entry in again.photos} <= {"ok", "skipped"}
    assert len(again.photos) == len(list(out.glob("*.png"))) == COUNT
    assert {path: path.stat().st_ino for path in results} == results


def test_photos_come_while_the_run_goes_on(folder: Path) -> None:
    run = begin(folder)
    assert len(run) == COUNT
    assert run.output == folder.parent / "out"
    first = next(run)
    assert (run.output / first["output"]).is_file()
    assert not (run.output / "report.json").exists()
    with pytest.raises(UsageError, match="the run is not over: take all its photos, or close it"):
        run.result  # noqa: B018
    with pytest.raises(UsageError, match="another run or board writes there"):
        begin(folder)
    assert repr(run) == f"<FolderRun of {COUNT} photos into {run.output}, in progress>"
    rest = list(run)
    assert sorted(e["input"] for e in [first, *rest]) == [f"{n}.png" for n in range(COUNT)]
    assert run.result.photos == [first, *rest]
    assert run.result.stopped is None
    assert list(run) == []
    assert_ended(folder, COUNT)


def by_break(run: FolderRun) -> FolderRun:
    with run:
        for _ in run:
            break
    return run


def by_an_error(run: FolderRun) -> FolderRun:
    with pytest.raises(ZeroDivisionError), run:
        next(run)
        1 / 0  # noqa: B018
    return run


def in_another_thread(run: FolderRun) -> FolderRun:
    next(run)
    thread = threading.Thread(target=run.close)
    thread.start()
    thread.join()
    run.close()
    return run


@pytest.mark.parametrize("end", [by_break, by_an_error, in_another_thread])
def test_a_run_that_its_caller_ends_early_is_complete_in_itself(
    folder: Path, end: Callable[[FolderRun], FolderRun]
) -> None:
    run = end(begin(folder))
    assert run.result.stopped == (
        f"stopped by the caller after 1 of {COUNT} photos; the same command resumes from here"
    )
    assert list(run) == []
    assert_ended(folder, 1)


def test_photos_in_progress_are_finished(folder: Path) -> None:
    with begin(folder, workers=3) as run:
        next(run)
    assert len(run.result.photos) == 3
    assert_ended(folder, 3)


def test_a_run_that_is_dropped_ends(folder: Path) -> None:
    for _ in begin(folder):
        break
    assert_resumable(folder, 1)


def test_a_run_may_be_dropped_by_any_thread(folder: Path) -> None:
    """The collector of cycles runs in whichever thread needs memory, a worker's too."""
    run = begin(folder)
    next(run)
    cycle: list[object] = [run]
    cycle.append(cycle)
    gc.disable()
    try:
        del run, cycle
        thread = threading.Thread(target=gc.collect)
        thread.start()
        thread.join()
    finally:
        gc.enable()
    for each in threading.enumerate():
        if each.name == "end of a run":
            each.join()
    assert_ended(folder, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_leaves_the_run_to_its_parent(folder: Path) -> None:
    run = begin(folder, workers=2)
    next(run)
    child = os.fork()
    if not child:
        run.close()
        os._exit(0)
    deadline = time.monotonic() + 30
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child waits for threads that it does not have")
        time.sleep(0.01)
    assert len(list(run)) == COUNT - 1
    assert_ended(folder, COUNT)


def test_threads_take_the_photos_of_one_run_in_turns(folder: Path) -> None:
    run, taken, errors = begin(folder, workers=2), list[str](), list[BaseException]()

    def take() -> None:
        try:
            taken.extend(photo["input"] for photo in run)
        except BaseException as error:
            errors.append(error)

    takers = [threading.Thread(target=take) for _ in range(3)]
    for thread in takers:
        thread.start()
    for thread in takers:
        thread.join(60)
    assert not errors
    assert sorted(taken) == [f"{number}.png" for number in range(COUNT)]
    assert run.result.stopped is None
    assert_ended(folder, COUNT)


def test_a_run_may_be_closed_while_another_thread_takes_its_photos(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, begins, goes_on = Worker.__call__, threading.Event(), threading.Event()

    def held(self: Worker, task: Task) -> object:
        begins.set()
        assert goes_on.wait(60)
        return real(self, task)

    monkeypatch.setattr(Worker, "__call__", held)
    run, ends = begin(folder), list[BaseException | None]()

    def take() -> None:
        try:
            for _ in run:
                pass
            ends.append(None)
        except BaseException as error:
            ends.append(error)

    taker, closer = threading.Thread(target=take), threading.Thread(target=run.close)
    taker.start()
    assert begins.wait(60)
    closer.start()
    while not run._steps.stop():
        closer.join(0.01)
    goes_on.set()
    taker.join(60)
    closer.join(60)
    assert ends == [None], "a closed run is over, for those who iterate too"
    assert "stopped by the caller after 1 of" in str(run.result.stopped)
    assert_resumable(folder, 1)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal on Windows")
def test_a_signals_handler_may_close_the_run_that_it_interrupts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real = begin(folder), Worker.__call__

    def interrupted(self: Worker, task: Task) -> object:
        os.kill(os.getpid(), signal.SIGUSR1)
        while not run._steps.stop():
            pass
        return real(self, task)

    monkeypatch.setattr(Worker, "__call__", interrupted)
    before = signal.signal(signal.SIGUSR1, lambda *_: run.close())
    try:
        assert len(list(run)) == 1
    finally:
        signal.signal(signal.SIGUSR1, before)
    monkeypatch.undo()
    assert_resumable(folder, 1)


FORKING = """
import os, sys, time
from remove_objects import UsageError, iter_folder
from tests.support.states.networks import cheap_networks

with cheap_networks():
    run = iter_folder(sys.argv[1], output=sys.argv[2], classes="person", series="off", probe=False)
    next(run)
    child = os.fork()
    if not child:
        try:
            next(run)
        except UsageError as error:
            print(error, flush=True)
        run.close()
        sys.exit(7)  # with all that Python tidies up at its end
    for _ in range(1200):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        sys.exit("the fork does not end")
    print("child", os.waitstatus_to_exitcode(status))
    try:
        iter_folder(sys.argv[1], output=sys.argv[2], classes="person", series="off", probe=False)
    except UsageError as error:
        print("another run or board writes there" in str(error))
    print(len(list(run)), run.result.stopped)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks on Windows")
def test_a_fork_has_no_part_in_the_run(folder: Path) -> None:
    out = folder.parent / "out"
    ran = subprocess.run(
        [sys.executable, "-c", FORKING, str(folder), str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = ran.stdout.splitlines()
    assert ran.returncode == 0, ran.stderr
    assert "of which this one was forked" in said[0]
    assert said[1:] == ["child 7", "True", f"{COUNT - 1} None"]
    assert_ended(folder, COUNT)
    rows = [json.loads(line) for line in (out / JOURNAL_NAME).read_text().splitlines()]
    assert sorted(row["input"] for row in rows if "input" in row) == [
        f"{number}.png" for number in range(COUNT)
    ]


def test_wrong_calls_are_refused_by_the_call_itself(folder: Path) -> None:
    with pytest.raises(UsageError, match="unknown class 'persn'"):
        iter_folder(folder, classes="persn", output=folder.parent / "out")
    with pytest.raises(TypeError, match=r"iter_folder\(\) takes no 'ouput'; did you mean 'output'"):
        iter_folder(folder, classes="person", **{"ouput": "out"})
    assert not (folder.parent / "out").exists()


def test_ctrl_c_reaches_the_caller_after_the_photos_in_progress(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = Worker.__call__

    def interrupted(self: Worker, task: object) -> object:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return clean(self, task)

    taken = []
    with signals_restored(signal.SIGINT):
        # A suite that runs in the background ignores it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run = begin(folder)
        monkeypatch.setattr(Worker, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt), run:
            taken += list(run)
    monkeypatch.undo()
    assert run.result.stopped
    assert_ended(folder, 1)


def test_a_full_disk_is_an_error_after_the_report(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = Worker.__call__

    def full(self: Worker, task: object) -> object:
        if (folder.parent / "out" / "0.png").exists():
            raise OutputError("the disk is full")
        return clean(self, task)

    monkeypatch.setattr(Worker, "__call__", full)
    run = begin(folder)
    next(run)
    with pytest.raises(OutputError, match=r"stopped \(the disk is full\) after 1 of 4 photos"):
        next(run)
    assert len(run.result.photos) == 1
    monkeypatch.undo()
    assert_resumable(folder, 1)


@pytest.mark.slow
def test_a_program_that_ends_with_a_run_open_leaves_a_report(folder: Path) -> None:
    """Nothing is printed but what the program itself says, not even the run's warning."""
    code = """
import sys
from remove_objects import iter_folder
from tests.support.states.networks import cheap_networks
with cheap_networks():
    how = {"classes": "person", "series": "off", "probe": False, "keep_metadata": "all"}
    run = iter_folder(sys.argv[1], output=sys.argv[2], workers=1, **how)
    next(run)
    sys.exit("enough")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(folder.parent / "out")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "enough\n")
    assert_ended(folder, 1)
    report = json.loads((folder.parent / "out" / "report.json").read_text())
    assert "with --keep-metadata all" in report["run"]["warnings"][0]


def test_a_run_is_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    caplog.set_level(logging.INFO, "remove_objects")
    out = folder.parent / "out"
    remove_folder(folder, output=out, keep_metadata="all", **HOW)
    lines = [(record.levelname, record.message) for record in caplog.records]
    assert all(record.name.startswith("remove_objects.") for record in caplog.records)
    assert lines[0] == (
        "INFO",
        f"{COUNT + 1} photos, {COUNT + 1} of them to clean; results in {out}",
    )
    assert ("INFO", "0.png: ok, nothing stands out") in lines
    (bad,) = (message for _, message in lines if message.startswith("bad.png: "))
    assert bad.startswith("bad.png: failed, ")
    assert "not a picture" in bad
    warning = next(message for level, message in lines if level == "WARNING")
    assert warning.startswith("with --keep-metadata all")
    assert re.fullmatch(
        rf"{COUNT} ok, 1 failed in [\d.]+ s; report: {re.escape(str(out))}/report.json",
        lines[-1][1],
    )


def test_the_library_prints_nothing_by_itself() -> None:
    (handler,) = logging.getLogger("remove_objects").handlers
    assert isinstance(handler, logging.NullHandler)
    names = [name for name in logging.root.manager.loggerDict if name.startswith("remove_objects.")]
    assert names
    assert not any(logging.getLogger(name).handlers for name in names)
