"""The command in a terminal of 80 and of 120 columns, and with a log file instead."""

from __future__ import annotations

import io
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.report import progress
from remove_objects.pipeline.report.next_steps import near
from remove_objects.pipeline.system.shell import in_shell
from remove_objects.pipeline.system.text import columns
from remove_objects.pipeline.types import Outcome
from tests.support.faults import FAST_OPTIONS, decode_here
from tests.support.scenes import scene
from tests.support.terminal import Terminal

pytestmark = pytest.mark.usefixtures("cheap")

LONG = "summer holiday in the north of Norway/DSC_20240712_183344_0012.png"
#: Only the first one has something that is left for a person to check: half of it goes.
NAMES = ("a.png", LONG, "plain.png", "写真の山.png")
WARNING = "a message that is longer than a terminal of eighty columns is wide, as most messages are"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of small photos in the current folder: one to check, one unchanged."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(NAMES):
        picture = scene(96, 128, person=None, seed=seed)
        if name != "plain.png":
            picture[40:50, 60:70] = (255, 0, 0)
        if name == "a.png":
            picture[10:76, 20:112] = (255, 0, 0)
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def call(*more: str) -> list[str]:
    return ["--class", "person", *FAST_OPTIONS, *more]


def command(*more: str, talks: bool = False, stops: bool = False) -> Callable[[], int]:
    """Work that is the command.

    Args:
        more: arguments.
        talks: whether a photo in progress logs and warns.
        stops: whether Ctrl-C is pressed while the first one is.
    """

    def work() -> int:
        decode_here()
        clean = ObjectRemover.clean

        def talking(*arguments: Any, **options: Any) -> Outcome:
            logging.getLogger("remove_objects.talking").warning(WARNING)
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.warn("of a library", UserWarning, stacklevel=1)
            return clean(*arguments, **options)

        def stopping(*arguments: Any, **options: Any) -> Outcome:
            os.kill(os.getpid(), signal.SIGINT)
            return clean(*arguments, **options)

        signal.signal(signal.SIGINT, signal.default_int_handler)
        if talks or stops:
            ObjectRemover.clean = talking if talks else stopping
        return cli.main(call("--workers", "1", *more))

    return work


def bars(terminal: Terminal) -> list[str]:
    return [text for text in terminal.drawn if "%|" in text]


@pytest.mark.parametrize("width", [80, 120])
def test_the_bar_says_what_was_done_last_and_no_message_is_glued_to_it(
    photos: Path, width: int
) -> None:
    ran = Terminal(command("-o", "out", "photos", talks=True), width)
    assert ran.code == 0
    screen, drawn = ran.screen, ran.drawn
    assert screen[0] == drawn[0] == "remove-objects: looking for photos in photos …"
    # Of the bar, one line is left, and the messages stand by themselves.
    (left,) = [line for line in screen if "%|" in line]
    assert "remove-objects" not in left
    assert sum(f"remove-objects: {WARNING}" == text for text in drawn) == len(NAMES)
    told = [text for text in drawn if text.endswith("UserWarning: of a library")]
    assert len(told) == len(NAMES)
    assert all(text.startswith("remove-objects: ") for text in told)
    # As wide as the terminal at most, with a bar of use, and every count is that of the moment.
    for text in bars(ran):
        assert columns(text) < width
        assert len(re.search(r"\|(.*)\|", text)[1]) == (10 if width < 100 else 20)
        done = int(re.search(r"(\d+)/4", text)[1])
        assert text.startswith(f"{25 * done:3}%|")
        if width == 120 and done:
            assert sum(map(int, re.findall(r"(\d+) (?:ok|to check|unchanged)", text))) == done
    # Each photo was named, by the end of its name.
    ends = ["a.png: to check", "plain.png: unchanged", "344_0012.png: ok", "写真の山.png: ok"]
    named = [end for text in bars(ran) for end in ends if text.endswith(end)]
    assert list(dict.fromkeys(named)) == ends
    assert left.startswith("100%|")
    assert "4/4  in " in left
    assert left.endswith("写真の山.png: ok")
    assert "1 to check" in left


