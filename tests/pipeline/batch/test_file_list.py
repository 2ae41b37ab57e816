"""``--files-from``: lists as tools write them, and entries that are missing."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.file_list import read_list
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.report import progress
from tests.support.scenes import scene


@pytest.mark.parametrize(
    ("content", "entries"),
    [
        (b"", []),
        (b"a.jpg\nsub/b c.jpg\n", ["a.jpg", "sub/b c.jpg"]),
        (b"a.jpg\r\nb.jpg\r\n\r\n", ["a.jpg", "b.jpg"]),
        (b"# 1.jpg\n #2.jpg ", ["# 1.jpg", " #2.jpg "]),
        (b"a\nb.jpg\0c.jpg\r\0", ["a\nb.jpg", "c.jpg\r"]),
        (b"latin-\xff.jpg\n", [os.fsdecode(b"latin-\xff.jpg")]),
        ("\ufeffümlaut.jpg\n".encode(), ["ümlaut.jpg"]),
        ("ümlaut.jpg\r\nb.jpg\r\n".encode("utf-16"), ["ümlaut.jpg", "b.jpg"]),
        (b"\xfe\xff" + "ü.jpg\n".encode("utf-16-be"), ["ü.jpg"]),
    ],
)
def test_a_list_is_read_as_tools_write_it(content: bytes, entries: list[str]) -> None:
    assert read_list(content) == entries


@pytest.fixture
def listed(tmp_path: Path, red_is_person: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos, some of them in a list, which is the current folder."""
    for name in ("a.png", "sub/b.png", "sub/c.png", "not listed.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(scene()).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


CALL = ["--class", "person", "--no-probe", "-o", "out", "--files-from"]


def test_a_missing_entry_fails_alone(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (listed / "list").write_text("a.png\nsub\ngone.png\nsub/never there\nnotes.txt\n")
    (listed / "notes.txt").touch()
    assert cli.main([*CALL, "list"]) == 1
    said = capsys.readouterr().err
    assert "gone.png: no such file or folder; it is in the list" in said
    assert "never there: no such file or folder; it is in the list" in said
    assert "notes.txt: not a photo by its name" in said
    written = [str(p.relative_to(listed / "out")) for p in (listed / "out").rglob("[abcn]*.png")]
    results = sorted(name for name in written if not name.startswith("."))
    assert results == ["a.png", "sub/b.png", "sub/c.png"]
    (listed / "list").write_text("a.png\nsub\n")
    assert cli.main([*CALL, "list"]) == 0


def test_a_result_outlives_its_photo(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (listed / "list").write_text("a.png\nsub/b.png\n")
    assert cli.main([*CALL, "list"]) == 0
    before = (listed / "out" / "a.png").read_bytes()
    (listed / "a.png").unlink()
    assert cli.main([*CALL, "list"]) == 1
    assert (listed / "out" / "a.png").read_bytes() == before
    assert "1 skipped, 1 failed" in capsys.readouterr().out


def test_a_list_from_the_standard_input(
    listed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Input:
        buffer = io.BytesIO(b"sub/b.png\0sub/b.png\0a.png\0")

    monkeypatch.setattr("sys.stdin", Input)
    assert cli.main([*CALL, "-", "sub/c.png"]) == 0
    assert "3 of 3 photos" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), ("\n\n", "names no file"), ("a.png\n../out/x.png", "inside")],
)
def test_a_list_that_cannot_be_used_is_a_wrong_call(
    content: str | None, says: str, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (listed / "sub" / "out").mkdir()
    (listed / "sub" / "out" / "x.png").touch()
    if content is not None:
        (listed / "list").write_text(content.replace("../out", "sub/out"))
    call = ["--class", "person", "-o", "sub/out", "--files-from", "list"]
    assert cli.main(call) == 2
    assert says in capsys.readouterr().err


def test_a_photo_in_place_of_a_list_is_refused(
    listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its bytes were read as names, and filled the terminal."""
    assert cli.main(["--class", "person", "--files-from", "a.png"]) == 2
    assert "--files-from a.png: a photo, and no list" in capsys.readouterr().err


def test_no_input_at_all_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--class", "person"]) == 2
    assert "--files-from" in capsys.readouterr().err


def test_from_python_a_missing_photo_of_a_list_is_an_entry(listed: Path) -> None:
    batch = BatchSettings(classes=("person",), output="out")
    done = remove_folder(["a.png"], Settings(probe=False), batch, listed=["gone.png"])
    assert [p["input"] for p in done.photos if p["status"] == "failed"] == ["gone.png"]


def test_where_nobody_sees_a_bar_lines_tell_how_far_the_run_is(
    listed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the beginning, at the end, and between them now and then: not at each of a few photos."""
    monkeypatch.setattr(progress, "PATIENCE", 1000.0)
    assert cli.main(["--class", "person", "--no-probe", "-o", "out", "sub"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "of 2 photos" in line]
    assert lines[0] == "remove-objects: 0 of 2 photos"
    assert lines[-1].startswith("remove-objects: 2 of 2 photos: ")
    for pause, count in ((1000.0, 2), (0.0, 3)):
        monkeypatch.setattr(progress, "PAUSE", pause)
        again = ["--class", "person", "--no-probe", "-o", "out", "--overwrite", "sub"]
        assert cli.main(again) == 0
        assert capsys.readouterr().err.count("of 2 photos") == count
    for option in ("-q", "-v"):
        again = ["--class", "person", "--no-probe", "-o", "out", "--overwrite", option, "sub"]
        assert cli.main(again) == 0
        assert "of 2 photos" not in capsys.readouterr().err
