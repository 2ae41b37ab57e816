"""The board under attack by a hostile page or another program on this machine; the seed is fixed.

Every answer is a refusal or an explained error: no file leaks that was not opened, no other server
is called, no traceback is shown, and the board keeps running.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import random
import re
import socket
import string
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from remove_objects.pipeline.board.server import page_files
from tests.support.board_serving import Served, serve
from tests.support.scenes import scene

needs_gradio = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None,
    reason="Gradio is not installed: pip install '.[board]'",
)
SECRET = "TOP-SECRET-9f3b"
#: The number of arguments of every call.
CALLS = {
    "photos": 0,
    "open_photo": 1,
    "upload_photo": 1,
    "stroke": 4,
    "edit": 2,
    "widen": 2,
    "pick": 4,
    "part": 3,
    "click_object": 3,
    "select_clicks": 2,
    "add_selection": 2,
    "drop_selection": 1,
    "layer": 3,
    "load_mask": 3,
    "select_class": 4,
    "find_along": 1,
    "fill": 4,
    "progress": 0,
    "cancel": 0,
    "save": 2,
    "accept": 1,
    "restore": 2,
    "put_back": 2,
}


class Trap:
    """A server beside the board that must not be called; it counts its callers."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.callers = 0
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        while True:
            try:
                self.listening.accept()[0].close()
            except OSError:
                return
            self.callers += 1


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    socket.create_connection(("127.0.0.1", trap.port)).close()  # it does hear
    trap.listening.shutdown(socket.SHUT_RDWR)
    trap.listening.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "photos").mkdir()
    Image.fromarray(scene(seed=1)).save(folder / "photos" / "a.png")
    Image.fromarray(scene(seed=2)).save(folder / "photos" / "<img src=x onerror=alert(1)>.png")
    (folder / "secret.txt").write_text(SECRET)
    return folder


@pytest.fixture(scope="module")
def served(tiny_weights: Path, folder: Path) -> Iterator[Served]:
    with serve(tiny_weights, folder, str(folder / "photos")) as served:
        yield served


def faults(folder: Path) -> list[str]:
    """Return the tracebacks of unexpected errors in our own code; Gradio answers its own itself."""
    text = (folder / "stderr").read_text(errors="replace")
    return [
        part
        for part in text.split("Traceback (most recent call last)")[1:]
        if re.search(r"pipeline/(?:board|web/(?!guard))", part)
    ]


