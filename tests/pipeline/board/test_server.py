"""The board's server: the files it serves, the requests it refuses, and its HTTP interface."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.board.server import page_files
from remove_objects.pipeline.web.guard import BODY_BYTES
from tests.support.board_serving import Served, serve
from tests.support.scenes import scene

needs_gradio = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None,
    reason="Gradio is not installed: pip install '.[board]'",
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds ``photos/`` and, beside it, files that must not be served."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "photos").mkdir()
    Image.fromarray(scene(seed=1)).save(folder / "photos" / "a.png")
    (folder / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    Image.new("RGB", (40, 40), "white").save(folder / "secret.png")
    (folder / "secret.txt").write_text("TOP SECRET")
    return folder


@pytest.fixture(scope="module")
def served(tiny_weights: Path, photos: Path) -> Iterator[Served]:
    """A board that serves the photos."""
    with serve(tiny_weights, photos, str(photos / "photos")) as served:
        yield served


@needs_gradio
@pytest.mark.network
class TestServed:
    """Requests to a running board."""

    def test_the_page_and_its_files_are_served_with_security_headers(self, served: Served) -> None:
        status, page, headers = served.ask("GET", "/")
        assert status == 200
        assert b"board.js" in page
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        for name in page_files():
            status, body, _ = served.ask("GET", f"/board/page/{name}")
            assert status == 200
            assert len(body) > 500

    def test_the_pages_files_name_no_other_host(self, served: Served) -> None:
        for name in page_files():
            assert b"http" not in served.ask("GET", f"/board/page/{name}")[1].replace(
                b"http://www.w3.org", b""
            )
        config = json.loads(served.ask("GET", "/config")[1])
        assert config["analytics_enabled"] is False
        assert config["stylesheets"] == []

    @pytest.mark.parametrize(
        "path",
        [
            "/gradio_api/file={secret}",
            "/gradio_api/file=../secret.txt",
            "/file={secret}",
            "/board/view/../../secret.txt/photo",
            "/board/view/%2e%2e%2f%2e%2e%2fsecret.txt/photo",
            "/board/view/..%252f..%252fsecret.txt/photo",
            "/board/page/../../../secret.txt",
            "/board/page/%2e%2e/board.py",
            "/board/page/board.html",
            "/board/download/p0/..%2fsecret",
            "/assets/..%2f..%2f..%2fsecret.txt",
            "/assets/../../../../../../..{secret}",
            "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
            "//{secret}",
            "/gradio_api/proxy=http://127.0.0.1:1/",
            "/gradio_api/vibe-code/",
            "/gradio_api/stream/x",
            "/custom_component/x/client/component/../../secret",
            "/login_check",
            "/docs",
        ],
    )
    def test_files_that_were_not_opened_are_not_served(
        self, served: Served, photos: Path, path: str
    ) -> None:
        status, body, _ = served.ask("GET", path.format(secret=photos / "secret.txt"))
        assert status == 404
        assert b"SECRET" not in body
        assert b"import" not in body

    @pytest.mark.parametrize("layer", ["photo", "mask"])
    def test_views_of_unlisted_photos_are_refused(self, served: Served, layer: str) -> None:
        assert served.ask("GET", f"/board/view/p0/{layer}")[0] == 200
        for photo in ("p7", "secret", "u1"):
            status, body, _ = served.ask("GET", f"/board/view/{photo}/{layer}")
            assert (status, b"not one of the opened photos" in body) == (404, True)
        for query in (
            "box=1,2,3",
            "box=-1,0,5,5",
            "size=a,b",
            "size=99999,99999",
            "box=0,0,99999,5",
        ):
            assert served.ask("GET", f"/board/view/p0/{layer}?{query}")[0] == 404

    def test_a_call_cannot_name_a_file_of_this_machine(self, served: Served, photos: Path) -> None:
        secret = str(photos / "secret.png")
        assert served.call("open_photo", "a.png")[0] == 200
        for photo in (secret, "../secret.png", "photos/../../secret.png"):
            status, message = served.call("open_photo", photo)
            assert (status, "not one of the opened photos" in str(message)) == (500, True)
        for path in (
            secret,
            "../../secret.png",
            str(photos / "photos" / "a.png"),
            "http://127.0.0.1:9/x.png",
            None,
        ):
            file = {"path": path, "orig_name": "x.png", "meta": {"_type": "gradio.FileData"}}
            for data in ([file], ["p0", file, "replace"], [[{"deep": [file]}]]):
                body = json.dumps({"data": data}).encode()
                for name in (
                    "run/upload_photo",
                    "run/load_mask",
                    "run/open_photo",
                    "call/load_mask",
                    "queue/join",
                ):
                    status, answer, _ = served.ask(
                        "POST", f"/gradio_api/{name}", body, Content_Type="application/json"
                    )
                    assert (status, b"uploaded here" in answer) == (403, True), (name, path)
        copies = [p for p in photos.glob("mask-board-*/files/uploads/**/*") if p.is_file()]
        assert copies == []  # Gradio copied none of them
        assert (photos / "secret.png").is_file()
        assert (photos / "photos" / "a.png").is_file()
        assert len(served.call("photos")[1]["photos"]) == 2

    @pytest.mark.parametrize(
        "headers",
        [
            {"Host": "evil.example"},
            {"Host": "evil.example:80"},
            {"Host": ""},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
        ],
    )
    def test_requests_from_other_pages_are_refused(
        self, served: Served, headers: dict[str, str]
    ) -> None:
        body = json.dumps({"data": []}).encode()
        status, answer, received = served.ask(
            "POST", "/gradio_api/run/photos", body, Content_Type="application/json", **headers
        )
        assert status == 403
        assert b"a.png" not in answer
        assert "access-control-allow-origin" not in received
        assert served.ask("GET", "/board/view/p0/photo", **headers)[0] == 403

    def test_requests_from_our_own_page_are_answered(self, served: Served) -> None:
        origin = served.url.rstrip("/")
        status, _, received = served.ask(
            "POST",
            "/gradio_api/run/photos",
            b'{"data": []}',
            Content_Type="application/json",
            Origin=origin,
        )
        assert status == 200
        assert "access-control-allow-origin" not in received
        assert served.ask("GET", "/", Host=f"localhost:{served.port}")[0] == 200
        assert (
            served.ask("GET", "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200
        )  # a link to it

    def test_requests_are_bounded(self, served: Served) -> None:
        assert (
            served.ask(
                "POST",
                "/gradio_api/run/photos",
                Content_Length=str(BODY_BYTES + 1),
                Content_Type="application/json",
            )[0]
            == 413
        )
        assert (
            served.ask(
                "POST",
                "/gradio_api/upload",
                Content_Length=str(1 << 40),
                Content_Type="multipart/form-data; boundary=x",
            )[0]
            == 413
        )
        assert served.ask(
            "POST", "/gradio_api/run/photos", Content_Length="-5", Content_Type="application/json"
        )[0] in (400, 413)
        status, message = served.call("stroke", "p0", [[0, 0]] * 30_000, 3, False)
        assert (status, "20000" in message) == (500, True)

    def test_a_body_without_a_length_is_bounded_too(self, served: Served) -> None:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        chunk = b" " * (1 << 20)
        try:
            connection.request(
                "POST",
                "/gradio_api/run/photos",
                iter([chunk] * 6),
                {"Content-Type": "application/json"},
                encode_chunked=True,
            )
            assert connection.getresponse().status == 413
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server closed the connection before the end
        finally:
            connection.close()
        assert served.call("photos")[0] == 200

    def test_an_uploaded_photo_is_opened(self, served: Served, photos: Path) -> None:
        content = (photos / "photos" / "a.png").read_bytes()
        head = (
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="../../up.png"\r\n'
            b"Content-Type: image/png\r\n\r\n"
        )
        body = head + content + b"\r\n--x--\r\n"
        status, answer, _ = served.ask(
            "POST", "/gradio_api/upload", body, Content_Type="multipart/form-data; boundary=x"
        )
        assert status == 200
        (path,) = json.loads(answer)
        file = {"path": path, "orig_name": "../../up.png", "meta": {"_type": "gradio.FileData"}}
        status, photo = served.call("upload_photo", file)
        assert (status, photo["name"], photo["width"]) == (200, "up.png", 160)
        assert served.ask("GET", f"/board/view/{photo['photo']}/photo")[0] == 200
        assert served.ask("GET", f"/gradio_api/file={path}")[0] == 404

    def test_a_broken_photo_is_reported_and_the_next_call_works(self, served: Served) -> None:
        status, message = served.call("open_photo", "broken.jpg")
        assert (status, "broken.jpg" in message) == (500, True)
        assert served.call("open_photo", "a.png")[0] == 200

    def test_a_wrong_call_is_explained(self, served: Served) -> None:
        for name, data, text in (
            ("edit", ["p0", "explode"], "undo, redo, clear"),
            ("stroke", ["p0", [[1, 2]], -3, False], "radius"),
            ("fill", ["p0", "sky", False, False], "route must be one of"),
            ("select_class", ["p0", ["unicorn"], -1, "add"], "unicorn"),
            ("select_class", ["p0", ["person"], 5, "xor"], "replace, add, subtract"),
        ):
            status, message = served.call(name, *data)
            assert (status, text in message) == (500, True), (name, message)

    def test_an_error_carries_its_code(self, served: Served, photos: Path) -> None:
        for name, data, code in (
            ("open_photo", ["p99"], "usage"),
            ("open_photo", ["broken.jpg"], "unreadable"),
            ("stroke", ["p0", "no points", 3, False], "usage"),
            ("save", ["u1", False], "usage"),
        ):
            assert served.error_code(name, *data) == code, name
        (photos / "cleaned").mkdir(exist_ok=True)
        (photos / "cleaned" / "a.png").write_bytes(b"another program's file")
        served.call("stroke", "p0", [[60, 40]], 8, False)
        served.call("fill", "p0", "auto", False, False)
        assert served.error_code("save", "p0", False) == "exists"
        assert (photos / "cleaned" / "a.png").read_bytes() == b"another program's file"
        assert served.call("save", "p0", True)[0] == 200

    def test_the_documented_example_runs(self, served: Served, photos: Path) -> None:
        """Run the code of docs/mask-board.md against this board."""
        text = (Path(__file__).parents[3] / "docs" / "mask-board.md").read_text(encoding="utf-8")
        block = (
            text.split("from gradio_client import", 1)[1].split("\n\n\n", 1)[0].split("\n#", 1)[0]
        )
        lines = ("    from gradio_client import" + block).splitlines()
        code = "\n".join(line[4:] for line in lines if line.startswith("    ") or not line)
        assert "7860" in code
        script = photos / "example.py"
        script.write_text(code.replace("http://127.0.0.1:7860", served.url))
        done = subprocess.run(
            [sys.executable, str(script)],
            capture_output=True,
            text=True,
            cwd=photos,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        result = np.asarray(Image.open(photos / "cleaned" / "a.png"))
        before = np.asarray(Image.open(photos / "photos" / "a.png"))
        mask = np.asarray(Image.open(photos / "cleaned" / "masks" / "a.png"))
        changed = (result != before).any(2)
        assert changed.any()
        assert not (changed & ~mask).any()
