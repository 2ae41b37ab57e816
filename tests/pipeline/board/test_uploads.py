"""Uploads never outlive the board, and those that nobody opens do not pile up."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import Opened
from remove_objects.pipeline.web import uploads
from remove_objects.pipeline.web.uploads import TemporaryFolder, remove_abandoned, sweep
from tests.support.board_serving import Served, serve
from tests.support.scenes import scene
from tools.faults.points import ended, start

served_only = [
    pytest.mark.network,
    pytest.mark.skipif(
        importlib.util.find_spec("gradio") is None,
        reason="Gradio is not installed: pip install '.[board]'",
    ),
]

HEAD = (
    b'--x\r\nContent-Disposition: form-data; name="files"; filename="up.png"\r\n'
    b"Content-Type: image/png\r\n\r\n"
)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with one photo."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(scene(seed=1)).save(folder / "a.png")
    return folder


def send(served: Served, content: bytes) -> str:
    """Upload a file; returns its path at the server."""
    status, answer, _ = served.ask(
        "POST",
        "/gradio_api/upload",
        HEAD + content + b"\r\n--x--\r\n",
        Content_Type="multipart/form-data; boundary=x",
    )
    assert status == 200, answer
    (path,) = json.loads(answer)
    return str(path)


def opened(path: str) -> dict[str, object]:
    """An upload as an argument of a call."""
    return {"path": path, "orig_name": "up.png", "meta": {"_type": "gradio.FileData"}}


def left(folder: Path) -> list[Path]:
    """The boards' temporary folders."""
    return list(folder.glob("mask-board-*"))


def files(folder: Path) -> list[Path]:
    """The files in the boards' temporary folders, but the locks."""
    return [
        path
        for board in left(folder)
        for path in board.rglob("*")
        if path.is_file() and path.name != ".lock"
    ]


class TestServedUploads:
    """Uploads to a real board."""

    pytestmark = served_only

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    def test_no_upload_outlives_a_signal(
        self, number: signal.Signals, photo: Path, tiny_weights: Path, tmp_path: Path
    ) -> None:
        with serve(tiny_weights, tmp_path, str(photo)) as served:
            path = send(served, (photo / "a.png").read_bytes())
            assert served.call("upload_photo", opened(path))[0] == 200
            send(served, b"opened by nobody")
            assert len(files(tmp_path)) == 2
            served.process.send_signal(number)
            assert served.process.wait(20) == 0
            assert left(tmp_path) == []
            assert "Traceback" not in served.errors.read_text()

    def test_the_next_board_removes_what_a_killed_one_left(
        self, photo: Path, tiny_weights: Path, tmp_path: Path
    ) -> None:
        with serve(tiny_weights, tmp_path, str(photo)) as served:
            send(served, (photo / "a.png").read_bytes())
            (alive,) = left(tmp_path)
            remove_abandoned(tmp_path)
            assert left(tmp_path) == [alive]  # it is in use
            served.process.kill()
            served.process.wait(20)
        assert left(tmp_path) == [alive]
        with serve(tiny_weights, tmp_path, str(photo)):
            assert alive not in left(tmp_path)
            assert len(left(tmp_path)) == 1

    def test_an_upload_that_breaks_off_leaves_nothing(
        self, photo: Path, tiny_weights: Path, tmp_path: Path
    ) -> None:
        with serve(tiny_weights, tmp_path, str(photo)) as served:
            for size in (0, 100, 6 << 20):
                with socket.create_connection(("127.0.0.1", served.port)) as connection:
                    connection.sendall(
                        b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                        b"Content-Type: multipart/form-data; boundary=x\r\n"
                        b"Content-Length: 10000000\r\n\r\n" + HEAD + b"z" * size
                    )
                    time.sleep(0.2)
                time.sleep(0.3)
                assert files(tmp_path) == [], size
            assert served.call("photos")[0] == 200
            first, *others = served.errors.read_text().splitlines()
            assert first.startswith("mask-board: opening ")
            assert others == []
            assert not [p for p in tmp_path.iterdir() if p.name.startswith("tmp")]

    def test_uploads_that_nobody_opens_are_limited(
        self, photo: Path, tiny_weights: Path, tmp_path: Path
    ) -> None:
        content = (photo / "a.png").read_bytes()
        with serve(tiny_weights, tmp_path, str(photo)) as served:
            for i in range(uploads.UNOPENED_KEPT + 4):
                path = send(served, content + bytes([i]))
            assert len(files(tmp_path)) == uploads.UNOPENED_KEPT + 1
            assert served.call("upload_photo", opened(path))[0] == 200


def test_old_uploads_are_swept(tmp_path: Path) -> None:
    for name, age in (("old", 10_000), ("new", 10)):
        file = tmp_path / name / "up.png"
        file.parent.mkdir()
        file.write_bytes(b"x")
        for path in (file, file.parent):
            os.utime(path, (time.time() - age, time.time() - age))
    sweep(tmp_path)
    assert [p.name for p in tmp_path.rglob("*")] == ["new", "up.png"]


def test_only_folders_without_a_holder_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    alive = TemporaryFolder()

    def die() -> None:
        folder = TemporaryFolder()
        (folder.path / "photo").touch()
        os._exit(0)

    assert ended(start(die)) == 0
    (tmp_path / "mask-board-of-an-earlier-version").mkdir()
    for name, changed in (("abandoned", 90_000), ("in-use", 10)):
        upload = tmp_path / f"mask-board-{name}" / "uploads" / "photo"
        upload.parent.mkdir(parents=True)
        upload.touch()
        os.utime(upload, (time.time() - changed, time.time() - changed))
        for path in upload.parents[:2]:
            os.utime(path, (time.time() - 90_000, time.time() - 90_000))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".lock").touch()
    (tmp_path / "mask-board-link").symlink_to(elsewhere)
    assert len(left(tmp_path)) == 6
    remove_abandoned(tmp_path)
    assert {path.name for path in left(tmp_path)} == {
        alive.path.parent.name,
        "mask-board-of-an-earlier-version",
        "mask-board-in-use",
        "mask-board-link",
    }
    assert (elsewhere / ".lock").exists()
    alive.remove()
    assert not alive.path.parent.exists()


def test_a_folder_goes_with_a_board_that_nobody_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    board = Board(Opened("empty", ""))
    assert len(left(tmp_path)) == 1
    assert ended(start(board.close)) == 0
    assert len(left(tmp_path)) == 1  # a fork of the process does not own it
    del board
    gc.collect()
    assert left(tmp_path) == []
    program = (
        "from remove_objects.pipeline.board.board import Board, Opened\n"
        "board = Board(Opened('empty', ''))"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, timeout=300)
    assert left(tmp_path) == []
