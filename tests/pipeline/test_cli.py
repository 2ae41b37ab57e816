"""The command line: exit codes, messages, and a --help that loads no network library."""

from __future__ import annotations

import errno
import io
import logging
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects import __version__
from remove_objects.pipeline import cli
from tests.support.help import assert_help_is_quick
from tests.support.scenes import scene


@pytest.fixture
def folder(tmp_path: Path, red_is_person: None) -> Path:
    (tmp_path / "in").mkdir()
    Image.fromarray(scene()).save(tmp_path / "in" / "a.png")
    return tmp_path / "in"


def test_exit_0_and_a_summary(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--class", "person", "--no-probe", str(folder)]) == 0
    # What a person opens; report.json lies beside it.
    assert str(folder.parent / "cleaned" / "report.html") in capsys.readouterr().out
    assert (folder.parent / "cleaned" / "a.png").is_file()


def test_a_summary_that_cannot_be_printed_is_no_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its log is on a full disk; every result and the report are written."""

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sys.stdout", Full())
    assert cli.main(["--class", "person", "--no-probe", str(folder)]) == 0
    assert "the summary is not printed (No space left" in capsys.readouterr().err


def test_a_closed_standard_error_is_no_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert cli.main(["--class", "person", "--no-probe", str(folder)]) == 0
    assert cli.main(["--class", "person", str(folder / "none")]) == 2
    logging.basicConfig(force=True, handlers=[logging.NullHandler()])
    assert sys.stderr is not None
    sys.stderr.close()


def test_exit_1_names_the_failed_photo(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b\x1b[31m.png").write_bytes(b"no picture")
    assert cli.main(["--class", "person", "--no-probe", str(folder)]) == 1
    message = capsys.readouterr().err
    assert "b\\x1b[31m.png" in message  # escaped, so that the terminal does not obey it
    assert "\x1b" not in message


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--class", "unicorn"], "unicorn"),
        ([], "--class"),
        (["--class", "person", "--threshold", "3"], "threshold"),
        (["--class", "person", "--device", "cuda"], "cuda"),
    ],
)
def test_exit_2_says_what_was_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    import torch

    if "cuda" in arguments and torch.cuda.is_available():
        assert cli.main([*arguments, "--no-probe", str(folder)]) == 0
        return
    assert cli.main([*arguments, str(folder)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--dilate", "many"], ["--workers", "0"], ["--route", "sky"]]
)
def test_options_that_cannot_be_are_exit_2(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--class", "person", *arguments, str(folder)])
    assert stop.value.code == 2
    # One line: the list of all options would hide it.
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert arguments[0] in message
    assert "remove-objects --help" in message


def test_a_failed_photo_has_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.png").write_bytes(b"no picture")
    assert cli.main(["--class", "person", "--no-probe", str(folder)]) == 1
    said = capsys.readouterr()
    assert "b.png" not in said.out
    assert sum("b.png" in line for line in said.err.splitlines()) == 1
    # The file is named too: it may be the photo's mask.
    assert f"failed: b.png: {folder / 'b.png'}: not a picture" in said.err


def test_an_error_controls_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--class", "person", "gone\x1b[31m.png"]) == 2
    assert "gone\\x1b[31m.png" in capsys.readouterr().err


def test_metadata_that_were_dropped_are_told_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report had them alone, where nobody looks who misses a maker note a year later."""
    for name in ("b", "c"):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x927C] = b"notes of a camera"
        Image.fromarray(scene()).save(folder / f"{name}.jpg", exif=exif)
    for _ in range(2):
        assert cli.main(["--class", "person", "--no-probe", str(folder)]) == 0
    said = capsys.readouterr().err
    assert said.count("metadata of 2 photos were dropped") == 1  # not again where all are skipped
    assert "removed: MakerNote (--keep-metadata all keeps them)" in said


def test_verbose_has_a_line_for_every_photo(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["--class", "person", "--no-probe", "-v", str(folder)])
    assert "a.png free-form" in capsys.readouterr().out


@pytest.mark.alone
def test_help_is_quick_and_loads_no_torch() -> None:
    assert_help_is_quick(cli, "--class", {"torch", "cv2", "numpy", "ray", "fsspec"})


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("pipeline.cli", "remove-objects"),
        ("pipeline.board.cli", "mask-board"),
        ("train.cli", "train-inpainter"),
        ("train.evaluate_cli", "evaluate-inpainter"),
    ],
)
def test_every_command_reports_its_version(
    module: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        import_module(f"remove_objects.{module}").main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"{command} {__version__}\n"


def test_nothing_loads_torch_before_a_photo_is_in_progress() -> None:
    """Ray's driver, a run without unfinished photos and a wrong call do not wait for it."""
    code = (
        "import sys, remove_objects.pipeline.cli, remove_objects.pipeline.batch.run, "
        "remove_objects.pipeline.batch.engines.ray_actors; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_saved_mask_is_white_where_removed(folder: Path) -> None:
    cli.main(["--class", "person", "--no-probe", "--save-masks", str(folder)])
    mask = np.asarray(Image.open(folder.parent / "cleaned" / "masks" / "a.png").convert("L"))
    assert mask[55, 70] == 255
    assert mask[5, 5] == 0