def test_a_stopped_run_ends_with_the_command_that_goes_on(photos: Path) -> None:
    ran = Terminal(command("-o", "out", "photos", stops=True), 300)
    assert ran.code == 1
    assert any(text.startswith("remove-objects: stopping: finishing") for text in ran.drawn)
    opening, page, resuming, again = steps("\n".join(ran.screen[:-1]))
    assert opening.startswith("What is done so far, worst first")
    assert page.endswith("out/report.html")
    assert resuming == "Go on from here:"
    arguments = shlex.split(again)
    assert arguments[arguments.index("--class") :] == call("--workers", "1", "-o", "out", "photos")


def test_a_verbose_run_has_its_lines_above_the_bar(photos: Path) -> None:
    ran = Terminal(command("-v", "-o", "out", "photos"), 120)
    assert ran.code == 0
    one = re.compile(r"(ok|to check|unchanged) +\d+\.\d\d s ")
    lines = [line for line in ran.screen if one.match(line)]
    assert [next(name for name in NAMES if name in line) for line in lines] == sorted(NAMES)
    assert len([line for line in ran.screen if "%|" in line]) == 1


def test_a_log_file_gets_lines_and_no_bar(photos: Path, tmp_path: Path) -> None:
    ran = Terminal(command("-o", "out", "photos"), 80, errors=tmp_path / "log")
    log = (tmp_path / "log").read_text()
    assert "%|" not in log
    assert "\r" not in log
    lines = [line for line in log.splitlines() if " of 4 photos" in line]
    assert lines[0] == "remove-objects: 0 of 4 photos"
    assert lines[-1] == "remove-objects: 4 of 4 photos: 2 ok, 1 to check, 1 unchanged"
    assert ran.screen[0].startswith("verdict")


def test_a_log_says_that_a_long_photo_goes_on_and_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "TICK", 0.01)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with progress.Progress(quiet=False, verbose=False) as shown:
        shown(2, None)
        until_told(capsys, "0 of 2 photos after ")
        shown(2, {"input": "a\x1b.jpg", "status": "ok"})
        until_told(capsys, " left: 1 ok; last a\\x1b.jpg: ok")


def until_told(capsys: pytest.CaptureFixture[str], text: str) -> None:
    told = ""
    for _ in range(1000):
        told += capsys.readouterr().err
        if text in told:
            return
        progress.time.sleep(0.01)
    raise AssertionError(f"{text!r} is not in {told!r}")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that write down how they were called, in place of the browser and the board."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("xdg-open", "mask-board"):
        program = folder / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\0" {name} "$@" >> "{folder}/called"\n')
        program.chmod(0o755)
    bash = shutil.which("bash")
    assert bash is not None
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.path.dirname(bash)}")
    monkeypatch.setenv("DISPLAY", ":0")
    return folder


def steps(printed: str) -> tuple[str, str, str, str]:
    """The last four lines: what, and indented the command; twice."""
    first, one, second, other = printed.splitlines()[-4:]
    assert one.startswith("  ")
    assert other.startswith("  ")
    return first, one.strip(), second, other.strip()


