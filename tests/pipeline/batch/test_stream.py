"""``-``: a photo from the standard input, its result to the standard output, and nothing else."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli, remover
from remove_objects.pipeline.batch.stream import suffix_of
from remove_objects.pipeline.images.suffixes import SUFFIXES
from tests.pipeline.test_no_home import COMMAND
from tests.support.raws import dng, needs_rawpy
from tests.support.scenes import scene

ROOT = Path(__file__).parents[3]


def encoded(picture: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()


class Stream:
    """A standard stream, perhaps a terminal."""

    def __init__(self, content: bytes = b"", *, is_terminal: bool = False) -> None:
        self.buffer, self.is_terminal = io.BytesIO(content), is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, which must be empty in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


#: Runs the command with ``-`` behind some arguments; returns (exit code, output, what it said).
Pipe: TypeAlias = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def pipe(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, red_is_person: None
) -> Pipe:
    """The command in a pipe, where red is a person."""

    def run(content: bytes, *arguments: str) -> tuple[int, bytes, str]:
        capsysbinary.readouterr()
        monkeypatch.setattr("sys.stdin", Stream(content))
        code = cli.main([*arguments, "-"])
        said = capsysbinary.readouterr()
        return code, said.out, said.err.decode()

    return run


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """A mask of a part of the scene's upper half."""
    picture = np.zeros((120, 160), np.uint8)
    picture[10:30, 10:40] = 255
    (tmp_path / "m.png").write_bytes(encoded(picture))
    return tmp_path / "m.png"


PERSON = ("--class", "person", "--no-probe")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_a_photo_goes_through_in_its_own_format_and_leaves_nothing_behind(
    kind: str, temporary: Path, pipe: Pipe
) -> None:
    content = encoded(scene(), kind)
    code, out, _ = pipe(content, *PERSON)
    assert code == 0
    with Image.open(io.BytesIO(out)) as result:
        assert (result.format, result.size) == (kind, (160, 120))
        assert not np.array_equal(np.asarray(result.convert("RGB")), scene())
    assert not list(temporary.iterdir())
    assert [path.name for path in Path().iterdir()] == ["temporary"]


def test_the_result_is_that_of_a_folder(temporary: Path, pipe: Pipe, tmp_path: Path) -> None:
    content = encoded(scene(), "JPEG")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(content)
    assert cli.main([*PERSON, "-o", str(tmp_path / "out"), str(tmp_path / "in")]) == 0
    code, out, _ = pipe(content, *PERSON)
    assert (code, out) == (0, (tmp_path / "out" / "a.jpg").read_bytes())
    code, out, _ = pipe(content, *PERSON, "--lossless")
    assert (code, out[:4]) == (0, b"\x89PNG")