def ask(
    served: Served, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """As ``Served.ask``; an answer that breaks off has status 0 and the bytes received so far."""
    try:
        return served.ask(method, path, body, **headers)
    except http.client.IncompleteRead as cut:
        return 0, cut.partial, {}


def is_alive(served: Served) -> bool:
    status, answer = served.call("photos")
    return status == 200 and len(answer["photos"]) >= 2


def value(rng: random.Random, folder: Path, trap: Trap, depth: int = 0) -> Any:
    """Return a random argument that no call expects."""
    numbers = [-1, 0, 3, 2**31, 2**63, 10**400, 1e308, -0.5, float("nan"), float("inf")]
    words = ["", "p0", "p1", "undo", "add", "person"]
    files = [
        "../../secret.txt",
        str(folder / "secret.txt"),
        f"http://127.0.0.1:{trap.port}/x.png",
        f"file://{folder}/secret.txt",
    ]
    odd = ["\0", "\ud800", "\u202e", "x" * 10_000, "<script>alert(1)</script>"]
    code = ["%2e%2e%2f", "C:\\x", "__class__", "{{7*7}}"]
    lists = [[], {}, [[1, 2], [3, 4]], [[1e300, 5]], ["person"], ["unicorn", 5], [[None, "x"]]]
    strange: list[Any] = [None, True, *numbers, *words, *files, *odd, *code, *lists]
    if depth < 3 and rng.random() < 0.25:
        where = rng.choice(
            [str(folder / "secret.txt"), f"http://127.0.0.1:{trap.port}/a", "x", None, 5]
        )
        return rng.choice(
            [
                {"path": where, "meta": {"_type": "gradio.FileData"}},
                {"path": where},
                {
                    "url": f"http://127.0.0.1:{trap.port}/u",
                    "meta": {"_type": "gradio.FileData"},
                    "orig_name": "x.png",
                },
                {"url": f"http://127.0.0.1:{trap.port}/v"},
                {"video": {"path": where}},
                {"is_stream": True, "path": where, "url": f"http://127.0.0.1:{trap.port}/s"},
                [value(rng, folder, trap, depth + 1) for _ in range(rng.randrange(4))],
                {"__type__": "update", "value": value(rng, folder, trap, depth + 1)},
            ]
        )
    return rng.choice(strange)


@needs_gradio
@pytest.mark.network
class TestAttack:
    """Hostile requests to a running board."""

    def test_calls_with_any_arguments_are_explained(
        self, served: Served, folder: Path, trap: Trap
    ) -> None:
        rng = random.Random(1)
        for _ in range(350):
            name = rng.choice([n for n in CALLS if n != "fill"])
            count = CALLS[name] if rng.random() < 0.9 else rng.randrange(7)
            data = [value(rng, folder, trap) for _ in range(count)]
            if data and rng.random() < 0.7:
                data[0] = "p0"
            body = json.dumps({"data": data}).encode("utf-8", "surrogatepass")
            status, answer, _ = served.ask(
                "POST", f"/gradio_api/run/{name}", body, Content_Type="application/json"
            )
            assert status in (200, 400, 403, 413, 422, 500), (name, data, status)
            assert SECRET.encode() not in answer
            assert b"Traceback" not in answer
            assert b'File "' not in answer
            if status == 500:
                assert json.loads(answer)["error"], (name, data)
        assert trap.callers == 0
        assert is_alive(served)
        assert faults(folder) == []

    def test_invalid_bodies_are_refused(self, served: Served, folder: Path) -> None:
        rng = random.Random(2)
        bodies = [
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"data": 5}',
            b'{"data": {}}',
            b"\xff\xfe",
            b"[" * 50_000,
            b'{"data": [' * 5000,
        ]
        bodies += [
            b'{"data":["p0"],"fn_index":-1}',
            b'{"data":[],"fn_index":1e9}',
            b'{"data":[],"session_hash":{"a":1}}',
        ]
        bodies += [
            b'{"data":[],"event_data":{"path":"/etc/passwd"}}',
            b'{"data":[],"trigger_id":"x","request":{"headers":{}}}',
        ]
        bodies += [rng.randbytes(rng.randrange(200)) for _ in range(40)]
        for body in bodies:
            for path in (
                "run/photos",
                "run/open_photo",
                "call/open_photo",
                "queue/join",
                "run/nothing",
                "api/photos",
            ):
                status, answer, _ = served.ask(
                    "POST", f"/gradio_api/{path}", body, Content_Type="application/json"
                )
                assert status in (200, 400, 403, 404, 405, 422, 500), (path, body[:60], status)
                assert b'File "' not in answer
        assert is_alive(served)
        assert faults(folder) == []

    def test_random_paths_reach_no_file(self, served: Served, folder: Path, trap: Trap) -> None:
        rng = random.Random(3)
        secret = str(folder / "secret.txt")
        up = ["..", ".", "%2e%2e", "%252e%252e", "..%2f", "%00", "\\", "..\\", "//", "/"]
        marks = ["@", ";", "?", "#", "file=", "file/", "proxy=", "upload_progress?upload_id=x"]
        board = ["board", "view", "page", "download", "p0", "photo", "mask", "result", "board.js"]
        gradio = ["gradio_api", "assets", "static", "component_server", "custom_component"]
        rest = ["stream", "deep_link", "dev", "reload", "mcp", "vibe-edit", "login", "token"]
        logs = ["app_id", "monitoring", "process_recording"]
        files = [secret, secret[1:], "etc/passwd", f"http://127.0.0.1:{trap.port}/"]
        pieces = [*up, *marks, *files, *board, *gradio, *rest, *logs]
        for _ in range(400):
            parts = [rng.choice(pieces) for _ in range(rng.randrange(1, 7))]
            path = "/" + rng.choice(["/", "", "/"]).join(parts)
            path = "".join(
                c if c in string.printable and c not in " \t\r\n\x0b\x0c" else "_" for c in path
            )
            status, answer, headers = ask(
                served, rng.choice(["GET", "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"]), path
            )
            assert SECRET.encode() not in answer, path
            assert b"root:" not in answer, path
            assert "access-control-allow-origin" not in headers
            assert status in (200, 204, 307, 400, 403, 404, 405, 422), (path, status)
        assert trap.callers == 0
        assert is_alive(served)
        assert faults(folder) == []

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://["},
            {"Origin": "http://[::1"},
            {"Origin": "\xff\xfe"},
            {"Origin": ""},
            {"Host": "127.0.0.1.evil.example"},
            {"Host": "evil.example@127.0.0.1"},
            {"Host": "localhost.evil.example"},
            {"Host": "[::1"},
            {"Host": "127.0.0.1:abc"},
            {"Host": "0x7f.1"},
            {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"},
            {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"},
        ],
        ids=str,
    )
    def test_foreign_pages_are_refused(
        self, served: Served, folder: Path, headers: dict[str, str]
    ) -> None:
        for method, path in (
            ("GET", "/board/view/p0/photo"),
            ("POST", "/gradio_api/run/photos"),
            ("GET", "/config"),
        ):
            body = b'{"data": []}' if method == "POST" else None
            status, answer, _ = served.ask(
                method, path, body, **headers, Content_Type="application/json"
            )
            assert status in (400, 403), (path, status)
            assert b"a.png" not in answer
            assert b"PNG" not in answer
        assert faults(folder) == []

    def test_deceptive_uploads_open_nothing_and_leave_no_file_outside(
        self, served: Served, folder: Path
    ) -> None:
        rng = random.Random(4)
        before = {p for p in folder.rglob("*") if "mask-board-" not in str(p)}
        names = [
            "../../x.png",
            "/etc/passwd",
            "..\\..\\x",
            "a\0b.png",
            "x" * 5000,
            "\u202egnp.x",
            "<b>.svg",
            ".htaccess",
            "a/b/c.png",
            "",
        ]
        for name in names:
            content = rng.choice(
                [
                    b"",
                    b"<svg onload=alert(1)>",
                    rng.randbytes(300),
                    b"\x89PNG\r\n\x1a\n",
                    b"GIF89a" + rng.randbytes(40),
                ]
            )
            disposition = f'form-data; name="files"; filename="{name}"'.encode("utf-8", "replace")
            body = (
                b"--x\r\nContent-Disposition: "
                + disposition
                + b"\r\nContent-Type: image/png\r\n\r\n"
                + content
                + b"\r\n--x--\r\n"
            )
            status, answer, _ = served.ask(
                "POST", "/gradio_api/upload", body, Content_Type="multipart/form-data; boundary=x"
            )
            assert status in (200, 400, 413, 422, 500), (name, status)
            if status != 200:
                continue
            for path in json.loads(answer):
                file = {
                    "path": path,
                    "orig_name": name,
                    "url": "http://192.0.2.1/x",
                    "meta": {"_type": "gradio.FileData"},
                }
                for call, data in (
                    ("upload_photo", [file]),
                    ("load_mask", ["p0", file, "replace"]),
                ):
                    sent = json.dumps({"data": data}).encode()
                    status, reply, _ = served.ask(
                        "POST", f"/gradio_api/run/{call}", sent, Content_Type="application/json"
                    )
                    # None of these files is an image.
                    assert status in (403, 500), (name, call, reply[:200])
                    assert b'File "' not in reply
        assert {p for p in folder.rglob("*") if "mask-board-" not in str(p)} - before <= {
            folder / "stderr"
        }
        assert is_alive(served)

    def test_a_name_that_is_markup_reaches_the_page_as_text_only(self, served: Served) -> None:
        _, _, received = served.ask(
            "POST", "/gradio_api/run/photos", b'{"data": []}', Content_Type="application/json"
        )
        assert received["content-type"].startswith("application/json")
        assert b"onerror=alert(1)" not in served.ask("GET", "/")[1]
        assert "innerHTML" not in "".join(
            served.ask("GET", f"/board/page/{f}")[1].decode() for f in page_files()
        )
        status, _, headers = served.ask(
            "GET", "/board/view/%3Cimg%20src=x%20onerror=alert(1)%3E.png/photo"
        )
        assert status == 404
        assert headers["content-type"].startswith("text/plain")

    def test_no_websocket_is_opened(self, served: Served) -> None:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "dGhlIHNhbXBsZQ==",
        }
        for path in ("/gradio_api/queue/join", "/gradio_api/queue/data", "/"):
            assert (
                ask(served, "GET", path + "?session_hash=x" * ("data" in path), **upgrade)[0] != 101
            )
