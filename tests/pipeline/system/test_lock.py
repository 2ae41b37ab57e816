"""One run at a time in an output folder: a second run refuses and names the first.

A dead holder does not block anyone.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.run_folder import open_run
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import OutputError, UsageError
from remove_objects.pipeline.system import lock
from tests.support.scenes import scene

ROOT = Path(__file__).parents[3]


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process lock the folder until its input is closed."""
    script = (
        "import sys; from pathlib import Path; from remove_objects.pipeline.system import lock\n"
        "with lock.folder_lock(Path(sys.argv[1]), lambda: None):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.stdin.close()


@pytest.fixture
def photos(tmp_path: Path, red_is_person: None) -> Path:
    (tmp_path / "in").mkdir()
    Image.fromarray(scene(64, 80, person=(30, 20, 12, 14))).save(tmp_path / "in" / "a.png")
    return tmp_path / "in"


def run(photos: Path) -> list[dict]:
    return remove_folder(
        [photos], Settings(probe=False, detail="none"), BatchSettings(classes=("person",))
    ).photos


def test_a_second_run_refuses_and_names_the_first(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photos.parent / "cleaned"
    with holder(out) as other:
        before = sorted(p.name for p in out.iterdir())
        assert cli.main(["--class", "person", "--no-probe", str(photos)]) == 2
        said = capsys.readouterr().err
        assert str(out) in said
        assert f"process {other.pid} on " in said
        assert "--output" in said
        assert sorted(p.name for p in out.iterdir()) == before
    assert cli.main(["--class", "person", "--no-probe", str(photos)]) == 0


def test_a_run_refuses_while_another_of_the_same_process_writes_there(photos: Path) -> None:
    with (
        lock.folder_lock(photos.parent / "cleaned"),
        pytest.raises(UsageError, match=f"process {os.getpid()} on "),
    ):
        run(photos)


def test_a_killed_holder_blocks_nobody_and_its_unfinished_files_are_removed(photos: Path) -> None:
    out = photos.parent / "cleaned"
    with holder(out) as other:
        (out / "report_files").mkdir()
        unfinished = [out / f".{'0' * 16}.part", out / "report_files" / f".{'a' * 16}.part"]
        kept = [out / f"{'0' * 16}.part", out / ".mine.part"]
        for path in (*unfinished, *kept):
            path.write_bytes(b"half")
        other.send_signal(signal.SIGKILL)
        other.wait(30)
    assert (out / lock.HOLDER).exists()
    assert [p["status"] for p in run(photos)] != ["failed"]
    assert not [p for p in unfinished if p.exists()]
    # This program gives no such names.
    assert [p.read_bytes() for p in kept] == [b"half", b"half"]
    assert not (out / lock.HOLDER).exists()


def test_an_error_in_the_block_leaves_no_trace_of_a_dead_holder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock.folder_lock(tmp_path):
        raise ZeroDivisionError
    assert not (tmp_path / lock.HOLDER).exists()
    with lock.folder_lock(tmp_path, lambda: pytest.fail("nobody died")):
        assert json.loads((tmp_path / lock.HOLDER).read_text())["process"] == os.getpid()


def test_a_holder_that_does_not_tidy_leaves_it_to_the_next(tmp_path: Path) -> None:
    (tmp_path / lock.HOLDER).write_text("a run that died")
    with lock.folder_lock(tmp_path):
        pass
    tidied = []
    with lock.folder_lock(tmp_path, lambda: tidied.append(True)):
        pass
    assert tidied == [True]


def test_the_board_does_not_save_into_a_folder_that_a_run_writes(photos: Path) -> None:
    run(photos)
    out = photos.parent / "cleaned"
    board = Board(open_run(out))
    try:
        board.stroke("p0", [(40, 30)], 6)
        board.fill("p0", probe=False, compare=False)
        before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
        with holder(out) as other:
            with pytest.raises(UsageError, match=f"process {other.pid} on "):
                board.save("p0", True)
            assert {p: p.read_bytes() for p in before} == before
        assert board.save("p0", True)["reviewed"]
    finally:
        board.close()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_the_run_warns_and_works(
    number: int, photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert [p["status"] for p in run(photos)] != ["failed"]
    assert "cannot be locked" in caplog.text


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EACCES, UsageError), (errno.EROFS, UsageError), (errno.ENOSPC, OutputError)],
)
def test_an_unwritable_folder_is_refused_before_any_work(
    number: int, kind: type[Exception], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    monkeypatch.setattr(
        "remove_objects.pipeline.images.read_photo", lambda *_: pytest.fail("work began")
    )
    with pytest.raises(kind, match=os.strerror(number)) as caught:
        run(photos)
    assert str(photos.parent / "cleaned") in str(caught.value)
    assert type(caught.value) is kind


@pytest.mark.parametrize("name", [lock.NAME, lock.HOLDER])
def test_a_link_in_the_place_of_lock_or_holder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"a photo")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "photo.jpg")
    with (
        pytest.raises(UsageError, match=rf"{name}: is a link to .* with --run"),
        lock.folder_lock(tmp_path / "out", option="--run"),
    ):
        pass
    assert (tmp_path / "photo.jpg").read_bytes() == b"a photo"


def test_a_hard_linked_photo_becomes_neither_lock_nor_holder(tmp_path: Path) -> None:
    photo, out = tmp_path / "photo.jpg", tmp_path / "out"
    photo.write_bytes(b"a photo")
    out.mkdir()
    os.link(photo, out / lock.HOLDER)
    with lock.folder_lock(out, lambda: None):
        assert json.loads((out / lock.HOLDER).read_text())["process"] == os.getpid()
    assert photo.read_bytes() == b"a photo"
    (out / lock.NAME).unlink()
    os.link(photo, out / lock.NAME)
    with pytest.raises(UsageError, match="is not the lock"), lock.folder_lock(out):
        pass
    assert photo.read_bytes() == b"a photo"