def test_a_fault_of_the_program_is_told_with_its_traceback(
    temporary: Path, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remover, "select", lambda *_: 1 // 0)
    code, out, said = pipe(encoded(scene()), *PERSON)
    assert (code, out) == (1, b"")
    assert "photo.png: a fault of this program:\nTraceback" in said
    last = said.splitlines()[-1]
    assert last.startswith("remove-objects: the standard input: a fault of this program")
    assert "ZeroDivisionError at remove_objects/pipeline/remover.py" in last
    assert not list(temporary.iterdir())


def test_a_sentence_never_names_the_temporary_photo(pipe: Pipe, tmp_path: Path) -> None:
    Image.new("L", (160, 120)).save(tmp_path / "empty.png")
    code, _, said = pipe(encoded(scene()), "--no-probe", "--masks", str(tmp_path / "empty.png"))
    assert (code, said.count("\n")) == (0, 1)
    assert said.startswith("remove-objects: unchanged: its own mask is empty")


def test_a_photo_without_objects_passes_unchanged_and_that_is_said(
    temporary: Path, pipe: Pipe
) -> None:
    content = encoded(scene(person=False))
    code, out, said = pipe(content, *PERSON)
    assert (code, out) == (0, content)
    assert "remove-objects: unchanged: " in said
    code, out, said = pipe(content, *PERSON, "-q")
    assert (code, out, said) == (0, content, "")


def test_its_own_mask_is_a_file(temporary: Path, pipe: Pipe, mask: Path) -> None:
    content = encoded(scene())
    call = ("--no-probe", "--masks", str(mask))
    code, out, _ = pipe(content, *call)
    result = np.asarray(Image.open(io.BytesIO(out)))
    assert code == 0
    assert np.array_equal(result[60:], scene()[60:])
    assert not np.array_equal(result[:40], scene()[:40])
    mask.write_bytes(b"no mask")
    code, out, said = pipe(content, *call)
    assert (code, out) == (1, b"")
    assert f"the mask {mask}: " in said
    code, out, said = pipe(content, "--masks", str(mask.parent))
    assert (code, out) == (2, b"")
    assert "--masks FILE" in said


@pytest.mark.parametrize("content", [b"", b"no picture", encoded(scene())[:2000]])
def test_a_failure_writes_nothing(content: bytes, temporary: Path, pipe: Pipe) -> None:
    code, out, said = pipe(content, *PERSON)
    assert (code, out) == (1, b"")
    assert said.startswith("remove-objects: the standard input: ")
    assert str(temporary) not in said
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.jpg"], "stands alone"),
        (["-"], "stands alone"),
        (["--files-from", "-"], "stands alone"),
        (["-o", "out"], "--output"),
        (["--save-masks"], "--save-masks"),
        (["--dry-run"], "--dry-run"),
        (["--exclude", "x"], "--exclude"),
        (["--series", "fixed"], "--series"),
        (["--engine", "ray"], "--engine ray"),
        (["--class", "unicorn"], "unicorn"),
    ],
)
def test_calls_that_make_no_sense_in_a_pipe(arguments: list[str], says: str, pipe: Pipe) -> None:
    code, out, said = pipe(b"", *PERSON, *arguments)
    assert (code, out) == (2, b"")
    assert says in said


def test_terminals_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Stream(is_terminal=True))
    assert cli.main([*PERSON, "-"]) == 2
    assert "the standard input is a terminal" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", Stream())
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert cli.main([*PERSON, "-"]) == 2
    assert "the standard output is a terminal" in capsys.readouterr().err


def test_closed_streams_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a service, or after ``<&-``: Python has no stream then."""
    monkeypatch.setattr("sys.stdin", None)
    assert cli.main([*PERSON, "-"]) == 2
    assert "the standard input is closed" in capsys.readouterr().err
    assert cli.main([*PERSON, "--files-from", "-"]) == 2
    assert "the standard input is closed" in capsys.readouterr().err


def test_the_command_in_a_pipe_prints_nothing_else(mask: Path, tiny_weights: Path) -> None:
    """Through the real streams, where C code could print; and into a reader that goes away."""
    printing = COMMAND.replace(
        "sys.exit(main())",
        "import os, remove_objects.pipeline.batch.run as r; real = r.clean_folder\n"
        "import remove_objects.pipeline.batch.stream as s\n"
        "def loud(*a, **k): print('python'); os.write(1, b'C code'); return real(*a, **k)\n"
        "s.clean_folder = loud; sys.exit(main())",
    )
    command = [sys.executable, "-c", printing, str(tiny_weights), "--no-probe", "--offline"]
    command += ["--masks", str(mask), "-"]
    done = subprocess.run(
        command, input=encoded(scene()), capture_output=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"\x89PNG")
    assert done.stdout.rstrip(b"\n").endswith(b"IEND\xaeB`\x82")
    assert b"C code" in done.stderr
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run(
        command,
        input=encoded(scene()),
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        check=False,
    )
    os.close(writing)
    assert gone.returncode == 1
    assert b"the standard output cannot be written" in gone.stderr
    assert b"Traceback" not in gone.stderr


def test_every_beginning_has_an_ending_that_is_read() -> None:
    for content in (
        encoded(scene(), "GIF"),
        b"\0\0\0\x18ftypheic",
        b"\0\0\0\x18ftypavif",
        b"RIFF\0\0\0\0WEBP",
        b"",
    ):
        assert suffix_of(content) in SUFFIXES


@needs_rawpy
def test_a_raw_photo_becomes_a_tiff(temporary: Path, pipe: Pipe, mask: Path) -> None:
    content = dng(scene())
    assert suffix_of(content) == ".dng"
    call = ("--no-probe", "--masks", str(mask))
    code, out, _ = pipe(content, *call)
    with Image.open(io.BytesIO(out)) as result:
        assert (code, result.format, result.size) == (0, "TIFF", (160, 120))
