"""``remove-objects watch`` as people and services start and stop it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.system.signals import signals_restored
from tests.support.scenes import scene
from tests.support.states.networks import cheap_networks
from tests.support.waiting import wait_for

PROCESS = Path(__file__).parents[2] / "support" / "watch_process.py"


class Command:
    """The command in its own process, over ``photos`` into ``out``."""

    def __init__(self, place: Path, *more: str) -> None:
        self.place, self.slow = place, place / "slow"
        self.output = place / f"stdout{len(list(place.glob('stdout*')))}"
        arguments = ["watch", "photos", "--class", "person", "-o", "out", "--settle", "0.2"]
        arguments += ["--interval", "0.1", "--no-probe", "--workers", "1", *more]
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(PROCESS), *arguments],
                cwd=place,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "WATCH_SLOW": str(self.slow), "OMP_NUM_THREADS": "1"},
            )

    def said(self) -> str:
        """Return what it has printed so far."""
        return self.output.read_text()

    def wait_until_it_says(self, text: str) -> None:
        """Wait for a text."""
        wait_for(lambda: text in self.said() or self.process.poll() is not None, 60)
        assert text in self.said(), self.said()


def put(place: Path, name: str, seed: int) -> None:
    picture = scene(60, 80, person=(20, 20, 12, 16), seed=seed)
    Image.fromarray(picture).save(place / "photos" / name)


@pytest.mark.slow
def test_killed_then_resumed_then_ended_amid_a_photo(tmp_path: Path) -> None:
    """One story, because each process takes seconds to start."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "slow").touch()
    for number in range(3):
        put(tmp_path, f"{number}.png", number)

    killed = Command(tmp_path)
    try:
        killed.wait_until_it_says("in progress 0.png")
        killed.slow.unlink()
        killed.wait_until_it_says("to check")
        killed.slow.touch()
        killed.wait_until_it_says("in progress 1.png")
    finally:
        killed.process.kill()
        killed.process.wait()
    finished = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert "0.png" in finished

    resumed = Command(tmp_path)
    resumed.wait_until_it_says("in progress")
    assert "in progress 0.png" not in resumed.said()
    resumed.process.send_signal(signal.SIGTERM)  # amid a photo, which it finishes
    resumed.wait_until_it_says("finishing the photos in progress")
    resumed.slow.unlink()
    assert resumed.process.wait(60) == 0, resumed.said()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    results = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert {photo["output"] for photo in report["photos"]} == results
    assert "stopped by the user" in " ".join(report["run"]["warnings"])
    assert report["run"]["command"].startswith("remove-objects watch photos --class person")


def test_ctrl_c_while_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    put(tmp_path, "a.png", 1)
    monkeypatch.chdir(tmp_path)

    def interrupt() -> None:
        journal = tmp_path / "out" / ".remove-objects-journal.jsonl"
        try:
            wait_for(lambda: (tmp_path / "out" / "report.json").exists() and journal.exists())
            wait_for(lambda: not (tmp_path / "out" / ".remove-objects-lock.json").exists())
        finally:  # or the watch would wait for ever
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with cheap_networks(), signals_restored(signal.SIGINT):
        # A suite that runs in the background ignores it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        thread.start()
        arguments = ["watch", "photos", "-o", "out", "--class", "person", "--no-probe"]
        assert cli.main([*arguments, "--settle", "0.1", "--interval", "0.1"]) == 0
    thread.join()
    said = capsys.readouterr()
    assert "watching photos; results: " in said.out
    assert said.out.endswith("stopped; this watch cleaned: 1 to check\n")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [photo["output"] for photo in report["photos"]] == ["a.png"]
    assert not report["run"]["warnings"] or "stopped" not in " ".join(report["run"]["warnings"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["watch", "--class", "person"], "takes one folder, got none"),
        (["watch", "a", "b", "--class", "person"], "takes one folder, got 2"),
        (["watch", "-", "--class", "person"], "takes one folder"),
        (["watch", ".", "--class", "person", "--files-from", "x"], "--files-from"),
        (["watch", "s3://bucket/x", "--class", "person"], "a folder of this machine"),
        (["watch", ".", "-o", "out"], "name what to remove"),
        (["watch", "gone", "--class", "person"], "gone: no such file or folder"),
    ],
)
def test_a_wrong_call_ends_with_code_2_and_says_why(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        *(["--files-from", "list"], ["--overwrite"], ["--add"], ["--preview"], ["--dry-run"]),
        *(["--baseline", "a.json"], ["--tolerance", "truth.psnr=1"], ["--json"]),
        *(["--fail-on", "review"], ["--engine", "ray"]),
    ],
)
def test_its_help_leaves_out_what_it_refuses(
    option: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["watch", ".", "--class", "person", "-o", "out", *option]) == 2
    assert option[0] in capsys.readouterr().err
    lines = cli.watch_parser().format_help().splitlines()
    assert any(line.startswith("  --settle") for line in lines)
    assert not any(line.startswith(f"  {option[0]}") for line in lines)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon", "1e9"])
def test_times_are_checked(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["watch", ".", "--class", "person", "--settle", seconds])
    assert "seconds, got" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["./watch", "--no-probe"], ["--no-probe", "watch"]])
def test_a_folder_of_that_name_is_reached(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "watch").mkdir()
    Image.fromarray(scene(60, 80, person=None)).save(tmp_path / "watch" / "a.png")
    monkeypatch.chdir(tmp_path)
    with cheap_networks():
        assert cli.main([*arguments, "--class", "person", "-q"]) == 0
    assert (tmp_path / "cleaned" / "a.png").is_file()


def test_the_help_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["watch", "--help"])
    text = capsys.readouterr().out
    assert "usage: remove-objects watch" in text
    assert "--settle SECONDS" in text
    assert "./watch" in text
