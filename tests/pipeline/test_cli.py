"""The command line: exit codes, messages, and a --help that loads no network library."""

from __future__ import annotations

import errno
import importlib.util
import io
import json
import logging
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from remove_objects import __version__
from remove_objects.pipeline import cli
from tests.support.help import assert_help_is_quick
from tests.support.scenes import scene

#: The schema of the line of ``--json``.
SUMMARY = jsonschema.Draft202012Validator(
    json.loads((Path(cli.__file__).parent / "report" / "summary.json").read_text(encoding="utf-8"))
)


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
    assert_help_is_quick(cli, "--class", {"torch", "cv2", "numpy", "ray", "fsspec", "shtab"})


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


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_rays_driver_plans_without_torch(folder: Path) -> None:
    arguments = ["--class", "person", "--no-probe", str(folder)]
    assert cli.main(arguments) == 0
    code = "import sys; from remove_objects.pipeline import cli; cli.main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, "--engine", "ray", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "remove_objects.pipeline.batch.ledger" in loaded
    assert "torch" not in loaded


def test_the_saved_mask_is_white_where_removed(folder: Path) -> None:
    cli.main(["--class", "person", "--no-probe", "--save-masks", str(folder)])
    mask = np.asarray(Image.open(folder.parent / "cleaned" / "masks" / "a.png").convert("L"))
    assert mask[55, 70] == 255
    assert mask[5, 5] == 0


@pytest.mark.parametrize(
    "module", ["remove_objects.pipeline.cli", "remove_objects.pipeline.board.cli"]
)
def test_every_option_stands_in_a_titled_group(module: str) -> None:
    said = import_module(module).parser().format_help()
    titles = re.findall(r"^(\S.*):$", said.partition("\n\nexit codes:")[0], re.MULTILINE)
    assert len(titles) >= 5
    assert not {"options", "positional arguments"} & set(titles)
    # The call comes first, not all the options in brackets.
    assert len(said.partition("\n\n")[0].splitlines()) == 1


def _line(capfd: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    """What a program reads, checked by the schema, and what stands in standard error."""
    said = capfd.readouterr()
    assert said.out.count("\n") == 1
    assert said.out.endswith("\n")
    summary = json.loads(said.out)
    SUMMARY.validate(summary)
    return summary, said.err


def test_json_is_one_line_for_programs(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "clean.png").write_bytes(_png(np.full((60, 80, 3), 200, np.uint8)))
    assert cli.main(["--json", "--class", "person", "--no-probe", str(folder)]) == 1
    summary, errors = _line(capfd)
    cleaned = folder.parent / "cleaned"
    assert summary["exit_code"] == 1
    assert summary["error"] is None
    assert summary["output"] == str(cleaned)
    assert summary["report"] == str(cleaned / "report.json")
    assert summary["page"] == str(cleaned / "report.html")
    assert Path(summary["page"]).is_file()
    report = json.loads((cleaned / "report.json").read_text())
    status = {photo["input"]: photo["status"] for photo in report["photos"]}
    assert sum(summary["counts"].values()) == 3
    assert summary["counts"]["failed"] == summary["counts"]["unchanged"] == 1
    assert summary["review"] == [name for name in status if status[name] == "review"]
    assert [photo["input"] for photo in summary["failed"]] == ["bad.png"]
    assert "not a picture" in summary["failed"][0]["error"]
    # The words of a person's run are all there, in the other stream.
    assert "report.html" in errors
    assert "verdict" in errors


def test_json_stays_clean_whatever_prints(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from remove_objects.pipeline.batch import run

    def noisy(*given: object, **more: object) -> object:
        print("a library's greeting")
        return clean(*given, **more)

    clean = run.remove_folder
    monkeypatch.setattr(run, "remove_folder", noisy)
    assert cli.main(["--json", "-q", "--class", "person", "--no-probe", str(folder)]) == 0
    summary, errors = _line(capfd)
    assert summary["exit_code"] == 0
    assert "a library's greeting" in errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--class", "unicorn"], "unknown class 'unicorn'"),
        (["--class", "person", "--workers", "0"], "1 to 256 photos"),  # the parser refuses it
        (["--class", "person", "nowhere"], "nowhere"),
    ],
)
def test_json_tells_of_a_wrong_call(
    folder: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    try:
        code = cli.main(["--json", *arguments, str(folder)])
    except SystemExit as stop:
        code = stop.code
    summary, errors = _line(capfd)
    assert code == summary["exit_code"] == 2
    assert says in summary["error"]
    assert says in errors
    assert summary["report"] is None


def test_json_to_a_closed_output_is_no_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert cli.main(["--json", "--class", "person", "--no-probe", str(folder)]) == 0
    with pytest.raises(SystemExit) as stop:
        cli.main(["--json", "--workers", "0", str(folder)])
    assert stop.value.code == 2


def test_json_goes_with_no_photo_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO()))
    assert cli.main(["--json", "--class", "person", "-"]) == 2
    assert "--json belongs to a folder of results" in capsys.readouterr().err


def test_json_counts_a_baseline(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call = ["--json", "--class", "person", "--no-probe", str(folder)]
    assert cli.main(call) == 0
    report = json.loads(Path(_line(capfd)[0]["report"]).read_text())
    for hole in report["photos"][0]["holes"]:
        hole["seam"] = 0.0
    baseline = folder.parent / "baseline.json"
    baseline.write_text(json.dumps(report))
    assert cli.main([*call, "--baseline", str(baseline), "--overwrite"]) == 1
    summary, _ = _line(capfd)
    assert summary["baseline"]["worse"] == 1
    assert summary["exit_code"] == 1


def test_a_photo_for_review_fails_only_on_request(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    call = ["--class", "person", "--no-probe", str(folder)]
    Image.fromarray(_crowd()).save(folder / "a.png")
    assert cli.main(call) == 0
    assert "1 to check" in capfd.readouterr().out
    # The second run skips the photo, and it still waits for a person.
    assert cli.main([*call, "--fail-on", "review"]) == 1
    assert "1 photo to check (--fail-on review)" in capfd.readouterr().err
    assert cli.main([*call, "--fail-on", "failed", "--json"]) == 0
    assert _line(capfd)[0]["review"] == ["a.png"]


def test_a_photo_that_a_person_accepted_does_not_fail(folder: Path) -> None:
    from remove_objects.pipeline.board.board import Board
    from remove_objects.pipeline.board.run_folder import open_run

    call = ["--class", "person", "--no-probe", "--fail-on", "review", str(folder)]
    Image.fromarray(_crowd()).save(folder / "a.png")
    assert cli.main(call) == 1
    board = Board(open_run(folder.parent / "cleaned", None))
    (item,) = board.sessions.listed()
    board.accept(item.key)
    board.close()
    assert cli.main(call) == 0


def test_a_review_in_a_pipe_fails_on_request(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, code in (("review", 1), ("failed", 0)):
        output = io.BytesIO()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(_png(_crowd()))))
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(output))
        assert cli.main(["--class", "person", "--no-probe", "--fail-on", option, "-"]) == code
        assert output.getvalue().startswith(b"\x89PNG")  # the result is there all the same


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _crowd() -> np.ndarray:
    """A photo most of which is a person: whatever fills it is to check."""
    pixels = scene()
    pixels[10:-10, 10:-40] = (255, 0, 0)
    return pixels