@pytest.mark.parametrize("output", ["out", "-o u't", "$(touch evil)", "\u202eout"])
def test_the_last_lines_are_the_commands_that_come_next(
    output: str, photos: Path, programs: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert cli.main(call(f"--output={output}", "photos")) == 0
    printed = os.fsdecode(capfdbinary.readouterr().out)
    opening, page, mending, board = steps(printed)
    assert opening == "Every photo before and after, worst first:"
    assert mending == "Check and mend 1 photo in the browser:"
    assert "\u202e" not in printed
    subprocess.run(["bash", "-c", f"{page}\n{board}"], check=True)
    called = os.fsdecode((programs / "called").read_bytes()).split("\0")[:-1]
    given = f"./{output}" if output.startswith("-") else output
    assert called == ["xdg-open", f"{given}/report.html", "mask-board", given]
    assert Path(called[1]).is_file()
    assert run_folder.open_run(Path(called[3])).items[0].name == "a.png"
    assert not Path("evil").exists()


def test_without_a_photo_to_check_there_is_nothing_to_mend(
    photos: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "a.png").unlink()
    assert cli.main(call("photos")) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == "  xdg-open cleaned/report.html"
    assert "mask-board" not in printed
    assert cli.main(call("-q", "--overwrite", "photos")) == 0
    assert capsys.readouterr().out == ""


def test_without_a_screen_the_page_is_named_in_full(
    photos: Path,
    programs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    (programs / "mask-board").unlink()
    assert cli.main(call("photos")) == 0
    opening, page, _, board = steps(capsys.readouterr().out)
    assert opening.endswith(", in any browser:")
    assert page == str(photos.parent / "cleaned" / "report.html")
    # The board is found though no command of its name is.
    assert shlex.split(board)[1:] == ["-m", "remove_objects.pipeline.board.cli", "cleaned"]


@pytest.mark.parametrize("option", ["--dry-run", "--dry"])
def test_a_dry_run_ends_with_the_run(
    option: str, photos: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(call(option, "photos")) == 0
    opening, page, cleaning, command = steps(capsys.readouterr().out)
    assert (opening, page) == (
        "What would go, photo by photo:",
        "xdg-open cleaned/report.html",
    )
    assert cleaning == "Clean them:"
    assert not Path("cleaned/a.png").exists()
    assert cli.main(shlex.split(command)[3:]) == 0  # python -m remove_objects
    assert Path("cleaned/a.png").is_file()


def test_a_preview_ends_with_the_run_that_takes_its_picks(
    photos: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(call("--preview", "--", "photos")) == 0
    opening, page, cleaning, command = steps(capsys.readouterr().out)
    assert opening == "Pick who goes and who stays, and save your picks:"
    assert page == "xdg-open cleaned/preview.html"
    assert Path(shlex.split(page)[1]).is_file()
    assert cleaning == "Then clean by them:"
    assert shlex.split(command)[3:] == [*call("--picks", "picks.json"), "--", "photos"]


def test_a_bucket_is_named_and_its_copy_can_be_mended(
    photos: Path,
    programs: Path,
    memory: fsspec.AbstractFileSystem,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whether the photos lie there too or not."""
    memory.put(str(photos), "/photos", recursive=True)
    assert cli.main(call("-o", "memory://out", "memory://photos")) == 0
    first, second, board = capsys.readouterr().out.splitlines()[-3:]
    assert first == "Every photo before and after, worst first: memory://out/report.html"
    assert second == (
        "Check and mend 1 photo with a copy on this machine, "
        "because the mask board opens no bucket:"
    )
    assert board == "  mask-board --input PHOTOS RESULTS"
    memory.get("/out", str(tmp_path / "RESULTS"), recursive=True)
    opened = run_folder.open_run(tmp_path / "RESULTS", photos)
    assert [item.missing for item in opened.items] == [None] * len(NAMES)
    assert cli.main(call("-o", "here", "memory://photos")) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  mask-board --input PHOTOS here"
    assert run_folder.open_run(Path("here"), photos).items[0].missing is None


@pytest.mark.parametrize("option", ["-v", "--dry-run"])
def test_names_that_the_output_cannot_encode_are_escaped(
    option: str, photos: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where the output goes to a file; the run broke off in its middle."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="cp1252"))
    assert cli.main(call(option, "-o", "写真", "photos")) == 0
    assert r"\u5199\u771f/report.html" in written.getvalue().decode("cp1252")


def test_every_name_comes_through_the_shell_as_it_is() -> None:
    names = [
        "plain",
        "a b",
        "it's",
        '"',
        "$HOME `id` \\",
        "~",
        "-",
        "é写",
        "a\nb\x1b[2J",
        "\udcff\t'é",
    ]
    command = in_shell(["printf", "%s\\0", *names])
    assert command.isprintable()
    printed = subprocess.run(["bash", "-c", command], check=True, stdout=subprocess.PIPE).stdout
    assert printed == b"".join(os.fsencode(name) + b"\0" for name in names)


def test_a_path_is_relative_where_that_is_shorter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    assert near(tmp_path / "a" / "b") == "b"
    assert near(tmp_path / "a") == "."
    assert near(tmp_path / "c") == "../c"
    assert near(Path("/etc")) == "/etc"
    (tmp_path / "a" / "b").rmdir()
    (tmp_path / "a").rmdir()
    assert near(tmp_path / "c") == str(tmp_path / "c")
