"""Ctrl-C and SIGTERM: the first lets the photos in progress finish, the second ends the process.

The next run resumes.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remove_objects.pipeline import cli
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.system.confined import OpenFolder
from remove_objects.pipeline.system.signals import STOPPED_AT_ONCE, Stop, stop_on_signals
from tests.support.faults import OPTIONS, Ground
from tools.faults.checks import report
from tools.faults.points import ended, start

pytestmark = pytest.mark.slow


def until(condition: Callable[[], Any], message: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, message
        time.sleep(0.01)


class Command:
    """The command in a child process.

    Work on each photo waits for a file ``go`` in the folder ``signs``, by which the two processes
    communicate.
    """

    def __init__(
        self,
        ground: Ground,
        out: Path,
        *,
        waits: bool = True,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self.out, self.signs, self.errors = out, out.with_name("signs"), out.with_name("errors")
        self.signs.mkdir(exist_ok=True)
        clean = ObjectRemover.clean

        def slow(remover: ObjectRemover, *arguments: Any, **options: Any) -> Any:
            (self.signs / f"begun-{threading.get_ident()}-{time.monotonic_ns()}").touch()
            until(lambda: (self.signs / "go").exists(), "there was no file go")
            return clean(remover, *arguments, **options)

        def work() -> int:
            # A suite that runs in the background ignores it.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if waits:
                ObjectRemover.clean = slow  # type: ignore[method-assign]
            before()
            options = ["--masks", str(ground.folder / "masks"), *OPTIONS]
            return cli.main([*options, "--workers", "2", "-o", str(out), str(ground.folder / "in")])

        self.pid = start(work, self.errors)

    def begun(self) -> int:
        return len([sign for sign in self.signs.iterdir() if sign.name.startswith("begun-")])

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def output(self) -> str:
        return self.errors.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_finishes_the_photos_in_progress_and_writes_the_report(
    number: signal.Signals, ground: Ground, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = Command(ground, out)
    until(lambda: command.begun() == 2, "two photos are not in progress")
    command.send(number)
    until(lambda: "once more stops now" in command.output(), "there was no message")
    assert not (out / "report.json").exists()
    (command.signs / "go").touch()
    assert ended(command.pid) == 1
    assert command.begun() == 2
    written = report(out)
    done = [p["input"] for p in written["photos"] if p["status"] != "failed"]
    assert len(done) == 2  # broken.png may have failed before them
    assert any(
        f"stopped by the user after {len(written['photos'])} of 4 photos" in w
        for w in written["run"]["warnings"]
    )
    assert "the same command resumes from here" in command.output()
    assert "Traceback" not in command.output()
    assert all((out / name).is_file() for name in done)
    ground.assert_resumes(out)


def test_the_second_signal_ends_at_once_and_leaves_nothing_half(
    ground: Ground, tmp_path: Path
) -> None:
    command = Command(ground, tmp_path / "out")
    until(lambda: command.begun() == 2, "two photos are not in progress")
    command.send(signal.SIGINT)
    until(lambda: "once more stops now" in command.output(), "there was no message")
    command.send(signal.SIGINT)
    assert ended(command.pid, 20) == STOPPED_AT_ONCE  # although the photos still wait
    assert "Traceback" not in command.output()
    ground.assert_nothing_is_half(tmp_path / "out")
    ground.assert_resumes(tmp_path / "out")


def test_the_second_signal_removes_a_file_that_is_being_written(
    ground: Ground, tmp_path: Path
) -> None:
    out, signs = tmp_path / "out", tmp_path / "signs"

    def stop_before_renaming() -> None:
        rename = OpenFolder.replace

        def slow(folder: OpenFolder, old: str, new: str) -> None:
            if new == "a.png" and folder.path.name != "masks":
                (signs / "renaming").touch()
                time.sleep(60)
            rename(folder, old, new)

        OpenFolder.replace = slow  # type: ignore[method-assign]

    command = Command(ground, out, waits=False, before=stop_before_renaming)
    until(lambda: (signs / "renaming").exists(), "nothing is written")
    assert list(out.glob(".*.part"))
    command.send(signal.SIGTERM)
    until(lambda: "once more stops now" in command.output(), "there was no message")
    command.send(signal.SIGTERM)
    assert ended(command.pid, 20) == STOPPED_AT_ONCE
    assert not list(out.glob(".*.part"))
    assert not (out / "a.png").exists()
    ground.assert_resumes(out)


def test_a_stop_before_the_first_photo_still_writes_a_report(
    ground: Ground, tmp_path: Path
) -> None:
    stop = Stop()
    stop.request()
    result = ground.clean(tmp_path / "out", stop=stop)
    assert (result.photos, result.stopped) == (
        [],
        "stopped by the user after 0 of 4 photos; the same command resumes from here",
    )
    ground.assert_resumes(tmp_path / "out")


def test_ignored_signals_stay_ignored_and_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not before
            signal.raise_signal(signal.SIGINT)
            assert not stop()
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        signal.signal(signal.SIGINT, ignored)


def test_outside_the_main_thread_it_handles_no_signal_and_works() -> None:
    requested: list[bool] = []

    def work() -> None:
        with stop_on_signals() as stop:
            requested.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert requested == [False]
